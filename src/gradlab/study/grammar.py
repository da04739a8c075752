"""The grammar of quantities and events: text into the fields of a `study.quantity.Quantity` or `Event`.

    name[.split][window][@epoch | @last | @best]
    reducer(name[.split][window] [, threshold])
    where(quantity, event)

Text is read with `ast` and never evaluated. What the names mean, and which of them go together, is not known here:
`study.quantity` examines the fields.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, Final, Literal, cast

from pydantic_core import PydanticCustomError

from gradlab.errors import Problem, nearest
from gradlab.study.known import THRESHOLDS

__all__ = [
    "GrammarError",
    "Operator",
    "event_fields",
    "no_epoch",
    "number_text",
    "quantity_fields",
]

Operator = Literal["<", "<=", ">", ">=", "==", "!="]


_OPERATORS: Final[dict[type[ast.cmpop], Operator]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


class GrammarError(ValueError):
    """A text that the grammar does not know; `problem` says what is allowed and the nearest spelling."""

    def __init__(self, found: str, message: str, choices: Iterable[str] = (), allowed: str = "") -> None:
        self.choices = tuple(choices)
        self.problem = Problem(
            path="",
            value=found,
            message=message,
            allowed=allowed or ", ".join(self.choices),
            suggestion=nearest(found, self.choices),
        )
        text = f"{message}; found {found}" if found else message
        if self.problem.allowed:
            text += f"; allowed: {self.problem.allowed}"
        if self.problem.suggestion:
            text += f"; did you mean {self.problem.suggestion!r}?"
        super().__init__(text)

    def for_pydantic(self) -> PydanticCustomError:
        """The same, as the error that validation collects."""
        message = self.problem.message.replace("{", "(").replace("}", ")")
        context = {
            "found": self.problem.value,
            "allowed": self.problem.allowed,
            "choices": list(self.choices),
        }
        return PydanticCustomError("component", cast(Any, message), context)


def quantity_fields(text: str) -> dict[str, Any]:
    """Read a quantity.

    Args:
        text: As in `loss.test@last`.

    Returns:
        The fields of a `Quantity` that the text gives; `where` is the fields of an `Event`.

    Raises:
        GrammarError: The text is not in the grammar.

    Example:
        >>> quantity_fields("epochs_to(loss.test, 1e-3)")
        {'name': 'loss', 'split': 'test', 'reducer': 'epochs_to', 'threshold': 0.001}
    """
    return _quantity_fields(_tree(text))


def event_fields(text: str) -> dict[str, Any]:
    """Read an event.

    Args:
        text: A quantity with a comparison, or alone.

    Returns:
        The fields of an `Event` that the text gives; `quantity` is the fields of a `Quantity`.

    Raises:
        GrammarError: The text is not in the grammar.

    Example:
        >>> event_fields("loss@last < 0.01")
        {'quantity': {'name': 'loss', 'at': 'last'}, 'operator': '<', 'value': 0.01}
    """
    return _event_fields(_tree(text))


def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise _no_quantity(text) from None


def _event_fields(node: ast.expr) -> dict[str, Any]:
    if isinstance(node, ast.Compare):
        if len(node.ops) != 1 or type(node.ops[0]) not in _OPERATORS:
            raise GrammarError(ast.unparse(node), "an event is one comparison", _OPERATORS.values())
        return {
            "quantity": _quantity_fields(node.left),
            "operator": _OPERATORS[type(node.ops[0])],
            "value": float(_constant(node.comparators[0])),
        }
    return {"quantity": _quantity_fields(node)}


def _quantity_fields(node: ast.expr) -> dict[str, Any]:
    match node:
        case ast.Name(id=name):
            return {"name": name}
        case ast.Attribute():
            return _dotted(node)
        case ast.Subscript(value=inner, slice=ast.Slice(lower=low, upper=high, step=None)):
            bounds = tuple(None if bound is None else _constant(bound) for bound in (low, high))
            return _only_once(_quantity_fields(inner), window=bounds)
        case ast.BinOp(left=inner, op=ast.MatMult(), right=ast.Name(id=("last" | "best") as at)):
            return _only_once(_quantity_fields(inner), at=at)
        case ast.BinOp(left=inner, op=ast.MatMult(), right=place):
            return _only_once(_quantity_fields(inner), at=_place(place))
        case ast.Call(func=ast.Name(id="where"), args=[inner, event], keywords=[]):
            return _only_once(_quantity_fields(inner), where=_event_fields(event))
        case ast.Call(func=ast.Name(id=reducer), args=[inner, threshold], keywords=[]) if (
            reducer in THRESHOLDS
        ):
            return _only_once(_quantity_fields(inner), reducer=reducer, threshold=float(_constant(threshold)))
        case ast.Call(func=ast.Name(id=reducer), args=[inner], keywords=[]):
            return _only_once(_quantity_fields(inner), reducer=reducer)
        case _:
            raise _no_quantity(ast.unparse(node))


def _dotted(node: ast.Attribute) -> dict[str, Any]:
    """A name with its split, or an instrument with its value, which may have dots itself."""
    parts = [node.attr]
    inner = node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name):
        raise _no_quantity(ast.unparse(node))
    return {"name": inner.id, "split": ".".join(reversed(parts))}


def _place(node: ast.expr) -> int | float:
    """What stands after @, if it is a number."""
    try:
        found = _constant(node)
        return int(found) if abs(found) < 1e6 and found == int(found) else found
    except GrammarError:
        raise no_epoch(ast.unparse(node)) from None


def _no_quantity(found: str) -> GrammarError:
    return GrammarError(found, "this is not a quantity", allowed="as in loss, loss.test@last, mean(loss)")


def no_epoch(found: str) -> GrammarError:
    """The refusal of what stands after @ and is no epoch."""
    return GrammarError(found, "after @ stands an epoch", ("last", "best"), "an epoch, last, best")


def _only_once(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    repeated = sorted(set(fields) & set(more))
    if repeated:
        raise GrammarError(repeated[0], f"a quantity has one {repeated[0]}, not two")
    return fields | more


def _constant(node: ast.expr) -> int | float:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
        return sign * cast(float, node.value)
    raise GrammarError(ast.unparse(node), "a number belongs here")


def number_text(value: int | float) -> str:
    """The shorter of the plain and the scientific spelling: 0.01, 1e-3, 20000."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    plain = repr(float(value))
    digits = next(k for k in range(17) if float(f"{value:.{k}e}") == value)
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    scientific = f"{mantissa}e{int(exponent)}"
    return scientific if len(scientific) < len(plain) else plain
