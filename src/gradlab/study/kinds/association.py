"""Claims about what goes with what: over runs, epochs, conditions, or along a factor."""

from __future__ import annotations

from typing import Literal

from gradlab.errors import Problem
from gradlab.study.grammar import GrammarError, number_text
from gradlab.study.kinds.base import Scope, Test, check_factor, check_several, check_sides, placed, text, word
from gradlab.study.quantity import Quantity
from gradlab.study.select import select

__all__ = ["Correlates", "Peaks", "Trend"]


class Correlates(Test):
    """The sign of a rank correlation.

    Null: the rank correlation is 0. Over epochs it is taken within each run, and the runs are what is
    counted: the null is that either sign is as likely. Epochs are never n.

    Attributes:
        first: One quantity.
        second: The other.
        of: Selector of the runs.
        over: `runs`, `epochs` or `conditions` (medians).
        sign: The claimed sign.
    """

    kind: Literal["correlates"] = "correlates"
    first: Quantity
    second: Quantity
    of: str = ""
    over: Literal["runs", "epochs", "conditions"] = "runs"
    sign: Literal["positive", "negative"] = "positive"

    def _own(self) -> tuple[Quantity, ...]:
        return (self.first, self.second)

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(scope, path, self.of, None)
        if self.over == "epochs":
            problems += [
                Problem(
                    path, str(q), "over epochs, a quantity is a recorded series", "as in loss, gradient_norm"
                )
                for q in (self.first, self.second)
                if q.axis != "epoch" or q.reducer or q.at is not None
            ]
            problems += [p for q in (self.first, self.second) for p in check_several(q, scope, path)]
        if self.over == "conditions" and not problems and len(select(self.of, scope.conditions).names) < 3:
            problems.append(
                Problem(path, str(self), "a correlation over conditions needs at least three of them")
            )
        return problems

    def __str__(self) -> str:
        return text("correlates", self.first, self.second, self.of, over=self.over, sign=self.sign)


class Trend(Test):
    """A quantity rises or falls along the epochs of a run, or along an ordered factor.

    Null: no association. Along epochs the rank correlation is taken within each run and the runs are
    counted; along a factor the runs of all levels are ranked together (Jonckheere-Terpstra), or within
    replicates that share a random draw (Page).

    Attributes:
        word: `rises` or `falls`.
        quantity: What is looked at.
        a: Selector of the runs.
        along: `epoch`, the quantity's own axis (`alpha`), or the name of a factor whose levels are in order.
        strict: Every step from one level to the next must go the claimed way.
    """

    kind: Literal["trend"] = "trend"
    word: Literal["rises", "falls"]
    quantity: Quantity
    a: str = ""
    along: str = "epoch"
    strict: bool = False

    def _own(self) -> tuple[Quantity, ...]:
        return (self.quantity,)

    def _takes(self, quantity: Quantity) -> bool:
        return self.along in {quantity.axis, "epoch"}

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(scope, path, self.a, None)
        q = self.quantity
        if self.along == "epoch":
            if q.axis != "epoch" or q.reducer or q.at is not None:
                allowed = f"along={q.axis}" if q.is_curve else "as in loss"
                problems.append(
                    Problem(path, str(q), "along epochs, a quantity is a recorded series", allowed)
                )
            problems += check_several(q, scope, path)
            if self.strict:
                problems.append(Problem(path, "strict", "strict goes with a factor, not with epochs"))
        elif self.along == q.axis:
            if not q.is_curve:
                problems.append(
                    Problem(path, str(q), f"along {q.axis}, a quantity is whole", f"as in {q.trace}")
                )
            if self.strict:
                problems.append(Problem(path, "strict", f"strict goes with a factor, not with {q.axis}"))
        else:
            problems += check_factor(self.along, scope, path, at_least=3)
        return problems

    def __str__(self) -> str:
        along = None if self.along == "epoch" else self.along
        return text(self.word, self.quantity, self.a, along=along, strict=self.strict or None)


class Peaks(Test):
    """Where along an ordered factor, or along its own axis, a quantity is best.

    Null: the best level of a replicate (the best place of a run, pair or set) lies in the window as often as by
    chance (the window's share of the levels or places).

    Attributes:
        quantity: What is looked at.
        along: The name of a factor whose levels are in order, or the quantity's own axis.
        within: The levels among which the optimum lies; on an axis the first and the last position.
        a: Selector of the runs.
        end: `high` where the optimum is the largest value, `low` where it is the smallest.
    """

    kind: Literal["peaks"] = "peaks"
    quantity: Quantity
    along: str
    within: tuple[str, ...]
    a: str = ""
    end: Literal["high", "low"] = "high"

    def _own(self) -> tuple[Quantity, ...]:
        return (self.quantity,)

    def _takes(self, quantity: Quantity) -> bool:
        return self.along == quantity.axis

    @property
    def window(self) -> tuple[float, float] | None:
        """First and last position of the window on the quantity's own axis; `None` along a factor."""
        if self.along != self.quantity.axis:
            return None
        try:
            low, high = map(float, self.within)
        except ValueError:
            return None
        return (low, high) if low <= high else None

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(scope, path, self.a, None)
        if self.along == self.quantity.axis:
            if not self.quantity.is_curve:
                what = "peaks goes along a factor, or along an instrument's own axis"
                problems.append(Problem(path, str(self), what, "a factor"))
            elif self.window is None:
                what = f"on {self.along}, the window is a first and a last position"
                problems.append(Problem(path, str(self), what, "as in within=[0, 1]"))
            return problems
        problems += check_factor(self.along, scope, path, at_least=2)
        levels = list(
            dict.fromkeys(each[self.along] for each in scope.conditions.values() if self.along in each)
        )
        for level in self.within:
            if levels and level not in levels:
                problems.append(placed(GrammarError(level, f"{self.along} has no such level", levels), path))
        if not self.within or set(levels) <= set(self.within):
            problems.append(Problem(path, str(self), "the window holds some levels but not all"))
        return problems

    def __str__(self) -> str:
        words = map(word, self.within) if self.window is None else map(number_text, self.window)
        within = f"[{', '.join(words)}]"
        return (
            text("peaks", self.quantity, self.a, along=self.along, end=self.end)[:-1] + f", within={within})"
        )
