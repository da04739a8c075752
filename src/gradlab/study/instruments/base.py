"""What all declared instruments share: where and on what they are taken, what they give, their identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from gradlab.component import Component, Vary, digest_of, one_of
from gradlab.study.known import Known
from gradlab.study.record import Every, LogSpaced

if TYPE_CHECKING:
    from gradlab.study.spec import Spec

__all__ = ["UNITS", "Count", "Epoch", "Instrument", "Positive", "Scope", "by_difference", "by_ratio", "named"]

Scope = Literal["run", "pair", "set"]
"""What one measurement is of: one run, a pair of runs, or a set of runs."""

UNITS: Mapping[Scope, tuple[str, str]] = {
    "run": ("run", "runs"),
    "pair": ("pair", "pairs"),
    "set": ("set", "sets"),
}
"""What is counted, one and several of them."""

Count = Annotated[int, Field(ge=1)]
Epoch = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Epochs = Annotated[Every | LogSpaced, one_of(Every, LogSpaced)]


class Instrument(Component):
    """Base of all declared instruments.

    A declaration says what is measured and how; the measuring is done by a function of `gradlab.measure` with the
    same settings. Its settings are the same for every condition of a study.

    Attributes:
        at: The epochs at which runs are measured: "last" (the run's result), an epoch, several, or a schedule.
        data: Whether on the run's own training data (not augmented) or on the task's held-out data.
        examples: How many of them, a fixed random choice by the seed purpose "probe"; `None` is all.
    """

    scope: ClassVar[Scope] = "run"
    gives: ClassVar[Mapping[str, Known]] = {}
    choosing: ClassVar[frozenset[str]] = frozenset({"at"})
    """The settings that only choose what is measured, and are no part of how."""

    kind: Any = ""
    at: Literal["last"] | Epoch | tuple[Epoch, ...] | Epochs = "last"
    data: Literal["train", "test"] = "train"
    examples: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _same_for_all(cls, value: object) -> object:
        if isinstance(value, Mapping):
            for name, item in cast("Mapping[str, Any]", value).items():
                if isinstance(item, Vary) or (
                    isinstance(item, Mapping) and set(cast("Any", item)) == {"vary"}
                ):
                    raise ValueError(f"{name} cannot vary: an instrument is the same for every condition")
        return value

    @field_validator("at", mode="after")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        if isinstance(value, tuple):
            if not value:
                raise ValueError("at names at least one epoch")
            return tuple(sorted(set(cast("tuple[int, ...]", value))))
        return value

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self.examine()
        return self

    def examine(self) -> None:
        """Refuse settings that do not go together.

        Raises:
            ValueError: Saying which.
        """

    @property
    def digest(self) -> str:
        """Identity of how it measures: its kind and settings, without those that only choose what is measured."""
        tree = self.canonical()
        return digest_of({name: item for name, item in tree.items() if name not in self.choosing})

    @property
    def several(self) -> bool:
        """Whether a run is measured at more than one epoch, so that a single number is a series over epochs."""
        return self.scope == "run" and self.at != "last" and not isinstance(self.at, int)

    def epochs(self, horizon: int) -> tuple[int, ...]:
        """The epochs at which a run of `horizon` epochs is measured, increasing; its end stands for "last".

        Example:
            >>> from gradlab.study.instruments import Hessian
            >>> Hessian(at=Every(40)).epochs(100)
            (0, 40, 80, 100)
        """
        if self.at == "last":
            return (horizon,)
        if isinstance(self.at, int):
            return (self.at,)
        if isinstance(self.at, tuple):
            return self.at
        points = cast("list[int]", self.at.points(horizon).tolist())
        return tuple(sorted({*points, horizon}))

    def missing(self, value: str, spec: Spec) -> str:
        """Why a value cannot be had under a spec; empty if it can.

        Args:
            value: A name of `gives`.
            spec: The specification of a condition.

        Returns:
            The reason.
        """
        if (value.endswith(".test") or self.data == "test") and not spec.task.has_test:
            return "the task has no held-out data"
        if named(value, "accuracy", "error", "margin") and "accuracy" not in spec.task.metrics:
            return f"is for tasks of classes; this one has {', '.join(spec.task.metrics)}"
        return ""


def named(value: str, *words: str) -> bool:
    """Whether the name of a value holds one of some words."""
    return bool(set(words) & set(value.replace(".", "_").split("_")))


def by_difference(means: str, worst: Literal["high", "low"] = "high") -> Known:
    """A value that is one number, two of which are compared by their difference: a share, a cosine, a flag."""
    return Known(means, shape="scalar", worst=worst, scale="difference")


def by_ratio(means: str, worst: Literal["high", "low"] = "high") -> Known:
    """A value that is one number, two of which are compared by their quotient: a norm, a loss."""
    return Known(means, shape="scalar", worst=worst)
