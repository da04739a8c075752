"""What a lab holds of a plan's instruments: measurements by group and unit, and what claims take of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gradlab.measure.measurement import COLUMNS, Value, spread
from gradlab.store.codec import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.store.measurements import Stored
    from gradlab.study import Plan
    from gradlab.study.subjects import Group, Subject

    Floats = NDArray[np.float64]

__all__ = ["Curves", "Failure", "Instruments", "Lookup", "Measured", "Unit"]


class Lookup(Protocol):
    """The part of a lab that knows measurements."""

    def measured(self, instrument: str, subjects: Sequence[str], /) -> dict[str, Stored]:
        """What is stored of some subjects by one instrument, by key."""
        ...


@dataclass(frozen=True)
class Measured(Mapping[str, Value]):
    """One measurement of a study: a mapping of names to values, none of which is there if it failed.

    Attributes:
        kind: The instrument.
        group: The label of its group: a condition's, or that of a group of pairs.
        unit: Its index there; for instruments of single runs the replicate.
        epoch: The last epoch whose weights were looked at; the horizon stands for the run's result.
        runs: Identities of the runs.
        same_start: Whether a pair began at the same initial weights, decided by the specification.
        values: The values by name.
        failure: Why there are none; empty where it was measured.
        warnings: What a reader should know before quoting a number.
        settings: What it was done with.
        gradients: The cost in full-batch gradients.
    """

    kind: str
    group: str
    unit: int
    epoch: int
    runs: tuple[str, ...]
    same_start: bool | None = None
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])  # pyright: ignore[reportIncompatibleMethodOverride]
    failure: str = ""
    warnings: tuple[str, ...] = ()
    settings: Mapping[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    gradients: float = 0.0

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def number(self, name: str) -> float:
        """A value that is one number; NaN where it was not measured."""
        found = self.values.get(name)
        return float("nan") if found is None or np.ndim(found.value) else float(found.value)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every number with its place and error, as rows of a table; one row with the cause where it failed."""
        for row in spread(self.values):
            yield dict(zip(COLUMNS, row, strict=True)) | {"failure": self.failure}

    def to_dict(self) -> dict[str, Any]:
        """Where it was taken and every value that is one number, as JSON-ready data."""
        numbers = {
            name: float(value.value) for name, value in self.values.items() if not np.ndim(value.value)
        }
        return plain({
            "group": self.group,
            "unit": self.unit,
            "epoch": self.epoch,
            "runs": list(self.runs),
            "values": numbers,
            "failure": self.failure,
            "warnings": list(self.warnings),
            "gradients": self.gradients,
        })


@dataclass(frozen=True)
class Curves:
    """A value along an instrument's own axis, for every unit of a group.

    Attributes:
        axis: What the places are, such as "alpha".
        places: Places of all units together, increasing, float64 [k].
        values: One row a unit, float64 [n, k]; NaN where a unit has no value there.
        units: Indices of the units, int64 [n].
    """

    axis: str
    places: Floats
    values: Floats
    units: NDArray[np.int64]


@dataclass(frozen=True)
class Failure:
    """An instrument that could not measure a subject.

    Attributes:
        kind: The instrument.
        group: The label of the group.
        unit: The unit.
        epoch: The epoch.
        text: The cause.
    """

    kind: str
    group: str
    unit: int
    epoch: int
    text: str


@dataclass(frozen=True)
class Unit:
    """What is counted: a run, pair or set that has ended and been measured.

    Attributes:
        index: Its index in the group.
        members: Condition and replicate of each of its runs.
        found: Its measurements, one for each epoch.
        failed: Whether a measurement failed with an error and will be tried again.
    """

    index: int
    members: tuple[tuple[str, int], ...]
    found: tuple[Measured, ...]
    failed: bool


