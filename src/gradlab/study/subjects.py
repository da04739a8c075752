"""What an instrument is taken of: runs, pairs of runs or sets of runs, in groups that claims speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from gradlab.component import digest_of
from gradlab.errors import Problem, StudyError
from gradlab.model.initial import After
from gradlab.study.factors import Factor, factors
from gradlab.study.grammar import GrammarError
from gradlab.study.instruments import UNITS, Instrument, Trajectory
from gradlab.study.select import Conditions, select

if TYPE_CHECKING:
    from gradlab.study.plan import Condition, Plan
    from gradlab.study.study import Study

__all__ = [
    "Group",
    "Grouping",
    "Member",
    "Subject",
    "check_groups",
    "grouped",
    "groupings",
    "subjects",
    "unit_problem",
    "unit_size",
]


@dataclass(frozen=True)
class Member:
    """One run of a subject.

    Attributes:
        condition: The name of its condition.
        run: Its identity.
        epochs: The epochs at which its weights are needed; the condition's horizon stands for the run's result.
    """

    condition: str
    run: str
    epochs: tuple[int, ...]


@dataclass(frozen=True)
class Subject:
    """What one measurement is taken of.

    Attributes:
        group: The name of its group.
        unit: Its index there, from 0; what is counted as n.
        members: The runs: one, two, or a set.
        key: Identity of what is measured: runs, epochs and the seed.
        seed: The study's seed for probes.
        same_start: Whether a pair began at the same initial weights, decided by the specification.
    """

    group: str
    unit: int
    members: tuple[Member, ...]
    key: str
    seed: int = 0
    same_start: bool | None = None

    @property
    def epoch(self) -> int:
        """The last epoch that is looked at."""
        return max(epoch for member in self.members for epoch in member.epochs)


@dataclass(frozen=True)
class Grouping:
    """Conditions whose runs make up one group.

    Attributes:
        label: What claims call it.
        levels: The levels that its conditions share.
        conditions: Labels of the conditions: one, or the two whose runs are paired.
    """

    label: str
    levels: Mapping[str, str]
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """The units of one instrument that claims speak of together.

    Attributes:
        name: Unique in the plan: the label, with the setting where it is not as declared.
        label: What claims call it.
        setting: "as declared", or the assumed level that differs.
        levels: The levels that its conditions share.
        conditions: Names of its conditions: one, or the two whose runs are paired.
    """

    name: str
    label: str
    setting: str
    levels: Mapping[str, str]
    conditions: tuple[str, ...]


def unit_size(instrument: Instrument) -> int:
    """How many replicates of a condition make up one unit."""
    if isinstance(instrument, Trajectory):
        return instrument.runs
    return 2 if getattr(instrument, "between", None) == "replicates" else 1


def groupings(instrument: Instrument, study: Study, conditions: Conditions) -> tuple[Grouping, ...]:
    """The groups of an instrument over conditions at one setting.

    Args:
        instrument: The declaration.
        study: The study, for its factors.
        conditions: The level of each factor, by the label of the condition.

    Returns:
        A group for each condition, or for each pair of conditions that differ only in the two levels.

    Raises:
        StudyError: The levels of `between` cannot be paired.
    """
    between = getattr(instrument, "between", "replicates")
    if isinstance(between, str):
        return tuple(Grouping(label, levels, (label,)) for label, levels in conditions.items())
    try:
        return _paired(cast("tuple[str, str]", between), study, conditions)
    except GrammarError as error:
        found = error.problem
        path = f"measure.{instrument.kind}.between"
        raise StudyError([
            Problem(path, found.value, found.message, found.allowed, found.suggestion)
        ]) from None


def _paired(between: tuple[str, str], study: Study, conditions: Conditions) -> tuple[Grouping, ...]:
    """Pairs of conditions that differ in the two levels and in nothing else."""
    first, second = (select(level, conditions) for level in between)
    own = _common(first.factors, second.factors)
    if own is None:
        raise GrammarError(" and ".join(between), "these are not two levels of one factor")
    together = next((set(paths) for paths in study.zipped if own in paths), {own})
    shown = {factor.path: factor for factor in factors(study)}
    names = _level_names(list(shown.values()))
    found: list[Grouping] = []
    for a in first.names:
        rest = {path: level for path, level in conditions[a].items() if path not in together}
        for b in second.names:
            if a != b and rest == {p: level for p, level in conditions[b].items() if p not in together}:
                words = [
                    shown[p].shown(level) if names.count(level) == 1 else f"{p}={level}"
                    for p, level in rest.items()
                ]
                label = ", ".join(words) or f"{between[0]} to {between[1]}"
                found.append(Grouping(label, rest, (a, b)))
    if not found:
        raise GrammarError(" and ".join(between), "no two conditions differ in these levels alone")
    return tuple(found)


def _common(first: frozenset[str], second: frozenset[str]) -> str | None:
    """The one factor that both selectors fix."""
    shared = first & second
    return next(iter(shared)) if len(shared) == 1 and first == second else None


def _level_names(found: Sequence[Factor]) -> list[str]:
    return [level for factor in found for level, _ in factor.levels]


def grouped(plan: Plan, instrument: Instrument) -> dict[str, Group]:
    """The groups of an instrument at all settings of a plan, by name."""
    groups: dict[str, Group] = {}
    for setting in plan.settings:
        by_label = {condition.label: condition for condition in plan.at(setting)}
        levels = {label: condition.levels for label, condition in by_label.items()}
        for found in groupings(instrument, plan.study, levels):
            conditions = tuple(by_label[label].name for label in found.conditions)
            name = by_label[found.conditions[0]].name.removeprefix(found.conditions[0])
            group = Group(found.label + name, found.label, setting, found.levels, conditions)
            groups[group.name] = group
    return groups


def subjects(plan: Plan, instrument: Instrument) -> tuple[Subject, ...]:
    """Everything that an instrument is taken of in a plan, group by group and unit by unit.

    Raises:
        StudyError: The replicates do not make whole units.
    """
    found: list[Subject] = []
    for group in grouped(plan, instrument).values():
        for unit, replicates in enumerate(_units(plan, instrument)):
            conditions = group.conditions
            if len(conditions) == 1:
                drawn = [(plan[conditions[0]], replicate) for replicate in replicates]
            else:
                drawn = [(plan[name], replicates[0]) for name in conditions]
            found += _of_unit(plan, instrument, group.name, unit, drawn)
    return tuple(found)


def unit_problem(instrument: Instrument, replicates: int) -> Problem | None:
    """That the replicates of a condition do not make whole units, if they do not."""
    size = unit_size(instrument)
    if replicates % size == 0:
        return None
    message = f"{instrument.kind} takes {UNITS[instrument.scope][1]} of {size} replicates"
    return Problem("replicates", str(replicates), message, f"a multiple of {size}")


def _units(plan: Plan, instrument: Instrument) -> list[tuple[int, ...]]:
    """The replicates of each unit."""
    size, count = unit_size(instrument), plan.study.replicates
    if problem := unit_problem(instrument, count):
        raise StudyError([problem])
    return [tuple(range(start, start + size)) for start in range(0, count, size)]


def _of_unit(
    plan: Plan, instrument: Instrument, group: str, unit: int, drawn: Sequence[tuple[Condition, int]]
) -> list[Subject]:
    """The subjects of one unit: one for each epoch where it is a run, one otherwise."""
    seed = plan.study.seeds.of(unit)["probe"]
    members = tuple(
        Member(condition.name, plan.cells[condition.name][replicate], instrument.epochs(condition.epochs))
        for condition, replicate in drawn
    )
    if instrument.scope == "run":
        own = members[0]
        each = [(Member(own.condition, own.run, (epoch,)),) for epoch in own.epochs]
        return [Subject(group, unit, one, _key(plan, one, seed), seed) for one in each]
    same = _same_start(plan, drawn) if instrument.scope == "pair" else None
    return [Subject(group, unit, members, _key(plan, members, seed), seed, same)]


def _key(plan: Plan, members: Sequence[Member], seed: int) -> str:
    """Identity of what is measured. Where not the last weights are kept, a run's result depends on its horizon."""
    told: list[list[object]] = []
    for member in members:
        condition = plan[member.condition]
        horizon = [condition.epochs] if condition.spec.keep != "last" else []
        told.append([member.run, list(member.epochs), *horizon])
    return digest_of([seed, told])


