"""What is tried again, and how, after a worker has died, run out of memory or raised an error."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gradlab.engine.memory import total
from gradlab.engine.shelf import Lost
from gradlab.units import memory

if TYPE_CHECKING:
    from gradlab.engine.fleets import Crew
    from gradlab.engine.missing import Job

__all__ = ["Recovery", "Remedy", "short_of_memory"]

DEATHS = 3
"""A run whose worker dies this often while it is computed alone has failed."""

LOSSES = 3
"""How often in a row a fleet may find its data gone from the shelf."""

SIGNS = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory")
"""What PyTorch and the system say where memory is short, in lower case."""


def short_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, the processor's or a device's.

    Example:
        >>> short_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory")), short_of_memory(KeyError(3))
        (True, False)
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError | OSError) and any(sign in str(error).lower() for sign in SIGNS)


@dataclass(frozen=True)
class Remedy:
    """What follows from something that went wrong.

    Attributes:
        again: Fleets to try again, the first to come first.
        failed: The message of each run that has failed, by id.
        mend: Whether the data have to be written anew before.
    """

    again: Sequence[Crew] = ()
    failed: dict[str, str] = field(default_factory=dict[str, str])
    mend: bool = False


class Recovery:
    """Remembers what went wrong with which runs.

    Args:
        say: Called with a line of text for whoever watches.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._deaths: dict[str, int] = {}
        self._losses: dict[str, int] = {}
        self._most: dict[str, int] = {}

    def narrowed(self, crew: Crew) -> list[Crew]:
        """A fleet in parts that are no larger than what memory held so far."""
        most = self._most.get(crew.jobs[0].condition, len(crew.jobs))
        if len(crew.jobs) <= most:
            return [crew]
        count = math.ceil(len(crew.jobs) / most)
        return [crew.only(range(part, len(crew.jobs), count)) for part in range(count)]

    def raised(self, crew: Crew, error: BaseException) -> Remedy:
        """An error came out of a fleet.

        Where memory was short, half as many runs are trained at once; one run alone is tried with nothing
        beside it before it fails. An error of any other kind fails its own run: the members are tried one by one.
        """
        first = crew.jobs[0]
        if isinstance(error, Lost):
            run = first.run.id
            self._losses[run] = self._losses.get(run, 0) + 1
            if self._losses[run] < LOSSES:
                self._say("data on the shelf are missing or damaged; they are written anew")
                return Remedy([crew], mend=True)
        elif isinstance(error, MemoryError):
            if len(crew.jobs) > 1:
                most = math.ceil(len(crew.jobs) / 2)
                self._most[first.condition] = min(most, self._most.get(first.condition, most))
                self._say(
                    f"not enough memory for {len(crew.jobs)} runs of {first.condition!r} at once; tried again "
                    f"{most} at a time"
                )
                return Remedy(self.narrowed(crew))
            if not crew.careful:
                return Remedy([replace(crew, careful=True)])
            told = f"{first.run.id}: out of memory: {_advice(first)}"
            return Remedy(failed={first.run.id: f"{_text(error)}\n{told}"})
        elif len(crew.jobs) > 1:
            return Remedy([crew.only([member]) for member in range(len(crew.jobs))])
        return Remedy(failed=dict.fromkeys(crew.ids, _text(error)))

    def died(self, suspects: Sequence[Crew], *, killed: bool) -> Remedy:
        """Workers died: whatever was being computed is tried again, each run alone with nothing beside it.

        Args:
            suspects: The fleets that were being computed.
            killed: Whether a worker was killed by the system, as it is where memory runs out.

        Returns:
            What to do.
        """
        if len(suspects) == 1 and len(suspects[0].jobs) == 1 and suspects[0].careful:
            job = suspects[0].jobs[0]
            run = job.run.id
            self._deaths[run] = self._deaths.get(run, 0) + 1
            if self._deaths[run] >= DEATHS:
                told = f"its worker process died {DEATHS} times while it was computed alone"
                if killed:
                    told += f", killed as if out of memory: {_advice(job)}"
                return Remedy(failed={run: told})
        self._say("a worker process died; what it computed is tried again, one run at a time")
        return Remedy([
            crew.only([member], careful=True) for crew in suspects for member in range(len(crew.jobs))
        ])


def _advice(job: Job) -> str:
    """Which run it is, and what to lower for it to fit."""
    batch = "the full batch" if job.spec.batch_size == "full" else f"batch size {job.spec.batch_size}"
    return (
        f"{job.spec.model.label()} ({job.parameters:,} parameters) at {batch} does not fit into the memory here "
        f"({memory(total())}): lower batch_size or the widths of the network"
    )


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()
