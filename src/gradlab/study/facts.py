"""Static facts about a plan: `parameters(deep) == 571`, `layers(deep) > layers(wide)`, `optimizer.lr(deep) < 0.01`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from gradlab.study.grammar import GrammarError

__all__ = ["FactExpression", "Reference", "parse_fact"]

_COMPARE: Final[Mapping[type[ast.cmpop], tuple[str, Callable[[float, float], bool]]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
}


@dataclass(frozen=True)
class Reference:
    """A setting of a condition.

    Attributes:
        name: `parameters`, `layers` (those with weights), or a key path of the specification (`optimizer.lr`).
        condition: Selector of one condition.
    """

    name: str
    condition: str


@dataclass(frozen=True)
class FactExpression:
    """One comparison.

    Attributes:
        left: A reference or a number.
        symbol: The comparison as it is written.
        right: A reference or a number.
    """

    left: Reference | float
    symbol: str
    right: Reference | float

    def conditions(self) -> list[str]:
        """The selectors that are named."""
        return [side.condition for side in (self.left, self.right) if isinstance(side, Reference)]

    def holds(self, look_up: Callable[[Reference], float]) -> bool:
        """Whether the comparison is true.

        Args:
            look_up: Gives the value of a reference.

        Returns:
            The truth of the comparison.
        """
        left, right = (
            look_up(side) if isinstance(side, Reference) else side for side in (self.left, self.right)
        )
        compare = next(function for symbol, function in _COMPARE.values() if symbol == self.symbol)
        return bool(compare(left, right))


def parse_fact(text: str) -> FactExpression:
    """Read a fact.

    Args:
        text: One comparison of numbers and `name(condition)`.

    Returns:
        The comparison.

    Raises:
        GrammarError: The text is something else.

    Example:
        >>> parse_fact("parameters(deep) == 571").left
        Reference(name='parameters', condition='deep')
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        node = None
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
        raise GrammarError(text, "a fact is one comparison", allowed="as in parameters(deep) == 571")
    return FactExpression(_side(node.left), _COMPARE[type(node.ops[0])][0], _side(node.comparators[0]))


def _side(node: ast.expr) -> Reference | float:
    match node:
        case ast.Constant(value=value) if type(value) in {int, float}:
            return float(cast(float, value))
        case ast.Call(func=ast.Name() | ast.Attribute() as name, args=[ast.Name(id=condition)], keywords=[]):
            return Reference(_path(name), condition)
        case ast.Call(
            func=ast.Name() | ast.Attribute() as name, args=[ast.Constant(value=str() as condition)]
        ):
            return Reference(_path(name), condition)
        case _:
            raise GrammarError(ast.unparse(node), "a side of a fact is a number or name(condition)")


def _path(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=inner, attr=name):
            return f"{_path(inner)}.{name}"
        case _:
            raise GrammarError(
                ast.unparse(node), "this is not a key path", allowed="as in optimizer.lr(deep)"
            )