class Instruments:
    """The measurements of a plan, read when they are asked for.

    Args:
        plan: What was run.
        lab: Where measurements are stored.
        ended: Whether a run of a condition (its name) and replicate has ended.
    """

    def __init__(self, plan: Plan, lab: Callable[[], Lookup], ended: Callable[[str, int], bool]) -> None:
        self.plan = plan
        self._lab = lab
        self._ended = ended
        self._units: dict[str, dict[str, list[Unit]]] = {}

    def group(self, kind: str, name: str, setting: str) -> Group:
        """The group of an instrument by its name, or by its label at a setting.

        Raises:
            KeyError: The study does not declare the instrument, or it has no such group.
        """
        groups = self.plan.groups(kind)
        for group in groups.values():
            if group.label == name and group.setting == setting:
                return group
        return groups[name]

    def units(self, kind: str, group: Group) -> list[Unit]:
        """The units of a group that have ended and been measured, or refused.

        Raises:
            KeyError: The study does not declare the instrument.
        """
        if kind not in self._units:
            self._units[kind] = self._read(kind)
        return self._units[kind].get(group.name, [])

    def keys(self) -> dict[str, list[str]]:
        """The subjects of every instrument, by the instrument's digest."""
        found: dict[str, list[str]] = {}
        for kind, subjects in self.plan.subjects.items():
            keys = found.setdefault(self.plan.study.measure[kind].digest, [])
            keys += [subject.key for subject in subjects]
        return found

    def numbers(self, name: str, units: Sequence[Unit]) -> Floats:
        """A value that is one number, of the last epoch that each unit was measured at, [n]."""
        return np.array([unit.found[-1].number(name) for unit in units], np.float64)

    def over_epochs(self, name: str, units: Sequence[Unit]) -> tuple[NDArray[np.int64], Floats]:
        """A value that is one number, over the epochs at which it was measured: epochs [k] and values [n, k]."""
        epochs = sorted({each.epoch for unit in units for each in unit.found})
        table = np.full((len(units), len(epochs)), np.nan)
        for row, unit in enumerate(units):
            for each in unit.found:
                table[row, epochs.index(each.epoch)] = each.number(name)
        return np.array(epochs, np.int64), table

    def curves(self, name: str, units: Sequence[Unit], axis: str) -> Curves:
        """A value along its axis, of the last epoch that each unit was measured at."""
        rows: list[tuple[Floats, Floats]] = []
        for unit in units:
            value = unit.found[-1].get(name)
            if value is None or value.places is None or np.ndim(value.value) != 1:
                rows.append((np.zeros(0), np.zeros(0)))
            else:
                rows.append((np.asarray(value.places, np.float64), np.asarray(value.value, np.float64)))
        union = np.unique(np.concatenate([np.zeros(0), *(places for places, _ in rows)]))
        table = np.full((len(rows), len(union)), np.nan)
        for row, (places, values) in enumerate(rows):
            table[row, np.searchsorted(union, places)] = values
        return Curves(axis, union, table, np.array([unit.index for unit in units], np.int64))

    def _read(self, kind: str) -> dict[str, list[Unit]]:
        """All units of an instrument, by the name of their group."""
        subjects = self.plan.subjects[kind]
        stored = self._lab().measured(
            self.plan.study.measure[kind].digest, list(dict.fromkeys(subject.key for subject in subjects))
        )
        groups = self.plan.groups(kind)
        together: dict[tuple[str, int], list[Subject]] = {}
        for subject in subjects:
            together.setdefault((subject.group, subject.unit), []).append(subject)
        found: dict[str, list[Unit]] = {name: [] for name in groups}
        for (name, index), own in together.items():
            members = self._members(own[0])
            if all(each.key in stored for each in own) and all(self._ended(*member) for member in members):
                taken = tuple(_measured(kind, groups[name].label, each, stored[each.key]) for each in own)
                failed = any(stored[each.key].outcome == "failed" for each in own)
                found[name].append(Unit(index, members, taken, failed))
        return found

    def _members(self, subject: Subject) -> tuple[tuple[str, int], ...]:
        return tuple(
            (member.condition, self.plan.cells[member.condition].index(member.run))
            for member in subject.members
        )


def _measured(kind: str, group: str, subject: Subject, stored: Stored) -> Measured:
    return Measured(
        kind=kind,
        group=group,
        unit=subject.unit,
        epoch=subject.epoch,
        runs=tuple(member.run for member in subject.members),
        same_start=subject.same_start,
        values=stored.values,
        failure=stored.failure,
        warnings=stored.warnings,
        settings=stored.settings,
        gradients=stored.gradients,
    )
