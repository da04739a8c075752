"""Runs of one specification as fleets, sized so that the slices of each last about as long."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gradlab.engine import rates as times
from gradlab.engine.missing import Job
from gradlab.train.fleet import Backend, Fleet, Member

if TYPE_CHECKING:
    from gradlab.engine.library import Library
    from gradlab.engine.rates import Rates
    from gradlab.task.data import Data
    from gradlab.train.state import State

__all__ = ["MOST_MEMBERS", "Crew", "crews", "stops", "until"]

MOST_MEMBERS = 128

MOST_ON_DEVICE = 64
"""Members that a GPU trains at once: they share its every step, so as many as there are, within its memory."""


@dataclass(frozen=True)
class Crew:
    """A fleet on its way: its members stand at one epoch and go to the same horizons.

    Attributes:
        jobs: One for each member.
        backend: What trains them.
        states: Where they stand; `None` before the first slice of runs that begin anew.
        epoch: The epoch there.
        targets: Horizons still to reach, rising.
        starts: Initial states that come from other runs, by run id.
        careful: Whether it is to be computed alone, because a worker died of it or beside it.
    """

    jobs: tuple[Job, ...]
    backend: Backend
    states: tuple[State, ...] | None
    epoch: int
    targets: tuple[int, ...]
    starts: Mapping[str, State]
    careful: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The run ids of the members."""
        return tuple(job.run.id for job in self.jobs)

    def only(self, members: Iterable[int], *, careful: bool | None = None) -> Crew:
        """The crew with some of its members."""
        chosen = list(members)
        states = None if self.states is None else tuple(self.states[member] for member in chosen)
        return replace(
            self,
            jobs=tuple(self.jobs[member] for member in chosen),
            states=states,
            careful=self.careful if careful is None else careful,
        )

    def fleet(self, library: Library) -> Fleet:
        """What a worker is given."""
        data: dict[int, Data] = {}
        members: list[Member] = []
        for job in self.jobs:
            own = library.data(job)
            place = list(data).index(id(own)) if id(own) in data else len(data)
            data[id(own)] = own
            members.append(Member(job.run.id, dict(job.run.seeds), place, self.starts.get(job.run.id)))
        first = self.jobs[0]
        device = library.device if self.backend == "vmap" else "cpu"
        return Fleet(
            first.spec,
            self.targets[0],
            first.record,
            self.backend,
            tuple(data.values()),
            tuple(members),
            device=device,
        )


def crews(jobs: Sequence[Job], rates: Rates, library: Library, workers: int) -> list[Crew]:
    """Runs as fleets.

    Fleets are as large as a slice allows, but no worker should be idle for want of a fleet.

    Args:
        jobs: Runs that can be begun now.
        rates: How long an epoch takes.
        library: What trains them.
        workers: How many slices are computed at a time.

    Returns:
        The fleets, without states yet.
    """
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        way = (job.condition, job.start, job.targets, job.snapshots, job.retraces, id(job.record))
        groups.setdefault(way, []).append(job)
    made: list[Crew] = []
    for members in groups.values():
        first = members[0]
        each = rates.seconds(first) * (first.last - first.start)
        if library.backend(first) == "vmap":
            size = MOST_ON_DEVICE
        else:
            size = min(MOST_MEMBERS, max(1, int(times.SLICE_SECONDS / max(each, 1e-9))))
            if each * len(members) > times.SLICE_SECONDS / 4:
                size = min(size, math.ceil(len(members) / workers))
        count = math.ceil(len(members) / size)
        for part in range(count):
            chosen = tuple(members[part::count])
            made.append(Crew(chosen, library.backend(first), None, first.start, first.targets, {}))
    return made


def until(crew: Crew, rates: Rates) -> int:
    """The epoch to which the next slice should go, at least one further and at most the next horizon.

    Where runs are only retraced, it is at most the last of their snapshots, which may be where they stand.
    """
    each = rates.seconds(crew.jobs[0]) * len(crew.jobs)
    end = min(crew.targets[0], crew.jobs[0].last)
    wanted = max(1, int(rates.slice_seconds(crew) / max(each, 1e-12)))
    if wanted * 1.25 >= end - crew.epoch:
        return end
    return crew.epoch + wanted


def stops(crew: Crew, goal: int) -> tuple[int, ...]:
    """The epochs of the next slice, which goes to `goal`, at which weights are kept; an end is no such epoch."""
    first = crew.jobs[0]
    begins = crew.epoch == first.start  # only the first slice has not kept what it starts from
    return tuple(
        epoch
        for epoch in first.snapshots
        if (epoch > crew.epoch or (begins and epoch == crew.epoch))
        and epoch <= goal
        and epoch < crew.targets[0]
    )
