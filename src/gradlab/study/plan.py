"""The resolved plan: which networks are trained, with which identity, and what each run is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from gradlab.component import digest_of
from gradlab.errors import Problem, StudyError
from gradlab.model.fit import behaviour
from gradlab.model.initial import After, Default
from gradlab.model.module import Module
from gradlab.study.factors import BASE_SETTING, Combination, combinations, overridden, settings
from gradlab.study.quantity import parse_quantity
from gradlab.study.recipe import Cosine
from gradlab.study.record import Record
from gradlab.study.spec import Spec
from gradlab.study.subjects import Group, Subject, grouped, subjects, unit_size

if TYPE_CHECKING:
    from gradlab.study.study import Study

__all__ = ["Condition", "Plan", "Run", "draws", "plan", "spec_of"]

Budget = Literal["quick", "full"]

ALWAYS = frozenset({"epochs", "updates", "flag_constant", "flag_dead", "flag_diverged"})
"""What every run writes down without being asked."""


@dataclass(frozen=True)
class Condition:
    """One combination of levels at one setting.

    Attributes:
        name: Unique in the plan; the label, with the setting where it is not as declared.
        label: The name within its setting, which claims use.
        setting: "as declared", or the assumed level that differs.
        levels: The level of each factor.
        spec: What determines the weights, seeds aside.
        epochs: The horizon.
        parameters: Trainable values, biases included.
    """

    name: str
    label: str
    setting: str
    levels: Mapping[str, str]
    spec: Spec
    epochs: int
    parameters: int


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        id: Hash of what determines its weights; 20 hexadecimal digits.
        condition: The name of a condition that uses it (the first, if several do).
        replicate: Its index there.
        seeds: The seed of each purpose.
        start_from: The run whose final weights it starts from.
        epochs: The largest horizon that any condition asks of it.
    """

    id: str
    condition: str
    replicate: int
    seeds: Mapping[str, int]
    start_from: str | None
    epochs: int


