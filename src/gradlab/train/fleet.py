"""What a worker is given: runs of one specification, their data, and what to record of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gradlab.study.record import Record
from gradlab.study.spec import Spec
from gradlab.task.arrays import Arrays
from gradlab.task.data import Data, build_data
from gradlab.train.state import State

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Data", "Fleet", "Member", "Record", "Trace", "build_data"]

Backend = Literal["kernel", "loop", "vmap"]


@dataclass(frozen=True)
class Member:
    """One run of a fleet.

    Attributes:
        run_id: Its identity.
        seeds: One seed a purpose: data, labels, init, order, dropout, probe.
        data: Which of the fleet's data it learns from.
        start: The final state of the run that it goes on from, for `After`.
    """

    run_id: str
    seeds: dict[str, int]
    data: int = 0
    start: State | None = None


@dataclass(frozen=True)
class Fleet:
    """Runs of one specification that are trained by one worker.

    Attributes:
        spec: What determines their weights.
        epochs: The horizon.
        record: What is recorded.
        backend: What trains them.
        data: The data, each built once and shared by the members that name it.
        members: The runs.
        device: Where the backend "vmap" trains: "cpu", "cuda" or "cuda:1".
    """

    spec: Spec
    epochs: int
    record: Record
    backend: Backend
    data: tuple[Data, ...]
    members: tuple[Member, ...]
    device: str = "cpu"

    def __getstate__(self) -> dict[str, Any]:
        """Without the arrays that the task holds, which are in `data` already."""
        task = self.spec.task
        if not isinstance(task, Arrays):
            return dict(vars(self))
        return vars(self) | {"spec": self.spec.model_copy(update={"task": task.outline()})}


@dataclass
class Trace:
    """What one slice recorded of one run: for each quantity its epochs and its values.

    Attributes:
        series: Quantity to (`int64[k]` epochs, `float64[k]` or `float64[k, w]` values). Final scalars, such
            as `flag_constant`, are series of one value at the last epoch.
    """

    series: dict[str, tuple[NDArray[np.int64], NDArray[Any]]]
