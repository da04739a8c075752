"""A published value against our own distribution over seeds.

The published run is taken for one more draw from our distribution. From n = 39 on it is inconsistent where it lies
outside all of ours (rank, 5 % by exchangeability, (n - 1)/(n + 1) in general); below, outside the 95 % prediction
interval of a normal distribution, on the logarithm where all values are positive. This is a statement about one
run, and outside the 5 % promise of the other verdicts.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from gradlab.judge.evidence import Array

__all__ = ["RANK_FROM", "prediction_interval"]

RANK_FROM = 39
"""Runs from which on the smallest and the largest of them bound a 95 % prediction interval."""


def prediction_interval(values: Array, *, log: bool, confidence: float = 0.95) -> tuple[float, float]:
    """The interval in which one more run is expected.

    Args:
        values: One finite or infinite number per run, at least two.
        log: Whether the logarithms are taken for normal below `RANK_FROM` runs.
        confidence: Probability that one more run lies inside.

    Returns:
        Lower and upper end.

    Example:
        >>> low, high = prediction_interval(np.array([1.0, 2.0, 3.0]), log=False)
        >>> round(low, 2), round(high, 2)
        (-2.97, 6.97)
    """
    n = len(values)
    if n >= RANK_FROM:
        rank = int(np.floor((1 - confidence) / 2 * (n + 1) + 1e-9))
        ordered = np.sort(values)
        return float(ordered[rank - 1]), float(ordered[n - rank])
    finite = values[np.isfinite(values)]
    if n < 2 or len(finite) < n:
        # A share of runs never arrives: only the ends that are there can bound.
        return (float(values.min()) if n else -np.inf, np.inf)
    data = np.log(values) if log else values
    half = float(stats.t.isf((1 - confidence) / 2, n - 1)) * data.std(ddof=1) * np.sqrt(1 + 1 / n)
    low, high = data.mean() - half, data.mean() + half
    return (float(np.exp(low)), float(np.exp(high))) if log else (float(low), float(high))
