"""Functions of x written as text: parsed with `ast` against an allow-list and evaluated by our own walk.

Nothing in the text is ever executed: names, operators and functions outside the tables below are refused when
the text is read.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from gradlab.errors import nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = ["FUNCTIONS", "ExpressionError", "normal_form", "parse_expression"]

FUNCTIONS: Final = {
    "abs": 1, "arccos": 1, "arcsin": 1, "arctan": 1, "ceil": 1, "cos": 1, "cosh": 1, "exp": 1, "expm1": 1,
    "floor": 1, "log": 1, "log10": 1, "log1p": 1, "log2": 1, "maximum": 2, "minimum": 2, "sign": 1, "sin": 1,
    "sinh": 1, "sqrt": 1, "square": 1, "tan": 1, "tanh": 1, "where": 3,
}  # fmt: skip
"""The NumPy functions that an expression may call, with their number of arguments."""

_CONSTANTS: Final = {"pi": 3.141592653589793, "e": 2.718281828459045}

_BINARY: Final[dict[type[ast.AST], str]] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Mod: "mod",
    ast.FloorDiv: "floor_divide",
    ast.Pow: "power",
}
_UNARY: Final[dict[type[ast.AST], str]] = {ast.USub: "negative", ast.UAdd: "positive"}
_COMPARISONS: Final[dict[type[ast.AST], str]] = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
_LONGEST = 1000


class ExpressionError(ValueError):
    """A text that is not an allowed expression; `choices` are the spellings allowed there."""

    def __init__(self, message: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.choices = choices


def parse_expression(text: str) -> Callable[[Values], Values]:
    """Read a function of x.

    Args:
        text: A NumPy expression in `x`, such as `exp(-x**2) * sin(3*x)`; `np.` before a function is allowed.

    Returns:
        The function: float64 values of any shape in, float64 values of the same shape out.

    A text that is no expression, or names something that is not allowed, is an `ExpressionError`.

    Example:
        >>> import numpy as np
        >>> parse_expression("where(x > 0, x**2, 0)")(np.array([-1.0, 3.0]))
        array([0., 9.])
        >>> parse_expression("__import__('os')")
        Traceback (most recent call last):
        ...
        gradlab.task.expression.ExpressionError: unknown function '__import__'; allowed: abs, arccos, ...
    """
    tree = _tree(text)
    _check(tree)

    def function(x: Values) -> Values:
        import numpy as np

        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(_evaluate(tree, x, np), np.float64), x.shape).copy()

    return function


def normal_form(text: str) -> str:
    """The expression with one spelling for one meaning of spaces and brackets, which identity hashes.

    Example:
        >>> normal_form("(exp( -x**2 ))")
        'exp(-x ** 2)'
    """
    return ast.unparse(_tree(text))


def _tree(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise ExpressionError(f"an expression has at most {_LONGEST} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError("this is not an expression in x") from None


def _check(node: ast.expr) -> None:
    """Refuse everything that is not in the tables, with what is allowed in its place."""
    match node:
        case ast.Constant(value=value) if type(value) in {int, float}:
            return
        case ast.Name(id=name):
            if name != "x" and name not in _CONSTANTS:
                raise _unknown("name", name, ("x", *_CONSTANTS))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left)
            _check(right)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            _check(operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            _check(left)
            _check(right)
        case ast.Call(func=func, args=arguments, keywords=[]):
            name = _function_name(func)
            if len(arguments) != FUNCTIONS[name]:
                raise ExpressionError(f"{name} takes {FUNCTIONS[name]} arguments, not {len(arguments)}")
            for argument in arguments:
                _check(argument)
        case _:
            raise ExpressionError(
                f"{ast.unparse(node)!r} is not allowed; allowed: numbers, x, pi, e, + - * / // % **, "
                "one comparison, and the functions " + ", ".join(FUNCTIONS)
            )


def _function_name(func: ast.expr) -> str:
    match func:
        case ast.Name(id=name):
            pass
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name):
            pass
        case _:
            name = ast.unparse(func)
    if name not in FUNCTIONS:
        raise _unknown("function", name, tuple(FUNCTIONS))
    return name


def _unknown(what: str, name: str, choices: tuple[str, ...]) -> ExpressionError:
    near = nearest(name, choices)
    hint = f"; did you mean {near!r}?" if near else ""
    return ExpressionError(f"unknown {what} {name!r}; allowed: {', '.join(choices)}{hint}", choices)


def _evaluate(node: ast.expr, x: Values, np: Any) -> Any:
    """The value of a checked tree at `x`; every number is a float64, so that nothing grows without bound."""
    match node:
        case ast.Constant(value=value):
            return np.float64(cast(float, value))
        case ast.Name(id=name):
            return x if name == "x" else np.float64(_CONSTANTS[name])
        case ast.BinOp(left=left, op=op, right=right):
            return getattr(np, _BINARY[type(op)])(_evaluate(left, x, np), _evaluate(right, x, np))
        case ast.UnaryOp(op=op, operand=operand):
            return getattr(np, _UNARY[type(op)])(_evaluate(operand, x, np))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            compare = getattr(np, _COMPARISONS[type(op)])
            return compare(_evaluate(left, x, np), _evaluate(right, x, np))
        case ast.Call(func=func, args=arguments):
            return getattr(np, _function_name(func))(*(_evaluate(argument, x, np) for argument in arguments))
        case _:  # pragma: no cover - _check has seen the same tree
            raise ExpressionError(f"{ast.unparse(node)!r} is not allowed")
