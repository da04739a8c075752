"""The kinds of claims, each with the null that its verdict is judged against.

People write them through the functions of `gradlab.study.claims`; `gradlab.judge` decides them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BeforeValidator, SerializeAsAny, WithJsonSchema
from pydantic_core import PydanticCustomError

from gradlab.component import Component
from gradlab.errors import Problem
from gradlab.study.facts import parse_fact
from gradlab.study.quantity import Event, GrammarError, Quantity, number_text, parse_quantity
from gradlab.study.select import Conditions, pairs, select

__all__ = [
    "AllOf",
    "AnyTest",
    "Compare",
    "Correlates",
    "Equal",
    "Fact",
    "Matches",
    "Not",
    "Peaks",
    "Scope",
    "Share",
    "Test",
    "Trend",
    "Untestable",
]


@dataclass(frozen=True)
class Scope:
    """What claims can speak of.

    Attributes:
        conditions: Condition names with the level of each factor.
        recorded: Names of the recorded quantities; `None` where all that is claimed gets recorded.
        epochs: The longest horizon; `None` where it is not known.
    """

    conditions: Conditions
    recorded: Collection[str] | None = None
    epochs: int | None = None


class Test(Component):
    """Base of all claim kinds; `str()` gives the text that TOML takes."""

    __test__: ClassVar[bool] = False

    def children(self) -> tuple[Test, ...]:
        """The claims inside this one (`all_of`, `not_`)."""
        return ()

    def quantities(self) -> tuple[Quantity, ...]:
        """Every quantity that the claim needs."""
        return tuple(quantity for child in self.children() for quantity in child.quantities())

    def thresholds(self) -> tuple[float, ...]:
        """Thresholds of the training loss whose first passage must be tracked at every epoch."""
        return tuple(
            sorted({q.threshold for q in self.quantities() if q.threshold is not None and q.trace == "loss"})
        )

    def leaves(self) -> Iterator[Test]:
        """The claims that are tested on data or computed, inside out."""
        if not self.children():
            yield self
        for child in self.children():
            yield from child.leaves()

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        """Everything that makes the claim impossible in this study.

        Args:
            scope: What the study has.
            path: Key path for the problems.

        Returns:
            All problems at once, each with the nearest spelling; empty where the claim can be judged.
        """
        problems = [problem for child in self.children() for problem in child.check(scope, path)]
        own = () if self.children() else self.quantities()
        return problems + [problem for quantity in own for problem in _check_quantity(quantity, scope, path)]

    def _check_sides(self, scope: Scope, path: str, first: str, second: str | None) -> list[Problem]:
        try:
            pairs(first, second, scope.conditions)
        except GrammarError as error:
            return [_placed(error, path)]
        return []


def _placed(error: GrammarError, path: str) -> Problem:
    problem = error.problem
    return Problem(path, problem.value, problem.message, problem.allowed, problem.suggestion)


def _check_quantity(quantity: Quantity, scope: Scope, path: str) -> list[Problem]:
    problems: list[Problem] = []
    if quantity.known.shape == "array":
        problems.append(
            Problem(path, str(quantity), f"{quantity.name} is recorded but is not one number per run")
        )
    if scope.recorded is not None:
        for name in sorted(quantity.recorded() - set(scope.recorded)):
            error = GrammarError(name, "the study does not record this", sorted(scope.recorded))
            problems.append(_placed(error, path))
    bounds = [quantity.at, *(quantity.window or ())]
    late = [
        bound
        for bound in bounds
        if isinstance(bound, int) and scope.epochs is not None and bound > scope.epochs
    ]
    if late:
        problems.append(
            Problem(path, str(quantity), "this epoch is never reached", f"at most {scope.epochs}")
        )
    return problems


def as_quantity(text: str) -> Quantity | None:
    """`text` as a quantity if it is one, so that `than=` can name a condition or a quantity."""
    try:
        return parse_quantity(text)
    except GrammarError:
        return None


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
        if isinstance(self.than, float):
            return None
        try:
            select(self.than, conditions)
        except GrammarError:
            return as_quantity(self.than)
        return None

    def quantities(self) -> tuple[Quantity, ...]:
        second = as_quantity(self.than) if isinstance(self.than, str) else None
        return (self.quantity, second) if second is not None else (self.quantity,)

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        one_sided = isinstance(self.than, float) or self.other(scope.conditions) is not None
        problems = _check_quantity(self.quantity, scope, path)
        if isinstance(self.than, str) and (second := self.other(scope.conditions)) is not None:
            problems += _check_quantity(second, scope, path)
        problems += self._check_sides(scope, path, self.a, None if one_sided else str(self.than))
        return problems + _check_margins(self, path, self.quantity)

    def __str__(self) -> str:
        return _text(
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
        try:
            select(self.b, conditions)
        except GrammarError:
            return as_quantity(self.b)
        return None

    def quantities(self) -> tuple[Quantity, ...]:
        second = as_quantity(self.b)
        return (self.quantity, second) if second is not None else (self.quantity,)

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        second = self.other(scope.conditions)
        problems = _check_quantity(self.quantity, scope, path)
        if second is not None:
            problems += _check_quantity(second, scope, path)
        problems += self._check_sides(scope, path, self.a, None if second is not None else self.b)
        if (self.within is None) == (self.factor is None):
            problems.append(
                Problem(path, str(self), "an equality needs one margin", "within=0.01 or factor=1.5")
            )
        if self.within is not None and self.within <= 0:
            problems.append(Problem(path, f"within={self.within}", "a margin is above 0"))
        if self.factor is not None and self.factor <= 1:
            problems.append(
                Problem(path, f"factor={self.factor}", "a factor within which things are equal is above 1")
            )
        return problems

    def __str__(self) -> str:
        return _text(
            "equal",
            self.quantity,
            self.a,
            self.b,
            within=self.within,
            factor=self.factor,
            interest=self.interest,
        )


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

    def quantities(self) -> tuple[Quantity, ...]:
        return (self.event.quantity,)

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        problems = super().check(scope, path) + self._check_sides(scope, path, self.a, self.than)
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
        return _text(
            "share",
            self.event,
            self.a,
            at_least=self.at_least,
            at_most=self.at_most,
            than=self.than,
            interest=self.interest,
        )


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

    def quantities(self) -> tuple[Quantity, ...]:
        return (self.first, self.second)

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        problems = super().check(scope, path) + self._check_sides(scope, path, self.of, None)
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
        return _text("correlates", self.first, self.second, self.of, over=self.over, sign=self.sign)


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

    def quantities(self) -> tuple[Quantity, ...]:
        return (self.quantity,)

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        problems = super().check(scope, path) + self._check_sides(scope, path, self.a, None)
        q = self.quantity
        if self.along == "epoch":
            if q.known.shape != "series" or q.reducer or q.at is not None:
                problems.append(
                    Problem(path, str(q), "along epochs, a quantity is a recorded series", "as in loss")
                )
            if self.strict:
                problems.append(Problem(path, "strict", "strict goes with a factor, not with epochs"))
        else:
            problems += _check_factor(self.along, scope, path, at_least=3)
        return problems

    def __str__(self) -> str:
        along = None if self.along == "epoch" else self.along
        return _text(self.word, self.quantity, self.a, along=along, strict=self.strict or None)


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

    def quantities(self) -> tuple[Quantity, ...]:
        return (self.quantity,)

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        problems = super().check(scope, path) + self._check_sides(scope, path, self.a, None)
        problems += _check_factor(self.along, scope, path, at_least=2)
        levels = list(
            dict.fromkeys(each[self.along] for each in scope.conditions.values() if self.along in each)
        )
        for level in self.within:
            if levels and level not in levels:
                problems.append(_placed(GrammarError(level, f"{self.along} has no such level", levels), path))
        if not self.within or set(levels) <= set(self.within):
            problems.append(Problem(path, str(self), "the window holds some levels but not all"))
        return problems

    def __str__(self) -> str:
        within = "[" + ", ".join(_word(level) for level in self.within) + "]"
        return (
            _text("peaks", self.quantity, self.a, along=self.along, end=self.end)[:-1] + f", within={within})"
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

    def quantities(self) -> tuple[Quantity, ...]:
        return (self.quantity,)

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        problems = super().check(scope, path) + self._check_sides(scope, path, self.a, None)
        if self.read_error < 0:
            problems.append(
                Problem(path, f"read_error={self.read_error}", "an error of reading is not negative")
            )
        return problems

    def __str__(self) -> str:
        return _text("matches", self.quantity, self.value, self.a, read_error=self.read_error or None)


class Fact(Test):
    """Something static, computed from the plan: `parameters(deep) == 571`, `layers(deep) > layers(wide)`.

    Attributes:
        expression: One comparison of numbers and of facts about conditions.
    """

    kind: Literal["fact"] = "fact"
    expression: str

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        try:
            for condition in parse_fact(self.expression).conditions():
                select(condition, scope.conditions)
        except GrammarError as error:
            return [_placed(error, path)]
        return []

    def __str__(self) -> str:
        return f"fact({self.expression})"


class Untestable(Test):
    """An opinion, a definition, or a 'because' without a control arm.

    Attributes:
        reason: Why no run can decide it.
    """

    kind: Literal["untestable"] = "untestable"
    reason: str

    def __str__(self) -> str:
        return f"untestable({self.reason!r})"


class AllOf(Test):
    """Every one of several claims holds (intersection-union; contradicted where one of them is).

    Attributes:
        claims: The claims.
    """

    kind: Literal["all_of"] = "all_of"
    claims: tuple[AnyTest, ...]

    def children(self) -> tuple[Test, ...]:
        return self.claims

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        problems = super().check(scope, path)
        if not self.claims:
            problems.append(Problem(path, "all_of()", "all_of needs at least one claim"))
        return problems

    def __str__(self) -> str:
        return f"all_of({', '.join(str(claim) for claim in self.claims)})"


class Not(Test):
    """The opposite of a claim: supported where that is contradicted.

    Attributes:
        claim: The claim.
    """

    kind: Literal["not"] = "not"
    claim: AnyTest

    def children(self) -> tuple[Test, ...]:
        return (self.claim,)

    def __str__(self) -> str:
        return f"not_({self.claim})"


def _check_margins(test: Compare, path: str, quantity: Quantity) -> list[Problem]:
    problems: list[Problem] = []
    if test.by is not None and test.factor is not None:
        problems.append(Problem(path, str(test), "a comparison has one margin", "by= or factor="))
    if test.factor is not None and test.factor <= 0:
        problems.append(Problem(path, f"factor={test.factor}", "a factor is above 0"))
    if test.factor is not None and quantity.reducer == "slope":
        problems.append(Problem(path, str(test), "a slope has no factor", "by="))
    return problems


def _check_factor(factor: str, scope: Scope, path: str, at_least: int) -> list[Problem]:
    factors = sorted({name for levels in scope.conditions.values() for name in levels})
    if factor not in factors:
        return [_placed(GrammarError(factor, "no factor has this name", factors), path)]
    count = len({levels[factor] for levels in scope.conditions.values() if factor in levels})
    if count < at_least:
        return [Problem(path, factor, f"this needs a factor of at least {at_least} levels")]
    return []


def _word(value: object) -> str:
    if isinstance(value, float):
        return number_text(value)
    text = str(value)
    plain = text.isidentifier() or not isinstance(value, str) or as_quantity(text) is not None
    return text if plain else repr(text)


def _text(name: str, *parts: object, **named: object) -> str:
    words = [_word(part) for part in parts if part != ""]
    words += [f"{key}={_word(value)}" for key, value in named.items() if value is not None]
    return f"{name}({', '.join(words)})"


def _any_test(value: object) -> object:
    from gradlab.study.claim_text import parse_claim

    if isinstance(value, Test):
        return value
    try:
        if isinstance(value, str):
            return parse_claim(value)
    except GrammarError as error:
        raise error.for_pydantic() from None
    raise PydanticCustomError(
        "component",
        cast(Any, "a claim is written as text"),
        {"found": type(value).__name__, "allowed": "as in less(loss, deep, than=shallow)"},
    )


AnyTest = Annotated[
    SerializeAsAny[Test],
    BeforeValidator(_any_test),
    WithJsonSchema({"type": "string", "examples": ["less(loss, deep, than=shallow)"]}),
]
"""A claim kind, given as an instance or as text."""

AllOf.model_rebuild()
Not.model_rebuild()
