"""Weights that a plan keeps on the way of its runs, and which of them a lab lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradlab.store.lab import Lab
    from gradlab.store.rows import RunRow
    from gradlab.study.plan import Plan

__all__ = ["Keeping"]


class Keeping:
    """What is kept, and what of it has to be computed.

    Args:
        plan: The plan.
        lab: The lab.
        known: What the lab knows about the runs.
        wanted: Runs and epochs whose weights will be looked at; their files are read to see whether they are sound.
    """

    def __init__(
        self, plan: Plan, lab: Lab, known: Mapping[str, RunRow], wanted: Collection[tuple[str, int]]
    ) -> None:
        self._known = known
        self._ends: dict[str, set[int]] = {}
        for condition in plan.conditions:
            for run in plan.cells[condition.name]:
                self._ends.setdefault(run, set()).add(condition.epochs)
        self._lacks: dict[str, tuple[int, ...]] = {}
        self._damaged: set[str] = set()
        unsound = self._unsound(lab, wanted)
        for run, epochs in plan.snapshots.items():
            ends = self._ends[run]
            between = (epoch for epoch in sorted(set(epochs)) if epoch not in ends and epoch < max(ends))
            self._lacks[run] = tuple(epoch for epoch in between if not self._there(run, epoch, unsound))

    def lacks(self, run: str) -> tuple[int, ...]:
        """Epochs of a run whose weights are to be kept and are not there, rising; no ends among them."""
        return self._lacks.get(run, ())

    def damaged(self, run: str) -> bool:
        """Whether the weights that a run ended with are wanted, and damaged."""
        return run in self._damaged

    def _there(self, run: str, epoch: int, unsound: Collection[tuple[str, int]]) -> bool:
        """Whether weights are kept, or a state stands in for them: that of an end, there or before."""
        row = self._known.get(run)
        if row is None:
            return False
        return (epoch in row.snapshots and (run, epoch) not in unsound) or row.at(epoch) is not None

    def _unsound(self, lab: Lab, wanted: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        """Snapshots that are damaged; runs whose ends are damaged are noted."""
        snapshots: set[tuple[str, int]] = set()
        ends: set[tuple[str, int]] = set()
        for run, epoch in wanted:
            row = self._known.get(run)
            end = None if row is None else row.at(epoch)
            if end is not None:
                ends.add((run, end.epoch))
            elif row is not None and epoch in row.snapshots:
                snapshots.add((run, epoch))
        self._damaged.update(run for run, _ in ends - lab.sound(ends))
        return snapshots - lab.sound(snapshots, "snapshot")