@dataclass(frozen=True)
class Plan:
    """A study resolved under a budget.

    Attributes:
        study: The declaration, with the budget's overrides applied.
        declared: The declaration as it was written.
        budget: "quick" or "full".
        conditions: All conditions at all settings; those as declared come first.
        runs: Every run once, parents before the runs that start from them.
        cells: The run ids of each condition, one for each replicate.
        record: What every run writes down.
    """

    study: Study
    declared: Study
    budget: Budget
    conditions: tuple[Condition, ...]
    runs: tuple[Run, ...]
    cells: Mapping[str, tuple[str, ...]]
    record: Record
    _by_name: dict[str, Condition] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {condition.name: condition for condition in self.conditions})

    def __getitem__(self, name: str) -> Condition:
        return self._by_name[name]

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings, "as declared" first."""
        return tuple(dict.fromkeys(condition.setting for condition in self.conditions))

    def at(self, setting: str) -> tuple[Condition, ...]:
        """The conditions at one setting."""
        return tuple(condition for condition in self.conditions if condition.setting == setting)

    @cached_property
    def preliminary(self) -> bool:
        """Whether less is trained than was declared: a verdict then is no verdict on the declared study.

        A quick budget is, if it changes how or on what networks are trained, not only how many there are; so is a
        change of the declared study for one run that cuts epochs or data.
        """
        if self.declared.before is not None and _cut(self.declared.before, self.study):
            return True
        if self.budget == "full":
            return False
        full = {
            c.label: (spec_of(c.fields).canonical(), c.fields["epochs"]) for c in combinations(self.declared)
        }
        own = {c.label: (spec_of(c.fields).canonical(), c.fields["epochs"]) for c in combinations(self.study)}
        return any(full.get(label) != found for label, found in own.items())

    @cached_property
    def subjects(self) -> Mapping[str, tuple[Subject, ...]]:
        """What each declared instrument is taken of, by kind."""
        return {kind: subjects(self, instrument) for kind, instrument in self.study.measure.items()}

    def groups(self, kind: str) -> Mapping[str, Group]:
        """The groups of units of a declared instrument, by name; claims on its values select among them."""
        return grouped(self, self.study.measure[kind])

    def unit_size(self, kind: str) -> int:
        """How many replicates of a condition make up one unit of a declared instrument: 1, 2 or a set."""
        return unit_size(self.study.measure[kind])

    @cached_property
    def snapshots(self) -> Mapping[str, tuple[int, ...]]:
        """The epochs whose weights must be kept, by run; a condition's horizon stands for the run's result."""
        found: dict[str, set[int]] = {}
        for subject in (subject for each in self.subjects.values() for subject in each):
            for member in subject.members:
                found.setdefault(member.run, set()).update(member.epochs)
        return {run: tuple(sorted(epochs)) for run, epochs in found.items()}

    def pairs(self, a: str, b: str, kind: str = "") -> bool:
        """Whether equal replicates of two conditions share a random draw that varies over replicates.

        Args:
            a: A condition; a group, where an instrument is named.
            b: The other.
            kind: The instrument whose groups are compared: whether equal units share such a draw.

        Returns:
            What the specification says.
        """
        if kind:
            one, two = (self.groups(kind)[name].conditions for name in (a, b))
            return any(first == second or self.pairs(first, second) for first in one for second in two)
        one, two = self._by_name[a], self._by_name[b]
        varied = self.study.seeds.varied() & draws(one.spec) & draws(two.spec)
        if "order" in varied and one.spec.task.canonical() == two.spec.task.canonical():
            return True
        if "data" in varied and one.spec.task.canonical() == two.spec.task.canonical():
            return True
        if isinstance(one.spec.initial, After) or isinstance(two.spec.initial, After):
            parents = [self._origin(name) for name in (a, b)]
            return parents[0] == parents[1] or (parents != [a, b] and self.pairs(parents[0], parents[1]))
        same_model = one.spec.model.canonical() == two.spec.model.canonical()
        return "init" in varied and same_model and one.spec.initial == two.spec.initial

    def _origin(self, name: str) -> str:
        """The condition whose random initial weights a chain of warm starts goes back to."""
        spec = self._by_name[name].spec
        while isinstance(spec.initial, After):
            name = parent_of(self._by_name[name], self.conditions).name
            spec = self._by_name[name].spec
        return name


def _cut(before: Study, after: Study) -> bool:
    """Whether some condition has fewer epochs or fewer examples than it, or the least of all, was declared to have."""
    declared = {c.label: (int(c.fields["epochs"]), c.fields["task"].size) for c in combinations(before)}
    least = tuple(min(sizes) for sizes in zip(*declared.values(), strict=True))
    for combination in combinations(after):
        epochs, examples = declared.get(combination.label, least)
        if combination.fields["epochs"] < epochs or combination.fields["task"].size < examples:
            return True
    return False


def draws(spec: Spec) -> frozenset[str]:
    """The purposes for which a run of `spec` draws random numbers, apart from probes."""
    used: set[str] = set(spec.task.draws)
    if spec.validation > 0:
        used.add("data")
    if not isinstance(spec.initial, After):
        used.add("init")
    if spec.shuffle and spec.batch_size != "full":
        used.add("order")
    if spec.model.drops:
        used.add("dropout")
    return frozenset(used)


def spec_of(fields: Mapping[str, Any]) -> Spec:
    """The spec of one combination; the loss is the task's own where none was chosen."""
    given = {name: fields[name] for name in Spec.model_fields if name in fields and name != "kind"}
    if given.get("loss") is None:
        given["loss"] = given["task"].default_loss
    return Spec(**given)


def parent_of(condition: Condition, among: tuple[Condition, ...] | list[Condition]) -> Condition:
    """The condition whose final weights `condition` starts from.

    Raises:
        StudyError: No condition, or more than one, has those levels.
    """
    initial = cast(After, condition.spec.initial)
    wanted = dict(initial.levels)
    # the factor of the initial weights itself is one that the parent need not share
    shared = {
        p: level
        for p, level in condition.levels.items()
        if p not in wanted and p.partition(".")[0] != "initial"
    }
    found = [
        other
        for other in among
        if other.setting == condition.setting
        and other is not condition
        and all(other.levels.get(path) == level for path, level in (wanted | shared).items())
    ]
    if len(found) != 1:
        told = ", ".join(other.label for other in found) or "none"
        raise StudyError([
            Problem("initial.after", str(wanted), f"must name one other condition, names {told}")
        ])
    return found[0]


def plan(study: Study, budget: Budget, tuned: Mapping[str, Mapping[str, Any]]) -> Plan:
    """Resolve a study.

    Args:
        study: The declaration.
        budget: "full", or "quick" with the study's overrides.
        tuned: Settings chosen by tuning, by condition label.

    Returns:
        The plan.

    Raises:
        StudyError: A condition is impossible.
    """
    own = study.budgeted(budget)
    conditions: list[Condition] = []
    for setting, changed in settings(own).items():
        for combination in combinations(changed):
            conditions.append(_condition(own, setting, combination, tuned.get(combination.label, {})))
    runs: dict[str, Run] = {}
    cells: dict[str, tuple[str, ...]] = {}
    for condition in _parents_first(conditions):
        origin: _Origin | None = None
        if isinstance(condition.spec.initial, After):
            parent = parent_of(condition, conditions)
            origin = _Origin(cells[parent.name], parent.epochs, condition.spec.initial.optimizer_state)
        cells[condition.name] = _cell(own, condition, origin, runs)
    ordered = {condition.name: cells[condition.name] for condition in conditions}
    return Plan(
        own, study, budget, tuple(conditions), tuple(runs.values()), ordered, _record(own, conditions)
    )


