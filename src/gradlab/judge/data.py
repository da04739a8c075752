"""What the judge reads: a result's runs at one setting of what was assumed, ranked so that nothing is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gradlab.judge.events import holds
from gradlab.judge.evidence import Array
from gradlab.judge.reduce import edge_errors, inside
from gradlab.study.instruments import INSTRUMENTS, UNITS
from gradlab.study.quantity import Event, Quantity, counted_in

__all__ = ["Data", "NoRuns", "Results", "Values", "not_measured", "paired"]


class SeriesLike(Protocol):
    """A recorded quantity over epochs: `epochs` [k], `values` [n, k] padded with NaN, `replicates` [n]."""

    @property
    def epochs(self) -> NDArray[np.int64]: ...
    @property
    def values(self) -> Array: ...
    @property
    def replicates(self) -> NDArray[np.int64]: ...


class CurvesLike(Protocol):
    """An instrument's value along its axis: `places` [k], `values` [n, k] padded with NaN, `units` [n]."""

    @property
    def places(self) -> Array: ...
    @property
    def values(self) -> Array: ...
    @property
    def units(self) -> NDArray[np.int64]: ...


class SampleLike(Protocol):
    """One number per run (pair, set): `values`, `replicates`, `flagged`, `states`, each of length n."""

    @property
    def values(self) -> Array: ...
    @property
    def replicates(self) -> NDArray[np.int64]: ...
    @property
    def flagged(self) -> NDArray[np.bool_]: ...
    @property
    def states(self) -> Sequence[str]: ...


class Results(Protocol):
    """The least that a result must offer to be judged; `plan` is a `study.plan.Plan` or looks like one."""

    @property
    def plan(self) -> Any:
        """What was run."""
        ...

    def series(self, quantity: str, condition: str) -> SeriesLike:
        """A series over epochs, of a condition."""
        ...

    def curves(self, quantity: str, group: str) -> CurvesLike:
        """What an instrument gives along its own axis, of a condition or a group of pairs or sets."""
        ...

    def values(self, quantity: Quantity, condition: str) -> SampleLike:
        """One number per run of a condition; per unit of a group where an instrument measures pairs or sets."""
        ...

    def predictions(self, condition: str) -> tuple[Array, Array, Array]:
        """Grid `[G, in]`, truth `[G, out]` and outputs `[n, G, out]`."""
        ...


class NoRuns(Exception):
    """A condition has no run to judge; the message says which."""


@dataclass(frozen=True)
class Values:
    """One number per run of a condition, by replicate; or per pair or set of a group, by its index.

    Attributes:
        values: The numbers; bad runs stand at the bad end, as an infinity.
        replicates: Replicate numbers, increasing.
        flagged: Runs that are constant, dead or diverged (pairs and sets with such a run).
        counts: How many runs are constant or dead, diverged, never reached, failed, not measured or were left out by
            `where`.
        missing: Runs that an instrument could not measure: whatever their value, it is not known.
    """

    values: Array
    replicates: NDArray[np.int64]
    flagged: NDArray[np.bool_]
    counts: Mapping[str, int]
    missing: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    def kept(self, keep: NDArray[np.bool_]) -> Values:
        """Only some of the runs."""
        return replace(
            self,
            values=self.values[keep],
            replicates=self.replicates[keep],
            flagged=self.flagged[keep],
            missing=self.missing[keep],
        )


