"""Claims about what goes with what: over runs, epochs, conditions, or along a factor."""

from __future__ import annotations

from typing import Literal

from gradlab.errors import Problem
from gradlab.study.kinds.base import Scope, Test, check_factor, check_sides, placed, text, word
from gradlab.study.quantity import GrammarError, Quantity
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
                if q.known.shape != "series" or q.reducer or q.at is not None
            ]
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
        along: `epoch`, or the name of a factor whose levels are in order.
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

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(scope, path, self.a, None)
        q = self.quantity
        if self.along == "epoch":
            if q.known.shape != "series" or q.reducer or q.at is not None:
                problems.append(
                    Problem(path, str(q), "along epochs, a quantity is a recorded series", "as in loss")
                )
            if self.strict:
                problems.append(Problem(path, "strict", "strict goes with a factor, not with epochs"))
        else:
            problems += check_factor(self.along, scope, path, at_least=3)
        return problems

    def __str__(self) -> str:
        along = None if self.along == "epoch" else self.along
        return text(self.word, self.quantity, self.a, along=along, strict=self.strict or None)


class Peaks(Test):
    """Where along an ordered factor a quantity is best.

    Null: the best level of a replicate lies in the window as often as by chance (the window's share of the
    levels).

    Attributes:
        quantity: What is looked at.
        along: The name of a factor whose levels are in order.
        within: The levels among which the optimum lies.
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

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(scope, path, self.a, None)
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
        within = "[" + ", ".join(word(level) for level in self.within) + "]"
        return (
            text("peaks", self.quantity, self.a, along=self.along, end=self.end)[:-1] + f", within={within})"
        )
