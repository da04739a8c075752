"""How long things take: estimated at first, then measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradlab.study.cost import epoch_seconds

if TYPE_CHECKING:
    from gradlab.engine.fleets import Crew
    from gradlab.engine.library import Library
    from gradlab.engine.missing import Job

__all__ = ["LONG_SLICE_SECONDS", "SLICE_SECONDS", "Rates"]

SLICE_SECONDS = 2.0
"""How long a slice should last: the work that a crash can cost, and the time between two lines of progress."""

LONG_SLICE_SECONDS = 10.0
"""The same where a checkpoint is so large that writing it would cost more than its share."""

STORING_SHARE = 0.02
"""The share of training time that checkpoints may take."""

FIRST_SLICE_SECONDS = 0.5
"""The first slice is planned from an estimate that may be several times off; later ones from measurement."""


class Rates:
    """How many seconds an epoch of one member takes, and its checkpoint.

    Args:
        library: Knows what trains a run.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._estimated: dict[str, float] = {}
        self._measured: dict[str, float] = {}
        self._storing: dict[str, float] = {}
        self._trust = 1.0

    def seconds(self, job: Job) -> float:
        """Seconds an epoch of one member."""
        measured = self._measured.get(job.condition)
        return measured if measured is not None else self._trust * self._estimate(job)

    def left(self, job: Job, epoch: int) -> float:
        """Seconds of one core until a run is through, from an epoch on."""
        return self.seconds(job) * (job.last - epoch)

    def learn(self, crew: Crew, epochs: int, seconds: float, storing: float = 0.0) -> None:
        """Take note of a slice.

        Args:
            crew: The fleet.
            epochs: Epochs of each member.
            seconds: Time that training took.
            storing: Time that handing over and storing took.
        """
        first = crew.jobs[0]
        if epochs > 0:
            found = seconds / (epochs * len(crew.jobs))
            before = self._measured.get(first.condition, found)
            self._measured[first.condition] = found if found < before else math.sqrt(found * before)
            self._trust = self._measured[first.condition] / self._estimate(first)
            each = storing / len(crew.jobs)
            self._storing[first.condition] = (each + self._storing.get(first.condition, each)) / 2

    def slice_seconds(self, crew: Crew) -> float:
        """How long the next slice of a fleet should last."""
        first = crew.jobs[0].condition
        if first not in self._measured:
            return FIRST_SLICE_SECONDS
        storing = self._storing.get(first, 0.0) * len(crew.jobs)
        return max(SLICE_SECONDS, min(storing / STORING_SHARE, LONG_SLICE_SECONDS))

    def _estimate(self, job: Job) -> float:
        if job.condition not in self._estimated:
            backend = self._library.backend(job)
            found = epoch_seconds(job.spec, backend, job.record, max(1, job.targets[-1]))
            self._estimated[job.condition] = found
        return self._estimated[job.condition]
