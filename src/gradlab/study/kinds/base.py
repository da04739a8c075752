"""What all kinds of claims share: what they need, whether a study allows them, how they are written."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

from gradlab.component import Component
from gradlab.errors import Problem
from gradlab.study.quantity import GrammarError, Quantity, number_text, parse_quantity
from gradlab.study.select import Conditions, pairs, select

__all__ = [
    "Scope",
    "Test",
    "as_quantity",
    "check_factor",
    "check_quantity",
    "check_sides",
    "named_quantity",
    "placed",
    "text",
    "word",
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
    """Base of all claim kinds; `str()` gives the text that TOML takes.

    A kind says what it looks at (`_own`), which claims it holds (`_inner`) and what would make it impossible
    (`_examined`); the rest is done here.
    """

    __test__: ClassVar[bool] = False

    @property
    def children(self) -> tuple[Test, ...]:
        """The claims inside this one (`all_of`, `not_`)."""
        return self._inner()

    def quantities(self) -> tuple[Quantity, ...]:
        """Every quantity that the claim needs."""
        return self._own() + tuple(quantity for child in self.children for quantity in child.quantities())

    def thresholds(self) -> tuple[float, ...]:
        """Thresholds of the training loss whose first passage must be tracked at every epoch."""
        return tuple(
            sorted({q.threshold for q in self.quantities() if q.threshold is not None and q.trace == "loss"})
        )

    def leaves(self) -> Iterator[Test]:
        """The claims that are tested on data or computed, inside out."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        """Everything that makes the claim impossible in this study.

        Args:
            scope: What the study has.
            path: Key path for the problems.

        Returns:
            All problems at once, each with the nearest spelling; empty where the claim can be judged.
        """
        inner = [problem for child in self.children for problem in child.check(scope, path)]
        own = [problem for quantity in self._own() for problem in check_quantity(quantity, scope, path)]
        return inner + own + self._examined(scope, path)

    def _inner(self) -> tuple[Test, ...]:
        return ()

    def _own(self) -> tuple[Quantity, ...]:
        return ()

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        del scope, path
        return []


def placed(error: GrammarError, path: str) -> Problem:
    """The problem of an error, at its key path."""
    problem = error.problem
    return Problem(path, problem.value, problem.message, problem.allowed, problem.suggestion)


def check_sides(scope: Scope, path: str, first: str, second: str | None) -> list[Problem]:
    """Problems of the levels that a claim names."""
    try:
        pairs(first, second, scope.conditions)
    except GrammarError as error:
        return [placed(error, path)]
    return []


def check_factor(factor: str, scope: Scope, path: str, at_least: int) -> list[Problem]:
    """Problems of a factor along which a claim goes."""
    factors = sorted({name for levels in scope.conditions.values() for name in levels})
    if factor not in factors:
        return [placed(GrammarError(factor, "no factor has this name", factors), path)]
    count = len({levels[factor] for levels in scope.conditions.values() if factor in levels})
    if count < at_least:
        return [Problem(path, factor, f"this needs a factor of at least {at_least} levels")]
    return []


def check_quantity(quantity: Quantity, scope: Scope, path: str) -> list[Problem]:
    """Problems of a quantity that a claim looks at."""
    problems: list[Problem] = []
    if quantity.known.shape == "array":
        problems.append(
            Problem(path, str(quantity), f"{quantity.name} is recorded but is not one number per run")
        )
    if scope.recorded is not None:
        for name in sorted(quantity.recorded() - set(scope.recorded)):
            error = GrammarError(name, "the study does not record this", sorted(scope.recorded))
            problems.append(placed(error, path))
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


def named_quantity(given: str | float, conditions: Conditions) -> Quantity | None:
    """The quantity that the second side of a claim names, unless it is a number, a level or a condition."""
    if not isinstance(given, str):
        return None
    try:
        select(given, conditions)
    except GrammarError:
        return as_quantity(given)
    return None


def word(value: object) -> str:
    """A value as it stands in a claim's text: quoted where it would not be read back bare."""
    if isinstance(value, float):
        return number_text(value)
    plain = not isinstance(value, str) or value.isidentifier() or as_quantity(value) is not None
    return str(value) if plain else repr(value)


def text(name: str, *parts: object, **named: object) -> str:
    """A claim's text; empty parts and arguments that are `None` are left out."""
    words = [word(part) for part in parts if part != ""]
    words += [f"{key}={word(value)}" for key, value in named.items() if value is not None]
    return f"{name}({', '.join(words)})"
