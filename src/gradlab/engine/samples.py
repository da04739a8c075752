"""Samples and series: what a result gives of the runs of a condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Ended", "Sample", "Series"]


@dataclass(frozen=True)
class Series:
    """A recorded quantity of one condition over epochs.

    Attributes:
        epochs: Recorded epochs, int64 [k].
        values: One row a run, float64 [n, k]; NaN where a run has no value (any more).
        replicates: Replicate numbers of the rows, int64 [n].
    """

    epochs: NDArray[np.int64]
    values: Floats
    replicates: NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One number per run of a condition, or per pair or set of a group.

    Attributes:
        values: The values, float64 [n]; infinite for "never reached", NaN where undefined or not measured.
        replicates: Replicate numbers, int64 [n]; indices of pairs and sets.
        flagged: Whether the run (any run of the pair or set) predicts a constant, is dead or diverged, bool [n].
        states: How each ended: done, stopped or diverged; failed where a measurement will be tried again.
    """

    values: Floats
    replicates: NDArray[np.int64]
    flagged: NDArray[np.bool_]
    states: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """A run that has reached the horizon of a condition.

    Attributes:
        run: Its identity.
        replicate: Its index in the condition.
        epoch: Where it ended.
        updates: Optimizer steps until then.
        state: How: done, stopped or diverged.
    """

    run: str
    replicate: int
    epoch: int
    updates: int
    state: str
