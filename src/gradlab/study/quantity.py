"""What is measured: one grammar for `record`, claims and TOML.

    name[.split][window][@epoch | @last | @best]
    reducer(name[.split][window] [, threshold])
    where(quantity, event)

An event is a quantity with a comparison (`loss@last < 0.01`), or a quantity alone, which is true where it is
not zero (`flag_dead`) or, for `epochs_to(loss, 1e-3)`, where the threshold was reached. Text is read with
`ast` against the tables below and never evaluated; `str()` gives the normal spelling back.

Reducing a recorded series to one number per run is `gradlab.judge.reduce`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, ClassVar, Final, Literal, cast

from pydantic import GetJsonSchemaHandler, ModelWrapValidatorHandler, model_serializer, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from gradlab.component import Component
from gradlab.errors import Problem, nearest
from gradlab.study.known import IN_TRAINING, KNOWN, REDUCERS, Known

__all__ = [
    "KNOWN",
    "REDUCERS",
    "Event",
    "GrammarError",
    "Known",
    "Quantity",
    "number_text",
    "parse_event",
    "parse_quantity",
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


class Quantity(Component):
    """One number per run, taken from what the run recorded.

    Attributes:
        name: A name of `KNOWN`.
        split: A name of `SPLITS`, such as `test`; empty for a full pass over the training set.
        window: First and last epoch of interest; integers are epochs, fractions in [0, 1] are shares of the
            run's own length, `None` is open.
        at: An epoch, `last` or `best`; `None` for the reducer, or for the final value of judged comparisons
            (geometric mean over the last 1 % of the epochs).
        reducer: A name of `REDUCERS`, or empty.
        threshold: The value of `epochs_to`.
        where: Only runs for which this event is true count.

    Example:
        >>> quantity = parse_quantity("epochs_to(loss.test, 1e-3)")
        >>> quantity.trace, quantity.threshold, str(quantity)
        ('loss.test', 0.001, 'epochs_to(loss.test, 1e-3)')
    """

    examples: ClassVar[list[str]] = ["loss", "loss.test@last", "epochs_to(loss, 1e-3)"]

    kind: Literal["quantity"] = "quantity"
    name: str
    split: str = ""
    window: tuple[int | float | None, int | float | None] | None = None
    at: int | Literal["last", "best"] | None = None
    reducer: str = ""
    threshold: float | None = None
    where: Event | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: object, handler: ModelWrapValidatorHandler[Quantity]) -> Quantity:
        try:
            quantity = parse_quantity(value) if isinstance(value, str) else handler(value)
            quantity._examine()
        except GrammarError as error:
            raise error.for_pydantic() from None
        return quantity

    @model_serializer
    def _write(self) -> str:
        return str(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "title": cls.__name__, "examples": cls.examples}

    @property
    def known(self) -> Known:
        """What the grammar knows about the recorded quantity."""
        return KNOWN[self.name]

    @property
    def trace(self) -> str:
        """Name of the recorded series or scalar that this is taken from, such as `loss.test`."""
        return f"{self.name}.{self.split}" if self.split else self.name

    @property
    def scale(self) -> Literal["ratio", "difference"]:
        """How two values are compared: by their quotient or by their difference."""
        if self.is_epoch:
            return "ratio"
        return "difference" if self.reducer == "slope" else self.known.scale

    @property
    def worst(self) -> Literal["high", "low"]:
        """The end at which diverged, dead and never-reaching runs rank."""
        if self.reducer in {"epochs_to", "argmin", "argmax", "roughness", "slope"}:
            return "high"
        return self.known.worst

    @property
    def is_epoch(self) -> bool:
        """Whether the value is an epoch or a count of updates."""
        return self.name in {"epochs", "updates"} or self.reducer in {"epochs_to", "argmin", "argmax"}

    def recorded(self) -> set[str]:
        """Names of the series that must be recorded for this quantity, its `where` included.

        Epochs, updates and flags are not among them: every run has those.
        """
        if self.name in {"edge_error", "centre_error"}:
            needed = {"predictions"}
        else:
            needed = set[str]() if self.known.shape == "scalar" else {self.trace}
        return needed | (self.where.quantity.recorded() if self.where else set())

    def _examine(self) -> None:
        """Refuse what the tables do not allow.

        Raises:
            GrammarError: Naming the first thing that is wrong.
        """
        known = KNOWN.get(self.name)
        if known is None:
            raise GrammarError(self.name, "unknown quantity", KNOWN)
        if self.split and self.split not in known.splits:
            choices = tuple(f"{self.name}.{split}" for split in known.splits) or (self.name,)
            raise GrammarError(self.trace, f"{self.name} is not measured that way", choices)
        if self.reducer and self.reducer not in REDUCERS:
            raise GrammarError(self.reducer, "unknown reducer", REDUCERS)
        if known.shape != "series" and (self.at is not None or self.reducer or self.window):
            what = "is one number a run" if known.shape == "scalar" else "is recorded but is not one number"
            raise GrammarError(str(self), f"{self.name} {what}; it takes no epoch, window or reducer")
        if self.reducer and self.at is not None:
            raise GrammarError(str(self), "give an epoch or a reducer, not both")
        if self.window and not self.reducer and self.at is not None:
            raise GrammarError(str(self), "a window goes with a reducer, such as mean(loss[100:200])")
        if (self.threshold is not None) != (self.reducer == "epochs_to"):
            raise GrammarError(
                str(self), "epochs_to takes a quantity and a threshold, as epochs_to(loss, 1e-3)"
            )
        if isinstance(self.at, int) and self.at < 0:
            raise GrammarError(str(self.at), "an epoch counts from 0")
        if self.at == 0 and (self.split in IN_TRAINING or self.name == "gradient_norm_batch"):
            raise GrammarError(
                str(self), f"{self.trace} is measured while an epoch is trained: from epoch 1 on"
            )
        for bound in self.window or ():
            if bound is not None and (bound < 0 or (isinstance(bound, float) and bound > 1)):
                raise GrammarError(
                    number_text(bound),
                    "a window is given in epochs (100:200) or in shares of the run (0.5:1.0)",
                )

    def __str__(self) -> str:
        text = self.trace
        if self.window:
            text += "[" + ":".join("" if bound is None else _bound(bound) for bound in self.window) + "]"
        if self.at is not None:
            text += f"@{self.at}"
        if self.reducer:
            tail = "" if self.threshold is None else f", {number_text(self.threshold)}"
            text = f"{self.reducer}({text}{tail})"
        return f"where({text}, {self.where})" if self.where else text


class Event(Component):
    """Something that is true or false of a run.

    Attributes:
        quantity: What is looked at.
        operator: How it is compared; `None` asks whether it is not zero (or was reached, for `epochs_to`).
        value: What it is compared with.

    Example:
        >>> str(parse_event("loss@last<0.010"))
        'loss@last < 0.01'
    """

    examples: ClassVar[list[str]] = ["loss@last < 0.01", "flag_dead"]

    kind: Literal["event"] = "event"
    quantity: Quantity
    operator: Operator | None = None
    value: float | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: object, handler: ModelWrapValidatorHandler[Event]) -> Event:
        try:
            return parse_event(value) if isinstance(value, str) else handler(value)
        except GrammarError as error:
            raise error.for_pydantic() from None

    @model_serializer
    def _write(self) -> str:
        return str(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "title": cls.__name__, "examples": cls.examples}

    def __str__(self) -> str:
        if self.operator is None or self.value is None:
            return str(self.quantity)
        return f"{self.quantity} {self.operator} {number_text(self.value)}"


Quantity.model_rebuild()


def parse_quantity(text: str) -> Quantity:
    """Read a quantity.

    Args:
        text: As in `loss`, `loss.test@last`, `roughness(loss[0.5:])`, `epochs_to(loss, 1e-3)`.

    Returns:
        The quantity; `str()` of it gives the normal spelling.

    Raises:
        GrammarError: The text is not in the grammar, or names something unknown.

    Example:
        >>> parse_quantity("los")
        Traceback (most recent call last):
        ...
        gradlab.study.quantity.GrammarError: unknown quantity; found los; ... did you mean 'loss'?
    """
    return _quantity(_tree(text))


def parse_event(text: str) -> Event:
    """Read an event.

    Args:
        text: A quantity with a comparison, or alone.

    Returns:
        The event.

    Raises:
        GrammarError: The text is not in the grammar, or names something unknown.
    """
    return _event(_tree(text))


def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise GrammarError(
            text, "this is not a quantity", allowed="as in loss, loss.test@last, mean(loss)"
        ) from None


def _event(node: ast.expr) -> Event:
    if isinstance(node, ast.Compare):
        if len(node.ops) != 1 or type(node.ops[0]) not in _OPERATORS:
            raise GrammarError(ast.unparse(node), "an event is one comparison", _OPERATORS.values())
        return Event(
            quantity=_quantity(node.left),
            operator=_OPERATORS[type(node.ops[0])],
            value=float(_constant(node.comparators[0])),
        )
    return Event(quantity=_quantity(node))


def _quantity(node: ast.expr) -> Quantity:
    fields = _fields(node)
    quantity = Quantity.model_construct(None, **fields)
    quantity._examine()  # pyright: ignore[reportPrivateUsage]
    return Quantity(**fields)


def _fields(node: ast.expr) -> dict[str, Any]:
    match node:
        case ast.Name(id=name):
            return {"name": name}
        case ast.Attribute(value=ast.Name(id=name), attr=split):
            return {"name": name, "split": split}
        case ast.Subscript(value=inner, slice=ast.Slice(lower=low, upper=high, step=None)):
            bounds = tuple(None if bound is None else _constant(bound) for bound in (low, high))
            return _only_once(_fields(inner), window=bounds)
        case ast.BinOp(left=inner, op=ast.MatMult(), right=ast.Name(id=("last" | "best") as at)):
            return _only_once(_fields(inner), at=at)
        case ast.BinOp(left=inner, op=ast.MatMult(), right=ast.Constant(value=int() as epoch)):
            return _only_once(_fields(inner), at=int(epoch))
        case ast.BinOp(op=ast.MatMult(), right=right):
            raise GrammarError(
                ast.unparse(right), "after @ stands an epoch", ("last", "best"), "an epoch, last, best"
            )
        case ast.Call(func=ast.Name(id="where"), args=[inner, event], keywords=[]):
            return _only_once(_fields(inner), where=_event(event))
        case ast.Call(func=ast.Name(id="epochs_to"), args=[inner, threshold], keywords=[]):
            return _only_once(_fields(inner), reducer="epochs_to", threshold=float(_constant(threshold)))
        case ast.Call(func=ast.Name(id=reducer), args=[inner], keywords=[]):
            return _only_once(_fields(inner), reducer=reducer)
        case _:
            raise GrammarError(
                ast.unparse(node), "this is not a quantity", allowed="as in loss, loss.test@last, mean(loss)"
            )


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


def _bound(value: int | float) -> str:
    """An integer bound is an epoch, a float one a share: 1.0 keeps its point."""
    return repr(value) if isinstance(value, float) else str(value)


def number_text(value: int | float) -> str:
    """The shorter of the plain and the scientific spelling: 0.01, 1e-3, 20000."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    plain = repr(float(value))
    digits = next(k for k in range(17) if float(f"{value:.{k}e}") == value)
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    scientific = f"{mantissa}e{int(exponent)}"
    return scientific if len(scientific) < len(plain) else plain
