"""Claims as text: `less(loss, deep, than=shallow)`, read with `ast` against a table, never evaluated.

Quantities, levels and numbers stand bare; a level with spaces, signs or a leading digit stands in quotes
(`than='model=wide'`). What is printed by `str()` of a claim is read back to the same claim.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any, Final, cast

from pydantic import ValidationError

from gradlab.study import claims
from gradlab.study.grammar import GrammarError
from gradlab.study.kinds import Test

__all__ = ["KINDS", "parse_claim"]

KINDS: Final[dict[str, Callable[..., Test]]] = {
    function.__name__: cast("Callable[..., Test]", function)
    for function in (
        claims.less,
        claims.more,
        claims.fewer,
        claims.equal,
        claims.share,
        claims.reaches,
        claims.correlates,
        claims.rises,
        claims.falls,
        claims.peaks,
        claims.plateaus,
        claims.ranked,
        claims.matches,
        claims.fact,
        claims.all_of,
        claims.not_,
        claims.untestable,
    )
}
"""The functions that a claim in a text may name."""


_SELECTORS: Final = {"a", "b", "of", "order"}
"""Arguments that name levels, where `32` is a level and not a number."""


def parse_claim(text: str) -> Test:
    """Read a claim.

    Args:
        text: As in `fewer(epochs_to(loss, 1e-3), deep, than=shallow)`.

    Returns:
        The claim; `str()` of it gives the normal spelling.

    Raises:
        GrammarError: The text is not a claim, names an unknown kind, or has arguments that do not fit.

    Example:
        >>> str(parse_claim("fewer(epochs_to(loss, 0.001), deep, than=shallow)"))
        'fewer(epochs_to(loss, 1e-3), deep, than=shallow)'
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise GrammarError(
            text,
            "this is not a claim",
            allowed="as in less(loss, deep, than=shallow), unusual level names in quotes",
        ) from None
    return _claim(node, text.strip())


def _claim(node: ast.expr, text: str) -> Test:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise GrammarError(
            _source(node, text), "this is not a claim", allowed="as in less(loss, deep, than=shallow)"
        )
    name = node.func.id
    if name not in KINDS:
        raise GrammarError(name, "unknown kind of claim", KINDS)
    args = [_value(arg, text) for arg in node.args]
    named = {keyword.arg or "**": _value(keyword.value, text) for keyword in node.keywords}
    signature = inspect.signature(KINDS[name])
    variadic = any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
    allowed = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_POSITIONAL]
    for key in named:
        if key not in allowed:
            raise GrammarError(key, f"{name} has no such argument", allowed)
    try:
        bound = signature.bind(*args, **named)
    except TypeError as error:
        form = f"{name}({', '.join(allowed)}{', ...' if variadic else ''})"
        raise GrammarError(_source(node, text), str(error), allowed=form) from None
    for key in _SELECTORS & set(bound.arguments):
        given = bound.arguments[key]
        bound.arguments[key] = tuple(map(str, given)) if isinstance(given, tuple) else str(given)
    try:
        return KINDS[name](*bound.args, **bound.kwargs)
    except GrammarError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or name
        raise GrammarError(_source(node, text), f"{where}: {first['msg']}") from None
    except (TypeError, ValueError) as error:
        raise GrammarError(_source(node, text), str(error)) from None


def _value(node: ast.expr, text: str) -> Any:
    """A claim inside a claim, a number, a list, a truth value, or else the text that stands there."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in KINDS:
            return _claim(node, text)
        case ast.Constant(value=str() | bool() | int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [str(_value(item, text)) for item in items]
        case _:
            return _source(node, text)


def _source(node: ast.expr, text: str) -> str:
    return ast.get_source_segment(text, node) or ast.unparse(node)
