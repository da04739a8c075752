"""What a worker hands back, as what the store takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.store.rows import Points, Progress, Reason
from gradlab.train.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradlab.engine.fleets import Crew
    from gradlab.engine.worker import States, Traces
    from gradlab.study.record import Record

__all__ = ["entries", "weights_only"]

UNSCHEDULED = frozenset({"predictions"})
"""Quantities that are recorded at epochs of their own, at the end always."""


def entries(
    crew: Crew, states: States, traces: Traces, kept: Sequence[States] = (), goal: int | None = None
) -> list[Progress]:
    """One entry for each member of a fleet.

    Of runs that are only retraced, nothing is recorded that was recorded before.

    Args:
        crew: The fleet as it was handed out.
        states: Where its members stand now.
        traces: What was recorded on the way.
        kept: Where its members stood at epochs whose weights are kept.
        goal: The epoch to which the slice went.

    Returns:
        States, series on and beside the schedule, and whether each member has ended.
    """
    record = crew.jobs[0].record
    schedule = _Schedule(record)
    made: list[Progress] = []
    for place, (job, state, trace) in enumerate(zip(crew.jobs, states, traces, strict=True)):
        on, beside = ({}, {}) if job.retraces else schedule.split(trace.series)
        ending = _ending(state, crew.targets[0])
        went_on = ending in {None, "epochs"} or state.status_epoch is None
        epoch = state.epoch if went_on else int(state.status_epoch or 0)
        updates = int(trace.series["updates"][1][-1]) if "updates" in trace.series else state.updates
        passed = tuple(weights_only(stood[place]) for stood in kept if stood[place].status == "running")
        retraced = job.retraces and ending is None and goal == job.last
        made.append(
            Progress(
                job.run.id, state, on, beside, ending, epoch, updates, record.thresholds, passed, retraced
            )
        )
    return made


def weights_only(state: State) -> State:
    """A state with nothing but the weights and buffers that the network had."""
    buffers = {name: buffer for name, buffer in state.buffers.items() if not name.startswith("best.")}
    return State(state.epoch, state.updates, state.weights, {}, buffers)


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
