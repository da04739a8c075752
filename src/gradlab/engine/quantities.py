"""Quantities of a study as numbers: of runs, whether recorded or measured, and of pairs and sets of runs."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from gradlab.engine.samples import Sample, Series
from gradlab.judge.events import holds
from gradlab.judge.reduce import reduce
from gradlab.study.quantity import Quantity

if TYPE_CHECKING:
    from gradlab.engine.measured import Curves, Instruments, Unit
    from gradlab.engine.recorded import Recorded
    from gradlab.study.subjects import Group

__all__ = ["Quantities"]

_EPOCHS: Final = Quantity(name="epochs")


class Quantities:
    """What a study's quantities are in numbers, each found once.

    Args:
        recorded: What runs recorded.
        instruments: What instruments measured.
    """

    def __init__(self, recorded: Recorded, instruments: Instruments) -> None:
        self._recorded = recorded
        self._instruments = instruments
        self._samples: dict[tuple[str, str], Sample] = {}
        self._series: dict[tuple[str, str], Series] = {}
        self._curves: dict[tuple[str, str], Curves] = {}

    @cached_property
    def digest(self) -> str:
        """One hash of all that the numbers are taken from."""
        runs = [run.id for run in self._recorded.plan.runs]
        return self._recorded.lab.digest(runs, self._instruments.keys())

    def sample(self, quantity: Quantity, name: str) -> Sample:
        """One number for each run or unit of a condition or group, both by their unique name.

        Raises:
            KeyError: What it is taken from was not recorded, or the study does not declare the instrument.
        """
        key = str(quantity), name
        if key not in self._samples:
            self._samples[key] = self._find(quantity, name)
        return self._samples[key]

    def series(self, quantity: Quantity, group: Group) -> Series:
        """The one number that an instrument gives of each unit, over the epochs at which it was measured.

        Raises:
            KeyError: The value has another axis than epochs.
        """
        if quantity.axis != "epoch":
            raise KeyError(quantity.trace)
        key = quantity.trace, group.name
        if key not in self._series:
            units = self._instruments.units(quantity.instrument, group)
            epochs, values = self._instruments.over_epochs(quantity.split, units)
            self._series[key] = Series(epochs, values, np.array([unit.index for unit in units], np.int64))
        return self._series[key]

    def curves(self, quantity: Quantity, group: Group) -> Curves:
        """What an instrument gives of each unit along its own axis.

        Raises:
            KeyError: The value has no axis of its own.
        """
        if quantity.axis in {"", "epoch"}:
            raise KeyError(quantity.trace)
        key = quantity.trace, group.name
        if key not in self._curves:
            units = self._instruments.units(quantity.instrument, group)
            self._curves[key] = self._instruments.curves(quantity.split, units, quantity.axis)
        return self._curves[key]

    def _find(self, quantity: Quantity, name: str) -> Sample:
        if quantity.instrument:
            sample = self._measured(quantity, self._instruments.group(quantity.instrument, name, ""))
        else:
            sample = self._recorded.sample(quantity, self._recorded.plan[name])
        return sample if quantity.where is None else self._kept(sample, quantity, name)

    def _kept(self, sample: Sample, quantity: Quantity, name: str) -> Sample:
        """The runs for which the quantity's `where` is true."""
        event = quantity.where
        assert event is not None
        other = self.sample(event.quantity, name)
        true = set(other.replicates[holds(event, other.values)].tolist())
        keep = np.array([int(replicate) in true for replicate in sample.replicates], bool)
        states = tuple(state for state, kept in zip(sample.states, keep, strict=True) if kept)
        return replace(
            sample,
            values=sample.values[keep],
            replicates=sample.replicates[keep],
            flagged=sample.flagged[keep],
            states=states,
        )

    def _measured(self, quantity: Quantity, group: Group) -> Sample:
        units = self._instruments.units(quantity.instrument, group)
        if quantity.axis == "epoch":
            condition = self._recorded.plan[group.conditions[0]]
            ended = {item.replicate: item for item in self._recorded.ended(condition)}
            epochs, table = self._instruments.over_epochs(quantity.split, units)
            runs = [ended[unit.members[0][1]] for unit in units]
            values = self._recorded.reduced(quantity, epochs, table, condition, runs)
        elif quantity.axis:
            curves = self._instruments.curves(quantity.split, units, quantity.axis)
            values = reduce(quantity, curves.places, curves.values)
        else:
            values = self._instruments.numbers(quantity.split, units)
        flagged, states = zip(*map(self._state, units), strict=True) if units else ((), ())
        indices = np.array([unit.index for unit in units], np.int64)
        return Sample(values, indices, np.array(flagged, bool), tuple(states))

    def _state(self, unit: Unit) -> tuple[bool, str]:
        """Whether any run of a unit is constant, dead or diverged, and how the unit stands."""
        flagged: list[bool] = []
        states: list[str] = []
        for name, replicate in unit.members:
            sample = self.sample(_EPOCHS, name)
            row = sample.replicates.tolist().index(replicate)
            flagged.append(bool(sample.flagged[row]))
            states.append(sample.states[row])
        if unit.failed:
            return any(flagged), "failed"
        return any(flagged), next((state for state in ("diverged", "stopped") if state in states), "done")