class Data:
    """The runs of one study at one setting of its assumptions.

    Args:
        results: The result.
        setting: One of the plan's settings; `None` for plans without assumptions.
        without_flagged: Leave constant, dead, diverged and unmeasured runs out, to see whether that changes a verdict.
    """

    def __init__(
        self, results: Results, setting: str | None = None, *, without_flagged: bool = False
    ) -> None:
        self._results = results
        self._without_flagged = without_flagged
        chosen = [
            c for c in results.plan.conditions if setting is None or getattr(c, "setting", None) == setting
        ]
        self.smallest_effect: float | None = getattr(
            getattr(results.plan, "study", None), "smallest_effect", None
        )
        """The study's smallest effect of interest: a ratio or a difference."""
        self._of_label = {str(getattr(c, "label", c.name)): c for c in chosen}
        self._setting = setting
        self._asked: tuple[Quantity, ...] = ()
        self._kind = ""
        self.one, self.counted = UNITS["run"]
        """What is counted, one and several: run and runs, pair and pairs, set and sets."""

    def seen_by(self, quantities: Iterable[Quantity]) -> Data:
        """The same data as quantities see it that are taken by instruments.

        Conditions become the groups of the instrument where it measures pairs or sets, and what is counted are
        pairs or sets. Only what all the instruments have measured is at hand.
        """
        asked = tuple(quantity for quantity in quantities if quantity.instruments())
        if not asked:
            return self
        view = copy(self)
        vars(view).pop("conditions", None)
        view._asked = asked
        view._kind = next((kind for kind in sorted(counted_in(asked)) if kind), "")
        if view._kind:
            groups = self._results.plan.groups(view._kind).values()
            view._of_label = {
                group.label: group for group in groups if self._setting in {None, group.setting}
            }
            view.one, view.counted = UNITS[INSTRUMENTS[view._kind].scope]
        return view

    @property
    def unit_size(self) -> int:
        """Of how many replicates one of what is counted is made."""
        return int(self._results.plan.unit_size(self._kind)) if self._kind else 1

    @cached_property
    def conditions(self) -> dict[str, Mapping[str, str]]:
        """The levels of each condition, by the label that claims use."""
        return {label: dict(condition.levels) for label, condition in self._of_label.items()}

    def condition(self, label: str) -> Any:
        """The plan's condition of that label."""
        return self._of_label[label]

    def share_draws(self, a: str, b: str) -> bool:
        """Whether equal replicates of two conditions share a random draw: decided by the specification."""
        names = (self._of_label[a].name, self._of_label[b].name)
        plan = self._results.plan
        return bool(plan.pairs(*names, self._kind) if self._kind else plan.pairs(*names))

    def series(self, quantity: Quantity, label: str) -> tuple[Array, Array, NDArray[np.int64]]:
        """Epochs (places) `[k]`, values `[n, k]` and replicates `[n]` of a series, cut to the quantity's window."""
        name = self._of_label[label].name
        if quantity.axis == "epoch":
            found = self._results.series(quantity.trace, name)
            epochs, replicates = np.asarray(found.epochs, np.float64), np.asarray(found.replicates)
        else:
            found = self._results.curves(quantity.trace, name)
            epochs, replicates = np.asarray(found.places, np.float64), np.asarray(found.units)
        values = np.array(found.values, dtype=np.float64)
        if len(values) == 0:
            raise NoRuns(f"{label} has no {self.one} to judge")
        if quantity.window is not None and quantity.axis != "epoch":
            values[:, ~inside(quantity.window, epochs)] = np.nan
        elif quantity.window is not None:
            low, high = quantity.window
            lengths = np.array([epochs[~np.isnan(row)].max(initial=0) for row in values])[:, None]
            start = low * lengths if isinstance(low, float) else (0 if low is None else low)
            end = high * lengths if isinstance(high, float) else (np.inf if high is None else high)
            values[(epochs[None] < start) | (epochs[None] > end)] = np.nan
        return epochs, values, replicates

    def count(self, label: str) -> int:
        """How many runs of a condition have ended, and been measured where an instrument is asked."""
        name = self._of_label[label].name
        asked = [quantity for each in self._asked for quantity in _alone(each) if quantity.instrument]
        ended = [] if self._kind else [Quantity(name="epochs")]
        counts = [
            sum(state in _FINISHED for state in self._results.values(quantity, name).states)
            for quantity in [*ended, *asked]
        ]
        return min(counts)

    def values(self, quantity: Quantity, label: str, *, rank: bool = True) -> Values:
        """One number per run.

        A diverged run stands at the bad end of whatever is taken from its curves.

        Args:
            quantity: What is asked; its `where` keeps only some runs.
            label: The condition.
            rank: Put constant and dead runs there too, for measures of performance, and runs without a value.

        Returns:
            The numbers by replicate; failed runs have none and are counted.

        Raises:
            NoRuns: None has ended, or none is left.
        """
        found = self._values(quantity, label, rank)
        if quantity.where is not None:
            found, others = paired(found, self._values(quantity.where.quantity, label, rank=False))
            keep = holds(quantity.where, others.values)
            found = replace(found.kept(keep), counts={**found.counts, "left out": int((~keep).sum())})
        found = found.kept(~(found.flagged | found.missing)) if self._without_flagged else found
        if len(found) == 0:
            raise NoRuns(f"{label} has no {self.one} to judge")
        return found

    def unmeasured(self, quantity: Quantity, label: str) -> NDArray[np.bool_]:
        """Which of the runs that a series has rows of an instrument could not measure; none where it is recorded."""
        _, values, _ = self.series(quantity.model_copy(update={"window": None}), label)
        if not quantity.instrument:
            return np.zeros(len(values), dtype=bool)
        return np.asarray(np.isnan(values).all(axis=1), dtype=bool)

    def event(self, event: Event, label: str) -> tuple[NDArray[np.bool_], Values]:
        """Whether an event happened in each run, and the runs."""
        values = self.values(event.quantity, label, rank=False)
        return holds(event, values.values), values

    def _values(self, quantity: Quantity, label: str, rank: bool) -> Values:
        """The numbers of all runs that have ended."""
        if self.count(label) == 0:
            raise NoRuns(f"{label} has no {self.one} to judge")
        sample = self._sample(quantity.model_copy(update={"where": None}), label)
        states = np.array(list(sample.states), dtype=object)
        order = np.argsort(np.asarray(sample.replicates), kind="stable")
        present = np.array([states[i] in _FINISHED for i in order], dtype=bool)
        kept = order[present]
        values = np.array(sample.values, dtype=np.float64)[kept]
        diverged = states[kept] == "diverged"
        flagged = np.asarray(sample.flagged, dtype=bool)[kept] | diverged
        never = np.zeros(len(values), bool)
        if quantity.reducer in {"epochs_to", "at_loss"}:
            never = np.isinf(values) | (np.isnan(values) & (quantity.reducer == "at_loss") & ~diverged)
        counts = {
            "constant or dead": int((flagged & ~diverged).sum()),
            "diverged": int(diverged.sum()),
            "never": int(never.sum()),
            "failed": int((~present).sum()),
        }
        missing = np.isnan(values) & bool(quantity.instrument) & ~never
        if quantity.instrument:
            counts["not measured"] = int(missing.sum())
        bad = diverged & ((rank or quantity.known.shape == "series") & (not quantity.instrument))
        if rank:
            bad |= np.isnan(values) | (flagged & quantity.known.performance)
        worst = np.inf if quantity.worst == "high" else -np.inf
        values = np.where(bad, worst, values)
        return Values(values, np.asarray(sample.replicates)[kept], flagged, counts, missing)

    def _sample(self, quantity: Quantity, label: str) -> SampleLike:
        name = self._of_label[label].name
        if quantity.name in {"edge_error", "centre_error"}:
            base = self._results.values(Quantity(name="epochs"), name)
            centre, edge = edge_errors(*self._results.predictions(name))
            return _Sample(edge if quantity.name == "edge_error" else centre, base)
        if quantity.name == "flag_diverged":
            base = self._results.values(Quantity(name="epochs"), name)
            return _Sample(np.array([float(state == "diverged") for state in base.states]), base)
        return self._results.values(quantity, name)


