"""What a lab holds of a plan's runs: how they ended, and the series that they recorded until then."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gradlab.engine.samples import Ended, Sample, Series
from gradlab.judge.reduce import crossings, edge_errors, reduce
from gradlab.store.lab import Lab
from gradlab.task.data import build_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.store.rows import RunRow
    from gradlab.study import Condition, Plan
    from gradlab.study.quantity import Quantity

    Floats = NDArray[np.float64]

__all__ = ["Recorded"]

_FLAGS: Final = ("flag_constant", "flag_dead")


class Recorded:
    """The runs of a plan, read when they are asked for, each up to the horizon of the condition that asks.

    Args:
        plan: What was run.
        folder: The lab folder.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self._ended: dict[str, list[Ended]] = {}
        self._series: dict[tuple[str, str], Series] = {}

    @cached_property
    def lab(self) -> Lab:
        """The lab, open for reading."""
        return Lab.open(self.folder)

    @cached_property
    def rows(self) -> dict[str, RunRow]:
        """The rows of all runs that have begun, by identity."""
        return self.lab.known([run.id for run in self.plan.runs])

    def ended(self, condition: Condition) -> list[Ended]:
        """The runs that have reached the condition's horizon, in order of their replicates."""
        if condition.name not in self._ended:
            self._ended[condition.name] = self._find_ended(condition)
        return self._ended[condition.name]

    def has_ended(self, condition: str, replicate: int) -> bool:
        """Whether a replicate of a condition, given by its name, has ended."""
        return replicate in {item.replicate for item in self.ended(self.plan[condition])}

    def series(self, name: str, condition: Condition) -> Series:
        """A recorded series up to the condition's horizon, of the runs that have ended.

        Raises:
            KeyError: It was not recorded.
        """
        key = name, condition.name
        if key not in self._series:
            self._series[key] = self._read(name, condition)
        return self._series[key]

    def sample(self, quantity: Quantity, condition: Condition) -> Sample:
        """One number for each run that has ended; the quantity's `where` is not looked at.

        Raises:
            KeyError: What it is taken from was not recorded.
        """
        ended = self.ended(condition)
        values = self._numbers(quantity, condition, ended)
        dead = sum(self.flags(ended).values())
        diverged = np.array([item.state == "diverged" for item in ended], bool)
        return Sample(
            values,
            np.array([item.replicate for item in ended], np.int64),
            diverged | (np.nan_to_num(dead) > 0),
            tuple(item.state for item in ended),
        )

    def flags(self, ended: Sequence[Ended]) -> dict[str, Floats]:
        """Whether each run predicts a constant and whether it is dead: 1, 0 or NaN where it is not known."""
        return {flag.removeprefix("flag_"): self._at_end(flag, ended) for flag in _FLAGS}

    def predictions(self, condition: Condition) -> tuple[Floats, Floats, Floats]:
        """Inputs [G, in], targets [G, out] and outputs [n, G, out] of the final networks on the task's grid.

        Raises:
            KeyError: Predictions were not recorded, or the task has no grid.
        """
        ended = self.ended(condition)
        data = build_data(condition.spec.task, self.plan.study.seeds.of(0), condition.spec.validation)
        if data.grid_x is None or data.grid_y is None or not ended:
            raise KeyError("predictions")
        traces = self.lab.traces([item.run for item in ended], "predictions")
        x, y = np.asarray(data.grid_x, np.float64), np.asarray(data.grid_y, np.float64)
        outputs = np.full((len(ended), *y.shape), np.nan)
        for row, item in enumerate(ended):
            epochs, values = traces.get(item.run, (np.zeros(0, np.int64), np.zeros(0)))
            places = np.flatnonzero(epochs == item.epoch)
            if len(places):
                outputs[row] = values[places[-1]].reshape(y.shape)
        if not traces:
            raise KeyError("predictions")
        return x, y, outputs

    def reduced(
        self,
        quantity: Quantity,
        epochs: NDArray[Any],
        values: Floats,
        condition: Condition,
        ended: Sequence[Ended],
    ) -> Floats:
        """One number a run of a series over epochs; what some reducers need besides is read here.

        Args:
            quantity: What is asked.
            epochs: Epochs of the series, [k].
            values: One row a run, [n, k].
            condition: Whose runs they are.
            ended: The runs of the rows.
        """
        updates = np.array([item.updates / max(item.epoch, 1) for item in ended], np.float64)
        passed = None
        if quantity.reducer == "at_loss" and quantity.threshold is not None:
            try:
                losses = self.series("loss", condition)
            except KeyError:
                losses = self.series("loss.running", condition)
            rows = np.searchsorted(losses.replicates, [item.replicate for item in ended])
            passed = crossings(losses.epochs, losses.values[rows], quantity.threshold)
        return reduce(quantity, epochs, values, updates=updates, passed=passed)

    def _find_ended(self, condition: Condition) -> list[Ended]:
        found: list[Ended] = []
        for replicate, run in enumerate(self.plan.cells[condition.name]):
            row = self.rows.get(run)
            ending = row.at(condition.epochs) if row else None
            if ending is not None:
                state = {"epochs": "done"}.get(ending.reason, ending.reason)
                found.append(Ended(run, replicate, ending.epoch, ending.updates, state))
        return found

    def _read(self, name: str, condition: Condition) -> Series:
        ended = self.ended(condition)
        traces = self.lab.traces([item.run for item in ended], name)
        if ended and not traces:
            raise KeyError(name)
        clipped: list[tuple[NDArray[np.int64], Floats]] = []
        for item in ended:
            epochs, values = traces.get(item.run, (np.zeros(0, np.int64), np.zeros(0)))
            inside = epochs <= item.epoch
            clipped.append((epochs[inside], values[inside]))
        union = np.unique(np.concatenate([e for e, _ in clipped])) if clipped else np.zeros(0, np.int64)
        table = np.full((len(clipped), len(union)), np.nan)
        for row, (epochs, values) in enumerate(clipped):
            if values.ndim == 1:
                table[row, np.searchsorted(union, epochs)] = values
        replicates = np.array([item.replicate for item in ended], np.int64)
        return Series(union.astype(np.int64), table, replicates)

    def _numbers(self, quantity: Quantity, condition: Condition, ended: Sequence[Ended]) -> Floats:
        name = quantity.name
        if name == "epochs":
            return np.array([item.epoch for item in ended], np.float64)
        if name == "updates":
            return np.array([item.updates for item in ended], np.float64)
        if name == "flag_diverged":
            return np.array([item.state == "diverged" for item in ended], np.float64)
        if name in _FLAGS:
            return self._at_end(name, ended)
        if name in {"edge_error", "centre_error"}:
            x, truth, outputs = self.predictions(condition)
            return edge_errors(x, truth, outputs)[name == "edge_error"]
        if quantity.reducer == "epochs_to" and quantity.trace == "loss" and quantity.threshold is not None:
            passed = self.lab.passages([item.run for item in ended])
            if all(quantity.threshold in passed.get(item.run, {}) for item in ended):
                epochs = [passed[item.run][quantity.threshold] for item in ended]
                return np.array(
                    [e if e <= item.epoch else np.inf for e, item in zip(epochs, ended, strict=True)],
                    np.float64,
                )
        series = self._read(quantity.trace, condition)  # not kept: claims ask for numbers of many conditions
        return self.reduced(quantity, series.epochs, series.values, condition, ended)

    def _at_end(self, name: str, ended: Sequence[Ended]) -> Floats:
        """A scalar of each run at the end that counts here."""
        traces = self.lab.traces([item.run for item in ended], name)
        values = np.full(len(ended), np.nan)
        for row, item in enumerate(ended):
            epochs, found = traces.get(item.run, (np.zeros(0, np.int64), np.zeros(0)))
            places = np.flatnonzero(epochs == item.epoch)
            if len(places):
                values[row] = found[places[-1]]
        return values