def _condition(study: Study, setting: str, combination: Combination, tuned: Mapping[str, Any]) -> Condition:
    fields = combination.fields
    if tuned:
        fields = overridden(study, fields, tuned)
    spec = spec_of(fields)
    name = combination.label if setting == BASE_SETTING else f"{combination.label} [{setting}]"
    parameters = spec.model.parameters(spec.task.shape, spec.task.outputs)
    return Condition(
        name, combination.label, setting, combination.levels, spec, int(fields["epochs"]), parameters
    )


def _parents_first(conditions: list[Condition]) -> list[Condition]:
    done: dict[str, Condition] = {}

    def visit(condition: Condition, path: tuple[str, ...]) -> None:
        if condition.name in done:
            return
        if condition.name in path:
            raise StudyError([
                Problem("initial.after", " -> ".join(path), "conditions start from each other")
            ])
        if isinstance(condition.spec.initial, After):
            visit(parent_of(condition, conditions), (*path, condition.name))
        done[condition.name] = condition

    for condition in conditions:
        visit(condition, ())
    return list(done.values())


@dataclass(frozen=True)
class _Origin:
    """Where the runs of a condition go on from: runs, the horizon whose final state it is, and what is taken."""

    runs: tuple[str, ...]
    epochs: int
    optimizer_state: bool


def _cell(
    study: Study, condition: Condition, origin: _Origin | None, runs: dict[str, Run]
) -> tuple[str, ...]:
    spec = condition.spec
    identity = spec.canonical()
    identity.pop("initial", None)
    if origin is None and spec.initial != Default():
        identity["initial"] = spec.initial.canonical()
    if isinstance(spec.schedule, Cosine):
        identity["epochs"] = condition.epochs
    if isinstance(spec.model, Module):
        identity["behaviour"] = behaviour(spec.model, tuple(spec.task.shape))
    used = draws(spec)
    cell: list[str] = []
    for replicate in range(study.replicates):
        seeds = study.seeds.of(replicate)
        own: dict[str, Any] = {"spec": identity, "seeds": {name: seeds[name] for name in sorted(used)}}
        if origin is not None:
            own["after"] = [origin.runs[replicate], origin.epochs, origin.optimizer_state]
        run_id = digest_of(own)
        before = runs.get(run_id)
        epochs = max(condition.epochs, before.epochs if before else 0)
        if before:
            runs[run_id] = Run(
                run_id, before.condition, before.replicate, before.seeds, before.start_from, epochs
            )
        else:
            start_from = origin.runs[replicate] if origin is not None else None
            runs[run_id] = Run(run_id, condition.name, replicate, seeds, start_from, epochs)
        cell.append(run_id)
    if len(set(cell)) < len(cell):
        raise StudyError([
            Problem(
                "replicates",
                str(study.replicates),
                f"nothing varies between the replicates of {condition.name!r}, so they would be one run counted "
                f"{study.replicates} times",
                "replicates = 1, or a varied seed (seeds.init, seeds.order, seeds.data)",
            )
        ])
    return tuple(cell)


def _record(study: Study, conditions: list[Condition]) -> Record:
    # A full pass over images costs a third of an epoch of training: there, the loss is recorded where it is asked for.
    images = all(len(condition.spec.task.shape) == 3 for condition in conditions)
    quantities: dict[str, None] = {} if images else {"loss": None}
    thresholds: set[float] = set()
    asked = [
        *study.record,
        *(quantity for claim in study.claims for quantity in claim.quantities()),
        *(parse_quantity(published.quantity) for published in study.published),
    ]
    running = {quantity.trace for quantity in study.record}
    for quantity in asked:
        quantities |= dict.fromkeys(sorted(quantity.recorded() - ALWAYS))
        if quantity.passage is not None:
            thresholds.add(quantity.passage)
        if quantity.reducer == "at_loss" and "loss.running" not in running:
            quantities |= {"loss": None}
    extra = tuple(sorted({condition.epochs for condition in conditions}))
    return Record(tuple(quantities), study.record_at, tuple(sorted(thresholds)), extra)
