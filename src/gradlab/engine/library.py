"""What runs learn from and what trains them, found once for a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gradlab.component import canonical_json, digest_of
from gradlab.errors import EnvironmentProblem
from gradlab.study.cost import data_bytes
from gradlab.study.plan import draws
from gradlab.units import memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.engine.missing import Job
    from gradlab.engine.shelf import Shelf
    from gradlab.study.spec import Spec
    from gradlab.task.data import Data
    from gradlab.train.fleet import Backend

    Build = Callable[[Spec, Mapping[str, int]], Data]

__all__ = ["Labels", "Library", "built", "picked"]

DATA_PURPOSES = ("data", "labels")
"""The purposes of seeds that decide what a run learns from."""


@dataclass(frozen=True)
class Labels:
    """Class labels that were drawn at random for some runs.

    Attributes:
        key: What they follow from: the task, the share held out and the seeds, as a hash.
        values: The labels of the training examples, int64 [n].
    """

    key: str
    values: NDArray[np.int64]


class Library:
    """What runs learn from and what trains them.

    Args:
        build: Makes the data of a specification from seeds.
        pick: Picks what trains a specification.
        device: Where the backend "vmap" trains.

    Attributes:
        shelf: Where large arrays go, for workers to map; `None` where they are used as they are.
        device: Where the backend "vmap" trains.
    """

    def __init__(self, build: Build, pick: Callable[[Spec], Backend], device: str = "cpu") -> None:
        self.shelf: Shelf | None = None
        self.device = device
        self._build = build
        self._pick = pick
        self._texts: dict[str, str] = {}
        self._seeds: dict[str, tuple[str, ...]] = {}
        self._picked: dict[str, Backend] = {}
        self._data: dict[str, Data] = {}
        self._labels: dict[str, Labels] = {}
        self._last: Data | None = None

    def data(self, job: Job) -> Data:
        """The data of one run; equal task and seeds give the same object."""
        key = self.key(job)
        if key not in self._data:
            # the last data stay in memory: the next are often the same examples under other labels
            self._last = None
            try:
                self._last = self._build(job.spec, job.run.seeds)
            except MemoryError as error:
                size = memory(data_bytes(job.spec))
                raise EnvironmentProblem(
                    f"not enough memory for the data of {job.condition!r} ({size}): give the task fewer images"
                ) from error
            if "labels" in job.spec.task.draws and self._last.y.dtype.kind == "i":
                self._labels[key] = Labels(digest_of(key), self._last.y.astype(np.int64))
            self._data[key] = self.shelf.put(self._last) if self.shelf is not None else self._last
        return self._data[key]

    def labels(self, job: Job) -> Labels | None:
        """The labels that one run learns from, if they were drawn; `data` has been called for it."""
        return self._labels.get(self.key(job))

    def mend(self) -> None:
        """Build everything anew when it is next asked for, and write what the shelf has lost."""
        self._data.clear()
        self._last = None
        if self.shelf is not None:
            self.shelf.mend()

    def backend(self, job: Job) -> Backend:
        """What trains a run."""
        if job.condition not in self._picked:
            self._picked[job.condition] = self._pick(job.spec)
        return self._picked[job.condition]

    def key(self, job: Job) -> str:
        """What decides the data of a run: the task, the share held out, and the seeds that are drawn from."""
        if job.condition not in self._texts:
            own = job.spec.canonical()
            self._texts[job.condition] = canonical_json([own["task"], own.get("validation")])
            self._seeds[job.condition] = tuple(name for name in DATA_PURPOSES if name in draws(job.spec))
        seeds = {name: job.run.seeds[name] for name in self._seeds[job.condition] if name in job.run.seeds}
        return canonical_json([self._texts[job.condition], seeds])


def picked(spec: Spec) -> Backend:
    """What trains a specification on the processor."""
    from gradlab.train.learner import pick_backend

    return pick_backend(spec)


def built(spec: Spec, seeds: Mapping[str, int]) -> Data:
    """The data of a specification."""
    from gradlab.task.data import build_data

    return build_data(spec.task, seeds, spec.validation)
