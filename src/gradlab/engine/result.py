"""What a study found: the stored runs of a plan, as curves, samples and verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.judge.reduce import edge_errors, reduce
from gradlab.store.lab import Lab
from gradlab.study.factors import BASE_SETTING
from gradlab.study.quantity import Quantity, parse_quantity
from gradlab.task.data import build_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.judge.verdict import Verdict
    from gradlab.store.rows import RunRow
    from gradlab.study import Condition, Plan, Study

    Floats = NDArray[np.float64]

__all__ = ["Result", "Sample", "Series"]

FLAGS = ("flag_constant", "flag_dead")


@dataclass(frozen=True)
class Series:
    """A recorded quantity of one condition over epochs.

    Attributes:
        epochs: Recorded epochs, int64 [k].
        values: One row a run, float64 [n, k]; NaN where a run has no value (any more).
        replicates: Replicate numbers of the rows, int64 [n].
    """

    epochs: NDArray[np.int64]
    values: Floats
    replicates: NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One number per run of a condition.

    Attributes:
        values: The values, float64 [n]; infinite for "never reached", NaN where undefined.
        replicates: Replicate numbers, int64 [n].
        flagged: Whether the run predicts a constant, is dead or diverged, bool [n].
        states: How each run ended: done, stopped or diverged.
    """

    values: Floats
    replicates: NDArray[np.int64]
    flagged: NDArray[np.bool_]
    states: tuple[str, ...]


@dataclass(frozen=True)
class _Ended:
    """A run that has reached the horizon of a condition."""

    run: str
    replicate: int
    epoch: int
    updates: int
    state: str


