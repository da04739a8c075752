"""From runs to what is drawn: quantiles over runs, thinned curves, intervals of medians and shares.

Nothing is dropped: a diverged run counts as infinitely bad from then on, a run that stopped keeps its last
value, and a run that never reaches a threshold is kept as infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report.view import SeriesView

__all__ = ["Curves", "clopper_pearson", "curves", "envelope", "median", "median_interval"]

Floats = NDArray[np.float64]
_DRAWN = 200
_BINS = 90
_HUGE = 1e300


@dataclass(frozen=True)
class Curves:
    """What is drawn of one recorded quantity of one condition.

    Attributes:
        epochs: Up to 200 recorded epochs, evenly spaced on a logarithmic axis, [k].
        median: Median over runs, [k]; NaN where half of the runs have diverged.
        low: 10 % quantile, [k].
        high: 90 % quantile, [k]; infinite where more than 10 % of the runs have diverged.
        runs: One (epochs, values) per run: the lowest and highest value in each of 90 logarithmic bins.
        diverged: Last finite (epoch, value) of each run that diverged.
        n: Runs.
        recorded: Recorded epochs, before thinning.
    """

    epochs: NDArray[np.int64]
    median: Floats
    low: Floats
    high: Floats
    runs: tuple[tuple[NDArray[np.int64], Floats], ...]
    diverged: tuple[tuple[int, float], ...]
    n: int
    recorded: int


def curves(series: SeriesView, states: Sequence[str]) -> Curves | None:
    """Summarise a series over its runs, at the epochs that are drawn.

    Args:
        series: The recorded values.
        states: How each run (row) ended; a run that `diverged` counts as infinite after its last value.

    Returns:
        The curves; `None` where no run has a value.
    """
    epochs = np.asarray(series.epochs)
    values = np.asarray(series.values, dtype=float)
    if values.size == 0 or not np.isfinite(values).any():
        return None
    alive = np.asarray(np.isfinite(values).any(axis=1))
    values, ends = values[alive], [state for state, keep in zip(states, alive.tolist(), strict=True) if keep]
    filled, lost = _carried(values, ends)
    kept = _log_spaced(epochs, _DRAWN)
    low, middle, high = quantiles(filled[:, kept], (0.1, 0.5, 0.9))
    middle = np.where(np.isinf(middle), np.nan, middle)
    runs = tuple(envelope(epochs, row) for row in values)
    diverged = tuple((int(epochs[last]), float(values[row, last])) for row, last in lost)
    return Curves(epochs[kept], middle, low, high, runs, diverged, len(values), len(epochs))


def _carried(values: Floats, states: Sequence[str]) -> tuple[Floats, list[tuple[int, int]]]:
    """Rows without gaps at their end; and (row, last finite column) of those that diverged."""
    filled, lost = values.copy(), []
    for row, state in enumerate(states):
        last = int(np.flatnonzero(np.isfinite(values[row]))[-1])
        filled[row, last + 1 :] = np.inf if state == "diverged" else values[row, last]
        if state == "diverged":
            lost.append((row, last))
    return filled, lost


def _log_spaced(epochs: NDArray[np.int64], many: int) -> NDArray[np.intp]:
    if len(epochs) <= many:
        return np.arange(len(epochs))
    wanted = np.geomspace(1, max(2, epochs[-1]), many)
    found = np.searchsorted(epochs, wanted).clip(0, len(epochs) - 1)
    return np.unique(np.concatenate([[0], found, [len(epochs) - 1]]))


def envelope(epochs: NDArray[np.int64], row: Floats, bins: int = _BINS) -> tuple[NDArray[np.int64], Floats]:
    """A run thinned so that its spikes stay: the lowest and highest value of each logarithmic bin.

    Args:
        epochs: Recorded epochs, [k].
        row: The run's values, [k]; NaN after its end.
        bins: How many bins.

    Returns:
        The epochs and values that are kept, at most two a bin and both ends.
    """
    finite = np.flatnonzero(np.isfinite(row))
    if len(finite) <= 2 * bins:
        return epochs[finite], row[finite]
    edges = np.geomspace(1, max(2, epochs[-1]) + 1, bins + 1)
    places = np.searchsorted(edges, epochs[finite], side="right")
    kept: list[int] = [int(finite[0])]
    for members in np.split(finite, np.flatnonzero(np.diff(places)) + 1):
        ends = {int(members[row[members].argmin()]), int(members[row[members].argmax()])}
        kept += sorted(ends - {kept[-1]})
    if kept[-1] != finite[-1]:
        kept.append(int(finite[-1]))
    return epochs[kept], row[kept]


def quantiles(values: Floats, shares: Sequence[float]) -> Floats:
    """Quantiles over the first axis by linear interpolation; infinite values rank worst.

    Example:
        >>> quantiles(np.array([1.0, 2.0, np.inf]), (0.5, 0.9)).tolist()
        [2.0, inf]
    """
    capped = np.nan_to_num(values, nan=_HUGE, posinf=_HUGE, neginf=-_HUGE)
    found = np.asarray(np.quantile(capped, shares, axis=0), dtype=float)
    return np.where(found > _HUGE * 1e-6, np.inf, found)


def median(values: Floats) -> float:
    """The median of the defined values; infinite where half of them are, NaN where none is defined."""
    defined = values[~np.isnan(values)]
    return float(quantiles(defined, (0.5,))[0]) if len(defined) else float("nan")


def median_interval(values: Floats, confidence: float = 0.95) -> tuple[float, float] | None:
    """Distribution-free interval of the median from order statistics; `None` where n is too small for one.

    Example:
        >>> median_interval(np.arange(1.0, 21.0))
        (6.0, 15.0)
        >>> median_interval(np.arange(5.0)) is None
        True
    """
    from scipy.stats import binom

    ordered = np.sort(values[~np.isnan(values)])
    n = len(ordered)
    # The interval from the k-th to the (n+1-k)-th value misses the median with 2 P(B(n, 1/2) < k).
    k = int(binom.ppf((1 - confidence) / 2, n, 0.5)) if n else 0
    while k and 2 * binom.cdf(k - 1, n, 0.5) > 1 - confidence:
        k -= 1
    return (float(ordered[k - 1]), float(ordered[n - k])) if k else None


def clopper_pearson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a proportion.

    Example:
        >>> [round(bound, 3) for bound in clopper_pearson(0, 20)]
        [0.0, 0.168]
    """
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, total - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, total - hits)) if hits < total else 1.0
    return low, high