def _alone(quantity: Quantity) -> list[Quantity]:
    """A quantity without its `where`, and that of the `where`."""
    if quantity.where is None:
        return [quantity]
    return [quantity.model_copy(update={"where": None}), *_alone(quantity.where.quantity)]


_FINISHED: Final = frozenset({"done", "stopped", "diverged"})


@dataclass(frozen=True)
class _Sample:
    """Numbers that the judge computes itself, on the runs of another sample."""

    values: Array
    base: SampleLike

    @property
    def replicates(self) -> NDArray[np.int64]:
        return self.base.replicates

    @property
    def flagged(self) -> NDArray[np.bool_]:
        return self.base.flagged

    @property
    def states(self) -> Sequence[str]:
        return self.base.states


def paired(a: Values, b: Values) -> tuple[Values, Values]:
    """The runs of two conditions that have a partner of the same replicate.

    Args:
        a: One condition.
        b: The other.

    Returns:
        Both, cut to the common replicates, in the same order.
    """
    common = np.intersect1d(a.replicates, b.replicates)
    return a.kept(np.isin(a.replicates, common)), b.kept(np.isin(b.replicates, common))


def not_measured(unknown: NDArray[np.bool_]) -> dict[str, int]:
    """How many runs, pairs or sets have no value, as a finding's count; nothing where each has one.

    Args:
        unknown: For each, whether its value is not known.

    Example:
        >>> not_measured(np.array([True, False, True])), not_measured(np.array([False]))
        ({'not measured': 2}, {})
    """
    return {"not measured": int(unknown.sum())} if unknown.any() else {}
