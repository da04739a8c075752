"""How far the runs of a plan are, and what is said of them at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradlab.engine.progress import Snapshot

if TYPE_CHECKING:
    from gradlab.engine.missing import Job

__all__ = ["Tally"]

MOST_TOLD = 5
"""Failed runs beyond this are only counted."""


class Tally:
    """Counts what happens to runs in one execution of a plan.

    Args:
        jobs: The runs that have to be trained.

    Attributes:
        begun: Runs that were handed to a worker.
        finished: Runs that have reached all their ends.
        diverged: Runs that diverged.
        failed: The error of each run that failed.
        epochs: Epochs trained, by condition.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.begun: set[str] = set()
        self.finished: set[str] = set()
        self.diverged: set[str] = set()
        self.failed: dict[str, str] = {}
        self.epochs: Counter[str] = Counter()
        self._jobs = {job.run.id: job for job in jobs}

    @property
    def unfinished(self) -> list[str]:
        """Runs that were begun and have neither ended nor failed, sorted."""
        return sorted(self.begun - self.finished - set(self.failed))

    def left(self) -> int:
        """Runs that still have to be trained, begun or not."""
        return len(self._jobs) - len(self.finished) - len(self.failed)

    def runs(self) -> dict[str, int]:
        """Runs to train, by condition."""
        return dict(Counter(job.condition for job in self._jobs.values()))

    def epochs_to_train(self) -> dict[str, int]:
        """Epochs to train, summed over the runs of each condition."""
        epochs: Counter[str] = Counter()
        for job in self._jobs.values():
            epochs[job.condition] += job.last - job.start
        return dict(epochs)

    def snapshot(self, seconds_left: float) -> Snapshot:
        """How far all is now."""
        ended = Counter(self._jobs[run].condition for run in (*self.finished, *self.failed))
        return Snapshot(ended, dict(self.epochs), seconds_left, len(self.diverged), len(self.failed))

    def failures(self, runs: int) -> str:
        """What is said where runs failed, of `runs` in the plan."""
        lines = [f"{len(self.failed)} of {runs} runs failed; the others are stored:"]
        for run, message in list(self.failed.items())[:MOST_TOLD]:
            lines.append(f"  {run} ({self._jobs[run].condition}): {message.strip().splitlines()[-1]}")
        if len(self.failed) > MOST_TOLD:
            lines.append(f"  and {len(self.failed) - MOST_TOLD} more")
        lines.append("gradlab runs --json has the full errors; the same command tries these runs again")
        return "\n".join(lines)
