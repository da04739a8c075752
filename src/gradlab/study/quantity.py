"""What is measured: one grammar for `record`, claims and TOML.

    name[.split][window][@epoch | @last | @best]
    reducer(name[.split][window] [, threshold])
    where(quantity, event)

The name is a recorded quantity, or `KIND.VALUE` of a declared instrument. A value along another axis than epochs
(`interpolation.loss.test` along alpha) is windowed by positions on it, and `@` names a place there.

An event is a quantity with a comparison (`loss@last < 0.01`), or a quantity alone, which is true where it is
not zero (`flag_dead`) or, for `epochs_to(loss, 1e-3)`, where the threshold was reached. Text is read by
`gradlab.study.grammar`; `str()` gives the normal spelling back.

Reducing a recorded series to one number per run is `gradlab.judge.reduce`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import GetJsonSchemaHandler, ModelWrapValidatorHandler, model_serializer, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gradlab.component import Component
from gradlab.study.grammar import GrammarError, Operator, event_fields, no_epoch, number_text, quantity_fields
from gradlab.study.instruments import INSTRUMENTS
from gradlab.study.known import BY_PLACE, IN_TRAINING, KNOWN, OF_MINIBATCHES, REDUCERS, THRESHOLDS, Known

__all__ = [
    "KNOWN",
    "REDUCERS",
    "Event",
    "GrammarError",
    "Known",
    "Quantity",
    "counted_in",
    "parse_event",
    "parse_quantity",
]


class Quantity(Component):
    """One number per run, taken from what the run recorded.

    Attributes:
        name: A name of `KNOWN`, or the kind of an instrument.
        split: A name of `SPLITS`, such as `test`; empty for a full pass over the training set. Of an instrument, the
            name of its value.
        window: First and last epoch of interest; integers are epochs, fractions in [0, 1] are shares of the
            run's own length, `None` is open. On another axis, first and last position.
        at: An epoch, `last` or `best`; `None` for the reducer, or for the final value of judged comparisons
            (geometric mean over the last 1 % of the epochs). On another axis, the place nearest to a number.
        reducer: A name of `REDUCERS`, or empty.
        threshold: The number of a reducer of `THRESHOLDS`.
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
    at: int | float | Literal["last", "best"] | None = None
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
        """What the grammar knows about the recorded quantity or the instrument's value."""
        return INSTRUMENTS[self.name].gives[self.split] if self.instrument else KNOWN[self.name]

    @property
    def instrument(self) -> str:
        """The kind of instrument that gives it; empty where training records it."""
        return self.name if self.name in INSTRUMENTS else ""

    @property
    def axis(self) -> str:
        """What it is a series along: "epoch", an instrument's axis, or empty where it is one number.

        The one number that an instrument gives of a run is a series over the epochs at which it is measured.
        """
        if self.instrument and INSTRUMENTS[self.name].scope == "run" and self.known.shape == "scalar":
            return "epoch"
        return self.known.axis or ("epoch" if self.known.shape == "series" else "")

    @property
    def is_curve(self) -> bool:
        """Whether it stands for all places of an axis other than epochs, and so is no number by itself."""
        return self.axis not in {"", "epoch"} and not self.reducer and self.at is None

    @property
    def trace(self) -> str:
        """Name of the recorded series or scalar that this is taken from, such as `loss.test`."""
        return f"{self.name}.{self.split}" if self.split else self.name

    @property
    def scale(self) -> Literal["ratio", "difference"]:
        """How two values are compared: by their quotient or by their difference."""
        if self.is_epoch:
            return "ratio"
        if self.reducer in BY_PLACE:
            return "difference"
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
        if self.reducer in BY_PLACE:
            return self.axis == "epoch"
        return self.name in {"epochs", "updates"} or self.reducer == "epochs_to"

    @property
    def passage(self) -> float | None:
        """The training loss whose first passage at any epoch it asks for, recorded or not."""
        return self.threshold if self.reducer == "epochs_to" and self.trace == "loss" else None

    def recorded(self) -> set[str]:
        """Names of the series that must be recorded for this quantity, its `where` included.

        Epochs, updates and flags are not among them: every run has those. Nor are an instrument's values, nor the
        training loss of `at_loss`, which may be that of a full pass or the running one.
        """
        if self.instrument:
            needed = set[str]()
        elif self.name in {"edge_error", "centre_error"}:
            needed = {"predictions"}
        else:
            needed = set[str]() if self.known.shape == "scalar" else {self.trace}
        return needed | (self.where.quantity.recorded() if self.where else set())

    def instruments(self) -> set[str]:
        """The kinds of instruments that it needs, its `where` included."""
        inside = self.where.quantity.instruments() if self.where else set[str]()
        return inside | ({self.instrument} - {""})

    def _examine(self) -> None:
        """Refuse what the tables do not allow.

        Raises:
            GrammarError: Naming the first thing that is wrong.
        """
        known = self._named()
        if self.reducer and self.reducer not in REDUCERS:
            raise GrammarError(self.reducer, "unknown reducer", REDUCERS)
        if not self.axis and (self.at is not None or self.reducer or self.window):
            what = "is recorded but is not one number"
            if known.shape == "scalar":
                what = f"is one number a {INSTRUMENTS[self.name].scope if self.instrument else 'run'}"
            elif self.instrument:
                what = "is measured but is not one number"
            name = self.trace if self.instrument else self.name
            raise GrammarError(str(self), f"{name} {what}; it takes no epoch, window or reducer")
        if self.reducer and self.at is not None:
            raise GrammarError(str(self), "give an epoch or a reducer, not both")
        if self.window and not self.reducer and self.at is not None:
            raise GrammarError(str(self), "a window goes with a reducer, such as mean(loss[100:200])")
        takes = THRESHOLDS.get(self.reducer)
        if (self.threshold is not None) != (takes is not None):
            raise GrammarError(str(self), takes or THRESHOLDS["epochs_to"])
        if self.axis == "epoch":
            self._examine_epochs()
        elif self.axis:
            self._examine_places()

    def _named(self) -> Known:
        """The known quantity or value of this name.

        Raises:
            GrammarError: There is none.
        """
        if self.name in INSTRUMENTS:
            gives = INSTRUMENTS[self.name].gives
            if self.split not in gives:
                choices = tuple(f"{self.name}.{value}" for value in gives)
                what = "has no such value" if self.split else "is an instrument; name one of its values"
                raise GrammarError(self.trace, f"{self.name} {what}", choices)
            return gives[self.split]
        known = KNOWN.get(self.name)
        if known is None:
            raise GrammarError(self.name, "unknown quantity", (*KNOWN, *INSTRUMENTS))
        if self.split and self.split not in known.splits:
            choices = tuple(f"{self.name}.{split}" for split in known.splits) or (self.name,)
            raise GrammarError(self.trace, f"{self.name} is not measured that way", choices)
        return known

    def _examine_epochs(self) -> None:
        """Refuse places and windows that are no epochs."""
        if isinstance(self.at, float):
            raise no_epoch(number_text(self.at))
        if isinstance(self.at, int) and self.at < 0:
            raise no_epoch(str(self.at))
        if self.at == 0 and (self.split in IN_TRAINING or self.name in OF_MINIBATCHES):
            raise GrammarError(
                str(self), f"{self.trace} is measured while an epoch is trained: from epoch 1 on"
            )
        if self.instrument and self.reducer == "epochs_to":
            raise GrammarError(
                str(self), "thresholds are tracked of what is recorded, not of what is measured"
            )
        if self.threshold is not None and self.reducer == "at_updates" and self.threshold < 1:
            raise GrammarError(number_text(self.threshold), "a number of updates is at least 1")
        for bound in self.window or ():
            if bound is not None and (bound < 0 or (isinstance(bound, float) and bound > 1)):
                raise GrammarError(
                    number_text(bound),
                    "a window is given in epochs (100:200) or in shares of the run (0.5:1.0)",
                )

    def _examine_places(self) -> None:
        """Refuse what makes sense over epochs only."""
        axis = self.axis
        if self.reducer in THRESHOLDS:
            raise GrammarError(
                str(self), f"{self.reducer} is for series over epochs; this one is over {axis}"
            )
        if isinstance(self.at, str):
            raise GrammarError(
                f"@{self.at}", f"after @ stands a place on {axis}", allowed=f"as in {self.trace}@1"
            )

    def __str__(self) -> str:
        text = self.trace
        if self.window:
            write = _bound if self.axis == "epoch" else number_text
            text += "[" + ":".join("" if bound is None else write(bound) for bound in self.window) + "]"
        if self.at is not None:
            text += f"@{number_text(self.at) if isinstance(self.at, float) else self.at}"
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


