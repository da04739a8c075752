"""What a study found: the stored runs of a plan, as curves, samples and verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.engine.measured import Curves, Failure, Instruments, Measured
from gradlab.engine.quantities import Quantities
from gradlab.engine.recorded import Recorded
from gradlab.engine.samples import Sample, Series
from gradlab.study.factors import BASE_SETTING
from gradlab.study.instruments import INSTRUMENTS
from gradlab.study.quantity import Quantity, parse_quantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.judge.verdict import Verdict
    from gradlab.study import Condition, Plan, Study
    from gradlab.study.subjects import Group

    Floats = NDArray[np.float64]

__all__ = ["Result", "Sample", "Series"]


def _value_of(name: str) -> Quantity | None:
    """The quantity of an instrument's value by its name alone; nothing if training records it."""
    kind, _, value = name.partition(".")
    if kind not in INSTRUMENTS or value not in INSTRUMENTS[kind].gives:
        return None
    return Quantity(name=kind, split=value)


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
        self._recorded = recorded = Recorded(plan, lab)
        self._instruments = Instruments(plan, lambda: recorded.lab, recorded.has_ended)
        self._quantities = Quantities(recorded, self._instruments)

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
        return self._quantities.digest

    def series(self, quantity: str | Quantity, condition: str) -> Series:
        """A recorded series up to the condition's horizon, or an instrument's number over its epochs.

        Args:
            quantity: As in `loss.test` or `hessian.positive`.
            condition: A condition's name or label.

        Returns:
            The series of the runs that have ended.

        Raises:
            KeyError: It was not recorded or measured, or has another axis than epochs.
        """
        name = quantity if isinstance(quantity, str) else quantity.trace
        asked = _value_of(name)
        if asked is not None:
            return self._quantities.series(asked, self._group(asked, condition))
        return self._recorded.series(name, self._find(condition))

    def curves(self, quantity: str | Quantity, group: str) -> Curves:
        """What an instrument gives along its own axis, such as a loss along alpha.

        Args:
            quantity: As in `interpolation.loss.test`.
            group: Name or label of a condition, or of a group of pairs or sets.

        Returns:
            One curve a unit, all on the same places.

        Raises:
            KeyError: The study does not declare the instrument, or the value has no axis of its own.
        """
        name = quantity if isinstance(quantity, str) else quantity.trace
        asked = _value_of(name)
        if asked is None:
            raise KeyError(name)
        return self._quantities.curves(asked, self._group(asked, group))

    def measured(self, kind: str, group: str | None = None) -> list[Measured]:
        """The measurements of one instrument, those that failed included.

        Args:
            kind: The instrument, such as `hessian`.
            group: Name or label of a condition, or of a group of pairs or sets; all of this setting if not given.

        Returns:
            One for each unit and epoch, in order; each is a mapping of names to values.

        Raises:
            KeyError: The study does not declare the instrument, or it has no such group.
        """
        if kind not in self.study.measure:
            raise KeyError(kind)
        if group is None:
            groups = [each for each in self.plan.groups(kind).values() if each.setting == self.setting]
        else:
            groups = [self._instruments.group(kind, group, self.setting)]
        return [one for each in groups for unit in self._instruments.units(kind, each) for one in unit.found]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What instruments could not measure at this setting, each with the cause."""
        return tuple(
            Failure(kind, one.group, one.unit, one.epoch, one.failure)
            for kind in self.study.measure
            for one in self.measured(kind)
            if one.failure
        )

    def values(self, quantity: str | Quantity, condition: str) -> Sample:
        """One number for each run that has ended; of an instrument, for each unit that has been measured too.

        Args:
            quantity: In the grammar of quantities; its `where` leaves out the runs for which it is false.
            condition: A condition's name or label; of an instrument of pairs or sets, a group's.

        Returns:
            The sample; the replicates of pairs and sets are their indices.

        Raises:
            KeyError: What it is taken from was not recorded, or the study does not declare the instrument.
        """
        asked = parse_quantity(quantity) if isinstance(quantity, str) else quantity
        found = self._group(asked, condition) if asked.instrument else self._find(condition)
        return self._quantities.sample(asked, found.name)

    def predictions(self, condition: str) -> tuple[Floats, Floats, Floats]:
        """What the final networks give on the task's grid.

        Args:
            condition: A condition's name or label.

        Returns:
            Inputs [G, in], targets [G, out] and outputs [n, G, out].

        Raises:
            KeyError: Predictions were not recorded, or the task has no grid.
        """
        return self._recorded.predictions(self._find(condition))

    def flags(self, condition: str) -> dict[str, int]:
        """How many of the ended runs predict a constant, are dead, or diverged."""
        ended = self._recorded.ended(self._find(condition))
        counts = {flag: int(np.nansum(values)) for flag, values in self._recorded.flags(ended).items()}
        return counts | {"diverged": sum(item.state == "diverged" for item in ended)}

    def states(self, condition: str) -> dict[str, int]:
        """How many runs are in which state, those that have not ended included."""
        found = self._find(condition)
        ended = {item.run: item.state for item in self._recorded.ended(found)}
        rows = self._recorded.rows
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
        for item in self._recorded.ended(found):
            if item.replicate == replicate:
                return network_of(found.spec, self._recorded.lab.load_state(item.run, item.epoch))
        raise KeyError(f"replicate {replicate} of {condition!r} has not ended")

    def parameters(self, condition: str) -> int:
        """The exact number of trainable values."""
        return self._find(condition).parameters

    def table(self) -> Any:
        """One row for each run as a polars DataFrame: condition, replicate, state, epochs, losses, flags.

        What instruments give of single runs, one number each, are further columns (`hessian.positive`); for pairs,
        sets and values along an axis there is `measurements`.
        """
        from gradlab.engine.tables import runs_table

        return runs_table(self)

    def measurements(self, kind: str | None = None) -> Any:
        """One row for each number that instruments gave, as a polars DataFrame.

        Columns: kind, setting, group, unit, epoch, value (its name), axis, place, index (within arrays), number,
        low and high (its error, or band), failure. A failed measurement is a row without number.

        Args:
            kind: One instrument; all if not given.
        """
        from gradlab.engine.tables import measurements_table

        return measurements_table(self, kind)

    def rows(self, condition: Condition) -> list[dict[str, Any]]:
        """What is known of each run of a condition that has ended: how, after how long, and its flags."""
        ended = self._recorded.ended(condition)
        flags = self._recorded.flags(ended)
        return [
            {
                "replicate": item.replicate,
                "run": item.run,
                "state": item.state,
                "epochs": item.epoch,
                "updates": item.updates,
                **{flag: bool(values[index] == 1) for flag, values in flags.items()},
            }
            for index, item in enumerate(ended)
        ]

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
            "measured": {kind: [one.to_dict() for one in self.measured(kind)] for kind in self.study.measure},
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        from gradlab.report.notebook import result_html

        return result_html(self)

    def _find(self, condition: str) -> Condition:
        for found in self.conditions:
            if found.label == condition:
                return found
        return self.plan[condition]

    def _group(self, quantity: Quantity, name: str) -> Group:
        """The group of an instrument's value by name or label."""
        if quantity.instrument not in self.study.measure:
            raise KeyError(quantity.trace)
        return self._instruments.group(quantity.instrument, name, self.setting)