class Result:
    """The stored runs of a plan, read when they are asked for.

    Args:
        plan: What was run.
        lab: The lab folder.
        verdicts: One for each claim.
        elapsed: Seconds that the command took.
        environment: Facts of the machine and the libraries.
        command: How to run this again.
        notes: What happened on the way that a reader should know, such as what tuning chose.
        setting: The setting whose conditions are named without it.
    """

    def __init__(
        self,
        plan: Plan,
        lab: Path,
        *,
        verdicts: Sequence[Verdict] = (),
        elapsed: float | None = None,
        environment: Mapping[str, Any] | None = None,
        command: str = "",
        notes: Sequence[str] = (),
        setting: str = BASE_SETTING,
    ) -> None:
        self.plan = plan
        self.lab = lab
        self.verdicts = tuple(verdicts)
        self.elapsed = elapsed
        self.environment = dict(environment or {})
        self.command = command
        self.notes = tuple(notes)
        self.setting = setting
        self._cache: dict[tuple[str, str], Any] = {}

    @property
    def study(self) -> Study:
        """The declaration with the budget's overrides."""
        return self.plan.study

    @property
    def budget(self) -> str:
        """`quick` or `full`."""
        return self.plan.budget

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings of the plan, as declared first."""
        return self.plan.settings

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions at this result's setting."""
        return self.plan.at(self.setting)

    def at(self, setting: str) -> Result:
        """The same runs seen at another setting: conditions are then found by their label there."""
        view = copy(self)
        view.setting = setting
        return view

    def judged(self, verdicts: Sequence[Verdict]) -> Result:
        """The same runs with other verdicts."""
        view = copy(self)
        view.verdicts = tuple(verdicts)
        return view

    @property
    def digest(self) -> str:
        """One hash of the results of these runs."""
        return self._cached("digest", "", lambda: self._reader.digest([run.id for run in self.plan.runs]))

    def series(self, quantity: str | Quantity, condition: str) -> Series:
        """A recorded series up to the condition's horizon.

        Args:
            quantity: As in `loss.test`.
            condition: A condition's name or label.

        Returns:
            The series of the runs that have ended.

        Raises:
            KeyError: It was not recorded.
        """
        name = quantity if isinstance(quantity, str) else quantity.trace
        found = self._find(condition)
        return self._cached("series", f"{name} {found.name}", lambda: self._series(name, found))

    def values(self, quantity: str | Quantity, condition: str) -> Sample:
        """One number for each run that has ended.

        Args:
            quantity: In the grammar of quantities; its `where` leaves out the runs for which it is false.
            condition: A condition's name or label.

        Returns:
            The sample.

        Raises:
            KeyError: What it is taken from was not recorded.
        """
        asked = parse_quantity(quantity) if isinstance(quantity, str) else quantity
        found = self._find(condition)
        return self._cached("values", f"{asked} {found.name}", lambda: self._values(asked, found))

    def predictions(self, condition: str) -> tuple[Floats, Floats, Floats]:
        """What the final networks give on the task's grid.

        Args:
            condition: A condition's name or label.

        Returns:
            Inputs [G, in], targets [G, out] and outputs [n, G, out].

        Raises:
            KeyError: Predictions were not recorded, or the task has no grid.
        """
        found = self._find(condition)
        ended = self._ended(found)
        data = build_data(found.spec.task, self.plan.study.seeds.of(0), found.spec.validation)
        if data.grid_x is None or data.grid_y is None or not ended:
            raise KeyError("predictions")
        traces = self._reader.traces([item.run for item in ended], "predictions")
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

    def flags(self, condition: str) -> dict[str, int]:
        """How many of the ended runs predict a constant, are dead, or diverged."""
        found = self._find(condition)
        ended = self._ended(found)
        counts = {flag.removeprefix("flag_"): int(np.nansum(self._at_end(flag, ended))) for flag in FLAGS}
        return counts | {"diverged": sum(item.state == "diverged" for item in ended)}

    def states(self, condition: str) -> dict[str, int]:
        """How many runs are in which state, those that have not ended included."""
        found = self._find(condition)
        ended = {item.run: item.state for item in self._ended(found)}
        rows = self._rows
        counted = Counter(
            ended.get(run) or (rows[run].state if run in rows else "planned")
            for run in self.plan.cells[found.name]
        )
        return dict(counted)

    def network(self, condition: str, replicate: int = 0) -> Any:
        """The trained network of one run.

        Args:
            condition: A condition's name or label.
            replicate: Which of its runs.

        Returns:
            A `torch.nn.Module` in evaluation mode with the weights that are the run's result; its `state_dict()`
            is what `torch.save` or safetensors take.

        Raises:
            KeyError: That run has not ended.
        """
        from gradlab.engine.weights import network_of

        found = self._find(condition)
        for item in self._ended(found):
            if item.replicate == replicate:
                return network_of(found.spec, self._reader.load_state(item.run, item.epoch))
        raise KeyError(f"replicate {replicate} of {condition!r} has not ended")

    def parameters(self, condition: str) -> int:
        """The exact number of trainable values."""
        return self._find(condition).parameters

    def table(self) -> Any:
        """One row for each run as a polars DataFrame: condition, replicate, state, epochs, losses, flags."""
        import polars as pl

        rows: list[dict[str, Any]] = []
        for condition in self.plan.conditions:
            ended = self._ended(condition)
            loss = dict(zip(*self._replicates_and(parse_quantity("loss@last"), condition), strict=True))
            flags = {flag: self._at_end(flag, ended) for flag in FLAGS}
            for index, item in enumerate(ended):
                rows.append({
                    "condition": condition.label,
                    "setting": condition.setting,
                    "replicate": item.replicate,
                    "run": item.run,
                    "state": item.state,
                    "epochs": item.epoch,
                    "updates": item.updates,
                    "parameters": condition.parameters,
                    "loss": loss.get(item.replicate, float("nan")),
                    **{
                        flag.removeprefix("flag_"): bool(values[index] == 1) for flag, values in flags.items()
                    },
                })
        return pl.DataFrame(rows)

    def save(self, path: str | Path) -> Path:
        """Write the page.

        Args:
            path: The HTML file.

        Returns:
            The file.
        """
        from gradlab.report.page import save

        return save(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Title, verdicts and what they rest on, as JSON-ready data."""
        return {
            "study": self.study.source or self.study.title,
            "title": self.study.title,
            "budget": self.budget,
            "replicates": self.study.replicates,
            "digest": self.digest,
            "elapsed_seconds": self.elapsed,
            "states": {condition.name: self.states(condition.name) for condition in self.plan.conditions},
            "flags": {condition.name: self.flags(condition.name) for condition in self.plan.conditions},
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        from gradlab.report.notebook import result_html

        return result_html(self)

    @cached_property
    def _reader(self) -> Lab:
        return Lab.open(self.lab)

    @cached_property
    def _rows(self) -> dict[str, RunRow]:
        return self._reader.known([run.id for run in self.plan.runs])

    def _find(self, condition: str) -> Condition:
        for found in self.conditions:
            if found.label == condition:
                return found
        return self.plan[condition]

    def _cached(self, what: str, key: str, make: Any) -> Any:
        if (what, key) not in self._cache:
            self._cache[what, key] = make()
        return self._cache[what, key]

    def _ended(self, condition: Condition) -> list[_Ended]:
        return self._cached("ended", condition.name, lambda: self._find_ended(condition))

    def _find_ended(self, condition: Condition) -> list[_Ended]:
        found: list[_Ended] = []
        for replicate, run in enumerate(self.plan.cells[condition.name]):
            row = self._rows.get(run)
            ending = row.at(condition.epochs) if row else None
            if ending is not None:
                state = {"epochs": "done"}.get(ending.reason, ending.reason)
                found.append(_Ended(run, replicate, ending.epoch, ending.updates, state))
        return found

    def _series(self, name: str, condition: Condition) -> Series:
        ended = self._ended(condition)
        traces = self._reader.traces([item.run for item in ended], name)
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

    def _values(self, quantity: Quantity, condition: Condition) -> Sample:
        ended = self._ended(condition)
        values = self._numbers(quantity, condition, ended)
        dead = self._at_end("flag_constant", ended) + self._at_end("flag_dead", ended)
        diverged = np.array([item.state == "diverged" for item in ended], bool)
        sample = Sample(
            values,
            np.array([item.replicate for item in ended], np.int64),
            diverged | (np.nan_to_num(dead) > 0),
            tuple(item.state for item in ended),
        )
        return sample if quantity.where is None else self._kept(sample, quantity, condition)

    def _kept(self, sample: Sample, quantity: Quantity, condition: Condition) -> Sample:
        """The runs for which the quantity's `where` is true."""
        from gradlab.judge.events import holds

        event = quantity.where
        assert event is not None
        keep = holds(event, self._values(event.quantity, condition).values)
        states = tuple(state for state, kept in zip(sample.states, keep, strict=True) if kept)
        return replace(
            sample,
            values=sample.values[keep],
            replicates=sample.replicates[keep],
            flagged=sample.flagged[keep],
            states=states,
        )

    def _numbers(self, quantity: Quantity, condition: Condition, ended: Sequence[_Ended]) -> Floats:
        name = quantity.name
        if name == "epochs":
            return np.array([item.epoch for item in ended], np.float64)
        if name == "updates":
            return np.array([item.updates for item in ended], np.float64)
        if name == "flag_diverged":
            return np.array([item.state == "diverged" for item in ended], np.float64)
        if name in FLAGS:
            return self._at_end(name, ended)
        if name in {"edge_error", "centre_error"}:
            x, truth, outputs = self.predictions(condition.name)
            return edge_errors(x, truth, outputs)[name == "edge_error"]
        if quantity.reducer == "epochs_to" and quantity.trace == "loss" and quantity.threshold is not None:
            passed = self._reader.passages([item.run for item in ended])
            if all(quantity.threshold in passed.get(item.run, {}) for item in ended):
                epochs = [passed[item.run][quantity.threshold] for item in ended]
                return np.array(
                    [e if e <= item.epoch else np.inf for e, item in zip(epochs, ended, strict=True)],
                    np.float64,
                )
        series = self.series(quantity.trace, condition.name)
        return reduce(quantity, series.epochs, series.values)

    def _at_end(self, name: str, ended: Sequence[_Ended]) -> Floats:
        """A scalar of each run at the end that counts here."""
        traces = self._reader.traces([item.run for item in ended], name)
        values = np.full(len(ended), np.nan)
        for row, item in enumerate(ended):
            epochs, found = traces.get(item.run, (np.zeros(0, np.int64), np.zeros(0)))
            places = np.flatnonzero(epochs == item.epoch)
            if len(places):
                values[row] = found[places[-1]]
        return values

    def _replicates_and(
        self, quantity: Quantity, condition: Condition
    ) -> tuple[Sequence[int], Sequence[float]]:
        sample = self._values(quantity, condition)
        return sample.replicates.tolist(), sample.values.tolist()
