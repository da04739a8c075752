"""The barrier between two networks: how far a path of weights rises above its ends, by three definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from gradlab.errors import MeasureError

if TYPE_CHECKING:
    from gradlab.measure.measurement import Measurement

__all__ = ["DEFINITIONS", "MARGIN", "Found", "barrier", "decide", "height"]

Definition = Literal["line", "mean", "worse"]

DEFINITIONS: Final[dict[str, str]] = {
    "line": "above the straight line between the ends (Entezari 2022)",
    "mean": "above the mean of the ends (Frankle 2020)",
    "worse": "above the worse end",
}
"""What a barrier is measured from; three different numbers where the ends differ."""

MARGIN: Final = 0.02
"""How much error a barrier must exceed: 2 points, as in Frankle 2020."""


def height(alphas: ArrayLike, values: ArrayLike, definition: Definition = "line") -> tuple[float, float]:
    """How far losses or error rates along a path rise above its ends.

    The maximum is over [0, 1] only, ends included, so that no barrier is below 0 and "above 0" says nothing: see
    `decide`.

    Args:
        alphas: Places `[k]`; 0 and 1 are among them.
        values: Losses or error rates `[k]` there; accuracies are refused by no test, so give errors.
        definition: "line", "mean" or "worse", see `DEFINITIONS`.

    Returns:
        The height, and the place of the maximum. Both NaN where a value in [0, 1] is not finite.

    Raises:
        MeasureError: 0 or 1 is not on the grid, or no such definition is known.

    Example:
        >>> height([0, 0.5, 1, 2], [0.0, 0.6, 0.4, 9.0]), height([0, 0.5, 1], [0.0, 0.6, 0.4], "worse")
        ((0.4, 0.5), (0.2, 0.5))
    """
    if definition not in DEFINITIONS:
        raise MeasureError(f"no barrier is called {definition!r}; allowed: {', '.join(DEFINITIONS)}")
    at, value = np.asarray(alphas, np.float64), np.asarray(values, np.float64)
    if not (at == 0).any() or not (at == 1).any():
        raise MeasureError("0 and 1 must be on the grid: a barrier is measured from its ends")
    inside = (at >= 0) & (at <= 1)
    first, last = float(value[at == 0][0]), float(value[at == 1][0])
    at, value = at[inside], value[inside]
    if not np.isfinite(value).all():
        return math.nan, math.nan
    if definition == "line":
        above = value - ((1 - at) * first + at * last)
    else:
        above = value - (max(first, last) if definition == "worse" else (first + last) / 2)
    place = int(above.argmax())
    return float(np.round(above[place], 15)), float(at[place])


@dataclass(frozen=True)
class Found:
    """What several pairs say of a barrier.

    Attributes:
        verdict: "barrier" if the interval lies above the margin, "none" if below, otherwise "undecided".
        mean: The mean height.
        low: Lower end of the interval of the mean.
        high: Upper end.
        pairs: How many disjoint pairs.
        margin: What it was compared with.
    """

    verdict: Literal["barrier", "none", "undecided"]
    mean: float
    low: float
    high: float
    pairs: int
    margin: float


def decide(heights: Sequence[float], *, margin: float = MARGIN, level: float = 0.95) -> Found:
    """Whether there is a barrier, from pairs of networks that have no network in common.

    Args:
        heights: One a pair; pairs must be disjoint, as 10 runs are 5 pairs and not 45.
        margin: Least height that counts, in the unit of the heights.
        level: Of Student's interval of the mean.

    Returns:
        The verdict with its interval; undecided with fewer than two pairs.

    Raises:
        MeasureError: A height is not finite.

    Example:
        >>> decide([0.30, 0.35, 0.32]).verdict, decide([0.0, 0.001, 0.002]).verdict, decide([0.3]).verdict
        ('barrier', 'none', 'undecided')
    """
    from scipy import stats

    found = np.asarray(heights, np.float64)
    if not np.isfinite(found).all() or not found.size:
        raise MeasureError("heights must be finite numbers, at least one")
    mean, pairs = float(found.mean()), len(found)
    if pairs < 2:
        return Found("undecided", mean, -math.inf, math.inf, pairs, margin)
    half = float(stats.t.ppf((1 + level) / 2, pairs - 1)) * float(found.std(ddof=1)) / math.sqrt(pairs)
    verdict = "barrier" if mean - half > margin else "none" if mean + half < margin else "undecided"
    return Found(verdict, mean, mean - half, mean + half, pairs, margin)


def barrier(network_0: Any, network_1: Any, loss: Any, x: Any, y: Any, **settings: Any) -> Measurement:
    """The barriers between two networks, at 25 points of [0, 1] unless `points` says otherwise.

    Args:
        network_0: The end at alpha 0.
        network_1: The end at alpha 1.
        loss: "cross_entropy", "mse" or a function of outputs and targets.
        x: Training inputs `[n, ...]`.
        y: Training targets.
        **settings: As of `gradlab.measure.interpolation.interpolation`.

    Returns:
        Its measurement on [0, 1]: `barrier`, `barrier_mean` and `barrier_worse` of the loss, the same with `_error`
        of the error rate, all with `.test` where test data are given.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Linear(1, 1, bias=False)
        >>> found = barrier(net, {"weight": net.weight + 1}, "mse", torch.ones(2, 1), torch.zeros(2, 1))
        >>> float(found["barrier"])  # a convex loss has none
        0.0
    """
    from gradlab.measure.interpolation import interpolation

    within: dict[str, Any] = {"low": 0.0, "high": 1.0, "points": 25} | settings
    return interpolation(network_0, network_1, loss, x, y, **within)
