"""Claims that compare two conditions, two quantities, or a condition and a number."""

from __future__ import annotations

from typing import Literal

from gradlab.errors import Problem
from gradlab.study.kinds.base import Scope, Test, as_quantity, check_sides, named_quantity, text
from gradlab.study.quantity import Quantity
from gradlab.study.select import Conditions

__all__ = ["Compare", "Equal"]


class Compare(Test):
    """A's values are below (above) B's, by a margin if one is given.

    Null: stochastic equality, P(A < B) + P(A = B)/2 = 1/2, after B was moved by the margin; within pairs
    where the specification shares a random draw; against a number, that it is the median.

    Attributes:
        word: `less`, `more`, or `fewer` (which is `less` for counts).
        quantity: What is compared.
        a: Selector of A; empty for each condition in turn.
        than: Selector of B, a quantity of the same condition, or a number.
        by: A differs from B by more than this difference.
        factor: A differs from B by more than this factor.
        interest: Smallest effect of interest (a factor for ratios, else a difference), for the power.
    """

    kind: Literal["compare"] = "compare"
    word: Literal["less", "more", "fewer"] = "less"
    quantity: Quantity
    a: str = ""
    than: str | float
    by: float | None = None
    factor: float | None = None
    interest: float | None = None

    def other(self, conditions: Conditions) -> Quantity | None:
        """The quantity that `than` names, unless it names a level or a condition."""
        return named_quantity(self.than, conditions)

    def _own(self) -> tuple[Quantity, ...]:
        second = as_quantity(self.than) if isinstance(self.than, str) else None
        return (self.quantity, second) if second is not None else (self.quantity,)

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        alone = not isinstance(self.than, str) or self.other(scope.conditions) is not None
        problems = check_sides(scope, path, self.a, None if alone else str(self.than))
        if self.by is not None and self.factor is not None:
            problems.append(Problem(path, str(self), "a comparison has one margin", "by= or factor="))
        if self.factor is not None and self.factor <= 0:
            problems.append(Problem(path, f"factor={self.factor}", "a factor is above 0"))
        if self.factor is not None and self.quantity.reducer == "slope":
            problems.append(Problem(path, str(self), "a slope has no factor", "by="))
        return problems

    def __str__(self) -> str:
        return text(
            self.word,
            self.quantity,
            self.a,
            than=self.than,
            by=self.by,
            factor=self.factor,
            interest=self.interest,
        )


class Equal(Test):
    """A and B differ by less than a margin, which is obligatory.

    Null: the difference lies on the margin (two one-sided tests).

    Attributes:
        quantity: What is compared.
        a: Selector of A.
        b: Selector of B, or another quantity of A's condition.
        within: Largest difference that counts as equal.
        factor: Largest ratio that counts as equal, above 1.
        interest: Largest true effect at which the claim should still be found (default: none at all).
    """

    kind: Literal["equal"] = "equal"
    quantity: Quantity
    a: str = ""
    b: str
    within: float | None = None
    factor: float | None = None
    interest: float | None = None

    def other(self, conditions: Conditions) -> Quantity | None:
        """The quantity that `b` names, unless it names a level or a condition."""
        return named_quantity(self.b, conditions)

    def _own(self) -> tuple[Quantity, ...]:
        second = as_quantity(self.b)
        return (self.quantity, second) if second is not None else (self.quantity,)

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = check_sides(
            scope, path, self.a, None if self.other(scope.conditions) is not None else self.b
        )
        if (self.within is None) == (self.factor is None):
            problems.append(
                Problem(path, str(self), "an equality needs one margin", "within=0.01 or factor=1.5")
            )
        if self.within is not None and self.within <= 0:
            problems.append(Problem(path, f"within={self.within}", "a margin is above 0"))
        if self.factor is not None and self.factor <= 1:
            problems.append(Problem(path, f"factor={self.factor}", "a factor of equality is above 1"))
        return problems

    def __str__(self) -> str:
        return text(
            "equal",
            self.quantity,
            self.a,
            self.b,
            within=self.within,
            factor=self.factor,
            interest=self.interest,
        )
