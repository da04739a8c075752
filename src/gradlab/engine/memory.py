"""Whether a plan fits into the memory of this machine and onto its disk, looked at before anything is trained."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradlab.errors import EnvironmentProblem
from gradlab.study.cost import SLOTS, data_bytes, network_bytes
from gradlab.units import memory

if TYPE_CHECKING:
    from gradlab.engine.library import Library
    from gradlab.engine.missing import Job

__all__ = ["Need", "refuse_too_large", "total"]

WORKER_BYTES = {"kernel": 250_000_000, "loop": 450_000_000, "vmap": 2_500_000_000}
"""What a process holds before it is given anything: libraries, compiled code."""

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where containers say how much memory they may use."""


def total() -> int:
    """Bytes of memory that this process may use: the machine's, or its container's if that is less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else []
    for place in LIMITS:
        try:
            found.append(int(Path(place).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no container, or one without a limit ("max")
            continue
    return min(found, default=1 << 62)


class Need:
    """What a plan needs.

    Attributes:
        shared: Bytes that are there once: the data, and the coordinator.
        worker: Bytes of each worker.
        disk: Bytes of the states that stay on disk.
        largest: The run with the largest network.
    """

    def __init__(self, jobs: Sequence[Job], library: Library) -> None:
        self.disk = self.worker = 0
        self.largest = jobs[0]
        data: dict[str, int] = {}
        for job in {job.condition: job for job in jobs}.values():
            backend = library.backend(job)
            each = WORKER_BYTES[backend] + network_bytes(job.spec, job.parameters, backend)
            if each > self.worker:
                self.worker, self.largest = each, job
            data[job.spec.task.kind] = max(data.get(job.spec.task.kind, 0), data_bytes(job.spec))
        for job in jobs:
            size = 4 if job.spec.dtype == "float32" else 8
            states = 0 if job.retraces else 1 + SLOTS.get(job.spec.optimizer.kind, 2)
            self.disk += job.parameters * size * (states + len(job.snapshots))
        self.shared = WORKER_BYTES["kernel"] + 2 * max(data.values())  # as it is built, and on the shelf

    def bytes(self, workers: int) -> int:
        """Bytes of memory with so many workers."""
        return self.shared + workers * self.worker

    def workers(self, wanted: int) -> int:
        """As many workers as fit, at most `wanted` and at least one."""
        room = total() - self.shared
        return max(1, min(wanted, int(room // self.worker)))


def refuse_too_large(need: Need, workers: int, lab: Path) -> None:
    """Stop before anything is trained if it cannot fit.

    Args:
        need: What the plan needs.
        workers: Worker processes.
        lab: The lab folder.

    Raises:
        EnvironmentProblem: There is too little memory or disk.
    """
    wanted, there = need.bytes(workers), total()
    if wanted > there:
        job = need.largest
        batch = "the full batch" if job.spec.batch_size == "full" else f"batch size {job.spec.batch_size}"
        fewer = f"train with fewer workers (now {workers}), " if workers > 1 else ""
        raise EnvironmentProblem(
            f"{job.condition!r} needs about {memory(need.worker)} a worker and {memory(need.shared)} for data, "
            f"{memory(wanted)} in all, and there are {memory(there)}: {fewer}lower batch_size or the widths of the "
            f"network ({job.spec.model.label()}, {job.parameters:,} parameters, {batch}), or give the task fewer "
            "images"
        )
    free = shutil.disk_usage(lab).free
    if need.disk > free:
        raise EnvironmentProblem(
            f"the final states of the runs take about {memory(need.disk)}, and the disk of {lab} has "
            f"{memory(free)} left: make room, or name another lab"
        )
