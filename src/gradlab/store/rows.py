"""What goes into a lab and what comes out of it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gradlab.train.state import State

__all__ = [
    "Attempt",
    "Ending",
    "Kept",
    "Look",
    "NewRun",
    "Points",
    "Progress",
    "Reason",
    "RunRow",
    "Series",
]

Reason = Literal["epochs", "stopped", "diverged"]
"""Why a run ended: it reached its horizon, its stopping rule stopped it, it diverged."""

Points = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Epochs [k], sorted and without repetition, and values [k] or [k, width]."""

Series = Mapping[str, Points]
"""Points by quantity."""


@dataclass(frozen=True)
class NewRun:
    """A run that a study asks for.

    Attributes:
        id: Its identity, 20 hexadecimal digits.
        spec: The canonical text of what determines its weights.
        seeds: The seed of each purpose.
        condition: What the study calls its condition.
        replicate: Its place among the replicates.
        start_from: The run from whose final weights it starts.
    """

    id: str
    spec: str
    seeds: Mapping[str, int]
    condition: str
    replicate: int
    start_from: str | None = None


@dataclass(frozen=True)
class Progress:
    """What one slice did to one run.

    Attributes:
        run: The run's id.
        state: The network after the slice.
        trace: What the slice recorded on the schedule.
        beside: What it recorded off the schedule: at the end of the run, or at epochs named one by one.
        ending: Why the run ended with this slice; `None` if it goes on.
        epoch: The epoch reached.
        updates: Optimizer steps since the run's first epoch.
        thresholds: Losses whose first passage is tracked; `state.passages` holds those reached.
        kept: States that the slice passed whose weights are kept for good.
        retraced: Whether this was the last slice of a run that had ended before and was only trained again for
            weights on the way.
    """

    run: str
    state: State
    trace: Series
    beside: Series
    ending: Reason | None
    epoch: int
    updates: int
    thresholds: tuple[float, ...] = ()
    kept: tuple[State, ...] = ()
    retraced: bool = False


@dataclass(frozen=True)
class Kept:
    """The weights of a run at an epoch.

    Attributes:
        weights: `[D]`, flat, as in `gradlab.train.state.State`.
        buffers: What else the network holds, by name.
        epoch: The epoch at which they were so: less than was asked for where the run had stopped or diverged by
            then, and its last state stands in.
    """

    weights: NDArray[Any]
    buffers: Mapping[str, NDArray[Any]]
    epoch: int


@dataclass(frozen=True)
class Ending:
    """One end that a run has reached.

    Attributes:
        epoch: The epochs trained by then.
        reason: Why it ended there.
        record: Text of what had been recorded up to there.
        weights: SHA-256 of the weights there.
        updates: Optimizer steps taken by then.
    """

    epoch: int
    reason: Reason
    record: str
    weights: str
    updates: int


@dataclass(frozen=True)
class RunRow:
    """What a lab knows about a run.

    Attributes:
        id: Its identity.
        state: planned, running, done, diverged, failed or interrupted.
        epoch: The epoch to which it was last trained.
        reason: Why it is in that state, in a few words.
        attempts: How often its training was begun or continued.
        backend: What trained it last.
        endings: Every end it has reached, by epoch.
        checkpoints: Text of what had been recorded up to each stored state, by epoch.
        snapshots: Epochs between ends whose weights are kept.
    """

    id: str
    state: str
    epoch: int
    reason: str
    attempts: int
    backend: str
    endings: Mapping[int, Ending] = field(default_factory=dict)
    checkpoints: Mapping[int, str] = field(default_factory=dict)
    snapshots: frozenset[int] = frozenset()

    def at(self, horizon: int) -> Ending | None:
        """The end of this run for a study that asks for `horizon` epochs; `None` if it is not there yet."""
        if horizon in self.endings:
            return self.endings[horizon]
        early = [e for e in self.endings.values() if e.epoch < horizon and e.reason != "epochs"]
        return min(early, key=lambda ending: ending.epoch) if early else None


@dataclass(frozen=True)
class Attempt:
    """One beginning or continuation of a run's training.

    Attributes:
        run: The run's id.
        backend: What trained it.
        environment: Facts about the machine and the libraries.
        first_epoch: Where it began.
        last_epoch: Where it ended.
        outcome: running, done, diverged, failed, interrupted or lost (the process ended without a word).
        message: The error's text, if it failed.
        began: When, as ISO 8601 in UTC.
        seconds: The time its slices took, its fleet's time shared equally.
    """

    run: str
    backend: str
    environment: Mapping[str, Any]
    first_epoch: int
    last_epoch: int
    outcome: str
    message: str
    began: str
    seconds: float


@dataclass(frozen=True)
class Look:
    """One verdict that was taken, which spent alpha.

    Attributes:
        claim: What the claim is known by.
        k: 0 at the declared number of replicates, then 1, 2, ... for each extension.
        n: Replicates looked at.
        alpha: The level spent.
        verdict: The verdict as a tree.
        seen: When, as ISO 8601 in UTC.
    """

    claim: str
    k: int
    n: int
    alpha: float
    verdict: Any
    seen: str
