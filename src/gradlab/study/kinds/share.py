"""Claims about how many runs do something, and about one published run."""

from __future__ import annotations

from typing import Literal

from gradlab.errors import Problem
from gradlab.study.kinds.base import Scope, Test, check_sides, text
from gradlab.study.quantity import Event, Quantity

__all__ = ["Matches", "Share"]


class Share(Test):
    """A proportion of runs: at least, at most, or more often than in another condition.

    Null: the proportion is the one that is named; between two, the proportions are the same.

    Attributes:
        event: What happens in a run.
        a: Selector of the runs.
        at_least: The share is at least this.
        at_most: The share is at most this.
        than: The event is more frequent than in this other condition.
        interest: The true share (or difference of shares) for which power is asked.
    """

    kind: Literal["share"] = "share"
    event: Event
    a: str = ""
    at_least: float | None = None
    at_most: float | None = None
    than: str | None = None
    interest: float | None = None

    def _own(self) -> tuple[Quantity, ...]:
        return (self.event.quantity,)

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(scope, path, self.a, self.than)
        if sum(x is not None for x in (self.at_least, self.at_most, self.than)) != 1:
            problems.append(Problem(path, str(self), "a share needs one of", "at_least=, at_most= or than="))
        for name, bound in (("at_least", self.at_least), ("at_most", self.at_most)):
            if bound is not None and not 0 < bound < 1:
                problems.append(
                    Problem(
                        path,
                        f"{name}={bound}",
                        "no number of runs can show this",
                        "between 0 and 1, as 0.95 or 0.05",
                    )
                )
        return problems

    def __str__(self) -> str:
        return text(
            "share",
            self.event,
            self.a,
            at_least=self.at_least,
            at_most=self.at_most,
            than=self.than,
            interest=self.interest,
        )


class Matches(Test):
    """A published value against the distribution over seeds: consistent or inconsistent.

    A statement about one published run, outside the 5 % promise: its rank among n >= 39 runs, a prediction
    interval below.

    Attributes:
        quantity: What was published.
        value: The published value.
        a: Selector of the runs.
        read_error: Largest error of reading the value off a figure.
    """

    kind: Literal["matches"] = "matches"
    quantity: Quantity
    value: float
    a: str = ""
    read_error: float = 0.0

    def _own(self) -> tuple[Quantity, ...]:
        return (self.quantity,)

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(scope, path, self.a, None)
        if self.read_error < 0:
            problems.append(
                Problem(path, f"read_error={self.read_error}", "an error of reading is not negative")
            )
        return problems

    def __str__(self) -> str:
        return text("matches", self.quantity, self.value, self.a, read_error=self.read_error or None)
