"""What all kinds of claims share: what they need, whether a study allows them, how they are written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from gradlab.component import Component
from gradlab.errors import Problem
from gradlab.study.grammar import GrammarError, number_text
from gradlab.study.instruments import INSTRUMENTS, UNITS, Instrument
from gradlab.study.quantity import Quantity, counted_in, parse_quantity
from gradlab.study.select import Conditions, pairs, select

__all__ = [
    "Scope",
    "Test",
    "as_quantity",
    "check_factor",
    "check_quantity",
    "check_several",
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
        measured: The declared instruments by kind; `None` where they are not known.
        groups: For each instrument of pairs or sets, its groups with their levels; claims select among those.
    """

    conditions: Conditions
    recorded: Collection[str] | None = None
    epochs: int | None = None
    measured: Mapping[str, Instrument] | None = None
    groups: Mapping[str, Conditions] = field(default_factory=dict[str, Conditions])

    def seen_by(self, quantities: Iterable[Quantity]) -> Scope | None:
        """The same with the groups that these quantities are numbers of for conditions; `None` if not known."""
        kind = next((kind for kind in sorted(counted_in(quantities)) if kind), "")
        if not kind:
            return self
        return replace(self, conditions=self.groups[kind]) if kind in self.groups else None


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
        return tuple(sorted({passage for q in self.quantities() if (passage := q.passage) is not None}))

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
        own += self._mixed(path)
        own += [
            problem
            for quantity in self._own()
            if quantity.is_curve and not self._takes(quantity)
            for problem in [_whole_curve(quantity, path)]
        ]
        seen = scope.seen_by(self._own())
        return inner + own + ([] if seen is None else self._examined(seen, path))

    def _mixed(self, path: str) -> list[Problem]:
        """That the quantities are numbers of different things, so that there is no n."""
        kinds = counted_in(self._own())
        if len(kinds) < 2:
            return []
        told = " and ".join(
            f"{UNITS[INSTRUMENTS[kind].scope][1]} ({kind})" if kind else "runs" for kind in sorted(kinds)
        )
        return [Problem(path, str(self), f"a claim counts one thing, this one counts {told}")]

    def _takes(self, quantity: Quantity) -> bool:
        """Whether a quantity may stand for all places of its axis here."""
        del quantity
        return False

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
        what = "measured" if quantity.instrument else "recorded"
        name = quantity.trace if quantity.instrument else quantity.name
        problems.append(Problem(path, str(quantity), f"{name} is {what} but is not one number per run"))
    problems += _check_measured(quantity, scope, path)
    if quantity.where is not None:
        problems += check_quantity(quantity.where.quantity, scope, path)
    if scope.recorded is not None:
        for name in sorted(quantity.recorded() - set(scope.recorded)):
            error = GrammarError(name, "the study does not record this", sorted(scope.recorded))
            problems.append(placed(error, path))
    bounds = [quantity.at, *(quantity.window or ())]
    late = [
        bound
        for bound in bounds
        if isinstance(bound, int)
        and quantity.axis == "epoch"
        and scope.epochs is not None
        and bound > scope.epochs
    ]
    if late:
        problems.append(
            Problem(path, str(quantity), "this epoch is never reached", f"at most {scope.epochs}")
        )
    return problems


def _whole_curve(quantity: Quantity, path: str) -> Problem:
    text, axis = str(quantity), quantity.axis
    message = f"stands for all places along {axis}; a claim takes one number of it, or goes along={axis}"
    return Problem(path, text, message, f"as in max({text}) or {quantity.trace}@1")


def _check_measured(quantity: Quantity, scope: Scope, path: str) -> list[Problem]:
    """Problems of a value that an instrument gives: it is declared, and measured at the epochs that are asked for."""
    kind = quantity.instrument
    if not kind or scope.measured is None:
        return []
    if kind not in scope.measured:
        message = "the study does not measure this; declare the instrument in measure"
        return [Problem(path, str(quantity), message, f"measure.{kind} = {{}}")]
    instrument = scope.measured[kind]
    if quantity.axis != "epoch":
        return []
    if not instrument.several:
        over = quantity.reducer or quantity.window or isinstance(quantity.at, int)
        return check_several(quantity, scope, path) if over else []
    epochs = None if scope.epochs is None else instrument.epochs(scope.epochs)
    if isinstance(quantity.at, int) and epochs is not None and quantity.at not in epochs:
        told = ", ".join(map(str, epochs[:10])) + (", ..." if len(epochs) > 10 else "")
        return [Problem(path, str(quantity), f"{kind} is not measured at this epoch", told)]
    return []


def check_several(quantity: Quantity, scope: Scope, path: str) -> list[Problem]:
    """Problems of an instrument's value that is looked at over epochs."""
    kind = quantity.instrument
    if not kind or scope.measured is None or kind not in scope.measured or scope.measured[kind].several:
        return []
    message = f"{kind} is measured at one epoch; over epochs it needs several"
    return [Problem(path, str(quantity), message, f"measure.{kind}.at.every = 10")]


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