def _same_start(plan: Plan, drawn: Sequence[tuple[Condition, int]]) -> bool:
    """Whether two runs begin at the same weights: the same draw, or the same weights of another run."""
    starts = [_start(plan, condition, replicate) for condition, replicate in drawn]
    return starts[0] == starts[1]


def _start(plan: Plan, condition: Condition, replicate: int) -> object:
    """What determines the weights with which a run begins."""
    from gradlab.study.plan import parent_of

    spec = condition.spec
    if isinstance(spec.initial, After):
        parent = parent_of(condition, plan.conditions)
        return (plan.cells[parent.name][replicate], parent.epochs)
    seed = plan.study.seeds.of(replicate)["init"]
    network = digest_of([spec.model.canonical(), list(spec.task.shape), spec.task.outputs, spec.dtype])
    return (seed, spec.initial, network)


def check_groups(instrument: Instrument, plan: Plan) -> list[Problem]:
    """Pairs of networks between which there is no line: they differ in shape.

    Args:
        instrument: The declaration.
        plan: The plan.

    Returns:
        A problem for each such group.
    """
    problems: list[Problem] = []
    for group in grouped(plan, instrument).values():
        first, last = (plan[name] for name in (group.conditions[0], group.conditions[-1]))
        if first.parameters != last.parameters or first.spec.task.shape != last.spec.task.shape:
            told = " and ".join(group.conditions)
            message = "between networks of different shapes there is no line"
            problems.append(Problem(f"measure.{instrument.kind}.between", told, message))
    return problems
