"""Runs of one specification as fleets, sized so that the slices of each last about as long."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gradlab.component import canonical_json
from gradlab.engine.missing import Job
from gradlab.study.cost import epoch_seconds
from gradlab.train.fleet import Backend, Fleet, Member

if TYPE_CHECKING:
    from gradlab.study.spec import Spec
    from gradlab.task.data import Data
    from gradlab.train.state import State

    Build = Callable[[Spec, Mapping[str, int]], Data]

__all__ = ["SLICE_SECONDS", "Crew", "Library", "Rates", "crews", "until"]

SLICE_SECONDS = 2.0
"""How long a slice should last: the work that a crash can cost, and the time between two lines of progress."""

MOST_MEMBERS = 128

FIRST_SLICE_SECONDS = 0.5
"""The first slice is planned from an estimate that may be several times off; later ones from measurement."""


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
        return Fleet(
            first.spec, self.targets[0], first.record, self.backend, tuple(data.values()), tuple(members)
        )


class Library:
    """What runs learn from and what trains them, found once.

    Args:
        build: Makes the data of a specification from seeds.
        pick: Picks what trains a specification.
    """

    def __init__(self, build: Build, pick: Callable[[Spec], Backend]) -> None:
        self._build = build
        self._pick = pick
        self._texts: dict[str, str] = {}
        self._picked: dict[str, Backend] = {}
        self._examples: dict[str, int] = {}
        self._shelf: dict[tuple[str, int | None, int | None], Data] = {}

    def data(self, job: Job) -> Data:
        """The data of one run; equal task and seeds give the same object."""
        if job.condition not in self._texts:
            own = job.spec.canonical()
            self._texts[job.condition] = canonical_json([own["task"], own.get("validation")])
        key = (self._texts[job.condition], job.run.seeds.get("data"), job.run.seeds.get("labels"))
        if key not in self._shelf:
            self._shelf[key] = self._build(job.spec, job.run.seeds)
        return self._shelf[key]

    def backend(self, job: Job) -> Backend:
        """What trains a run."""
        if job.condition not in self._picked:
            self._picked[job.condition] = self._pick(job.spec)
        return self._picked[job.condition]

    def examples(self, job: Job) -> int:
        """How many examples a run learns from; replicates of a condition all have as many."""
        if job.condition not in self._examples:
            self._examples[job.condition] = len(self.data(job).x)
        return self._examples[job.condition]


class Rates:
    """How many seconds an epoch of one member takes: estimated at first, then measured.

    Args:
        library: Knows what trains a run, and on how many examples.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._estimated: dict[str, float] = {}
        self._measured: dict[str, float] = {}
        self._trust = 1.0

    def seconds(self, job: Job) -> float:
        """Seconds an epoch of one member."""
        measured = self._measured.get(job.condition)
        return measured if measured is not None else self._trust * self._estimate(job)

    def learn(self, crew: Crew, epochs: int, seconds: float) -> None:
        """Take note of a slice."""
        first = crew.jobs[0]
        if epochs > 0:
            found = seconds / (epochs * len(crew.jobs))
            before = self._measured.get(first.condition, found)
            self._measured[first.condition] = found if found < before else math.sqrt(found * before)
            self._trust = self._measured[first.condition] / self._estimate(first)

    def knows(self, crew: Crew) -> bool:
        """Whether slices like this have been measured."""
        return crew.jobs[0].condition in self._measured

    def _estimate(self, job: Job) -> float:
        if job.condition not in self._estimated:
            fused = self._library.backend(job) == "kernel"
            found = epoch_seconds(job.spec, job.parameters, self._library.examples(job), fused=fused)
            self._estimated[job.condition] = found
        return self._estimated[job.condition]


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
        groups.setdefault((job.condition, job.start, job.targets, id(job.record)), []).append(job)
    made: list[Crew] = []
    for members in groups.values():
        first = members[0]
        each = rates.seconds(first) * (first.targets[-1] - first.start)
        size = min(MOST_MEMBERS, max(1, int(SLICE_SECONDS / max(each, 1e-9))))
        if each * len(members) > SLICE_SECONDS / 4:
            size = min(size, math.ceil(len(members) / workers))
        count = math.ceil(len(members) / size)
        for part in range(count):
            chosen = tuple(members[part::count])
            made.append(Crew(chosen, library.backend(first), None, first.start, first.targets, {}))
    return made


def until(crew: Crew, rates: Rates) -> int:
    """The epoch to which the next slice should go, at least one further and at most the next horizon."""
    each = rates.seconds(crew.jobs[0]) * len(crew.jobs)
    planned = SLICE_SECONDS if rates.knows(crew) else FIRST_SLICE_SECONDS
    remaining = crew.targets[0] - crew.epoch
    wanted = max(1, int(planned / max(each, 1e-12)))
    if wanted * 1.25 >= remaining:
        return crew.targets[0]
    return crew.epoch + wanted