def counted_in(quantities: Iterable[Quantity]) -> set[str]:
    """What quantities are numbers of: "" for runs, else the kind of instrument whose pairs or sets they describe.

    Example:
        >>> sorted(counted_in([parse_quantity("loss"), parse_quantity("interpolation.barrier")]))
        ['', 'interpolation']
    """
    found: set[str] = set()
    for quantity in quantities:
        kind = quantity.instrument
        found.add("" if not kind or INSTRUMENTS[kind].scope == "run" else kind)
        if quantity.where is not None:
            found |= counted_in([quantity.where.quantity])
    return found


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
        gradlab.study.grammar.GrammarError: unknown quantity; found los; ... did you mean 'loss'?
    """
    return _quantity(quantity_fields(text))


def parse_event(text: str) -> Event:
    """Read an event.

    Args:
        text: A quantity with a comparison, or alone.

    Returns:
        The event.

    Raises:
        GrammarError: The text is not in the grammar, or names something unknown.
    """
    return _event(event_fields(text))


def _quantity(fields: dict[str, Any]) -> Quantity:
    """The quantity of the fields, or the first thing that is wrong with them, inside out."""
    if "where" in fields:
        fields = fields | {"where": _event(fields["where"])}
    Quantity.model_construct(None, **fields)._examine()  # pyright: ignore[reportPrivateUsage]
    return Quantity(**fields)


def _event(fields: dict[str, Any]) -> Event:
    read: dict[str, Any] = {**fields, "quantity": _quantity(fields["quantity"])}
    return Event(**read)


def _bound(value: int | float) -> str:
    """An integer bound is an epoch, a float one a share: 1.0 keeps its point."""
    return repr(value) if isinstance(value, float) else str(value)
