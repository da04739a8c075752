"""Who computes: how many workers, in which processes, with what loaded."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradlab.engine.environment import cores
from gradlab.engine.memory import Need, refuse_too_large
from gradlab.engine.pool import Pool
from gradlab.engine.worker import kernel_of

if TYPE_CHECKING:
    from gradlab.engine.library import Library
    from gradlab.engine.missing import Job
    from gradlab.engine.rates import Rates

__all__ = ["BRIEF_SECONDS", "Workforce", "workforce"]

BRIEF_SECONDS = 6.0
"""Work that takes less than this in one process is not worth starting workers for."""


@dataclass(frozen=True)
class Workforce:
    """Who computes.

    Attributes:
        workers: Slices computed at a time.
        apart: Whether even one worker has a process of its own.
        kernels: The fused kernels that are needed, as `gradlab.engine.worker.load` names them.
    """

    workers: int
    apart: bool
    kernels: tuple[str, ...]

    def pool(self, executor: Executor | None) -> Pool:
        """The workers, not started yet."""
        return Pool(self.workers, executor, self.kernels, apart=self.apart)


def workforce(
    jobs: Sequence[Job], library: Library, rates: Rates, wanted: int | None, lab: Path, *, real: bool = True
) -> Workforce:
    """Who computes some runs.

    A network whose class cannot travel is trained in this very process, and a GPU has one worker. Otherwise
    there are as many workers as were asked for, or as the work is worth and memory holds.

    Args:
        jobs: The runs.
        library: What trains them.
        rates: How long they take.
        wanted: Workers asked for.
        lab: The lab folder.
        real: Whether they are really trained, with gradlab's own trainers.

    Returns:
        The workers.

    Raises:
        EnvironmentProblem: The runs do not fit into memory or onto the disk.
    """
    if not jobs:
        return Workforce(wanted or 1, False, ())
    need = Need(jobs, library)
    stays = any(getattr(job.spec.model, "in_process", False) for job in jobs)
    on_gpu = library.device != "cpu"
    if stays or on_gpu:
        workers = 1
    elif wanted is not None:
        workers = wanted
    else:
        brief = sum(rates.left(job, job.start) for job in jobs) < BRIEF_SECONDS
        workers = 1 if brief else need.workers(min(cores(), len(jobs)))
    if not real:
        return Workforce(workers, on_gpu and not stays, ())
    refuse_too_large(need, workers, lab)
    fused = {kernel_of(job.spec) for job in jobs if library.backend(job) == "kernel"}
    return Workforce(workers, on_gpu and not stays, tuple(sorted(fused)))
