"""What a worker hands back, as what the store takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.store.rows import Points, Progress, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradlab.engine.fleets import Crew
    from gradlab.engine.worker import States, Traces
    from gradlab.study.record import Record
    from gradlab.train.state import State

__all__ = ["entries"]

UNSCHEDULED = frozenset({"predictions"})
"""Quantities that are recorded at epochs of their own, at the end always."""


def entries(crew: Crew, states: States, traces: Traces) -> list[Progress]:
    """One entry for each member of a fleet.

    Args:
        crew: The fleet as it was handed out.
        states: Where its members stand now.
        traces: What was recorded on the way.

    Returns:
        States, series on and beside the schedule, and whether each member has ended.
    """
    record = crew.jobs[0].record
    schedule = _Schedule(record)
    made: list[Progress] = []
    for job, state, trace in zip(crew.jobs, states, traces, strict=True):
        on, beside = schedule.split(trace.series)
        ending = _ending(state, crew.targets[0])
        went_on = ending in {None, "epochs"} or state.status_epoch is None
        epoch = state.epoch if went_on else int(state.status_epoch or 0)
        updates = int(trace.series["updates"][1][-1]) if "updates" in trace.series else state.updates
        made.append(Progress(job.run.id, state, on, beside, ending, epoch, updates, record.thresholds))
    return made


def _ending(state: State, horizon: int) -> Reason | None:
    if state.status == "diverged":
        return "diverged"
    if state.status == "stopped":
        return "stopped"
    return "epochs" if state.epoch >= horizon else None


class _Schedule:
    """Tells points on a record's schedule from those beside it; members mostly share their epochs."""

    def __init__(self, record: Record) -> None:
        self._times = record.times
        self._quantities = frozenset(record.quantities) - UNSCHEDULED
        self._masks: dict[bytes, np.ndarray] = {}

    def split(self, series: Mapping[str, Points]) -> tuple[dict[str, Points], dict[str, Points]]:
        on: dict[str, Points] = {}
        beside: dict[str, Points] = {}
        for quantity, (epochs, values) in series.items():
            if not len(epochs):
                continue
            if quantity not in self._quantities:
                beside[quantity] = (epochs, values)
                continue
            mask = self._mask(epochs)
            if mask.all():
                on[quantity] = (epochs, values)
                continue
            if mask.any():
                on[quantity] = (epochs[mask], values[mask])
            beside[quantity] = (epochs[~mask], values[~mask])
        return on, beside

    def _mask(self, epochs: np.ndarray) -> np.ndarray:
        key = epochs.tobytes()
        if key not in self._masks:
            self._masks[key] = np.isin(epochs, self._times.points(int(epochs[-1])))
        return self._masks[key]
