"""Pairs and single samples: the exact sign-flip test on directions, and the interval of the median.

Null: within a pair (or against the named number) either direction is equally likely. This is the sign-flip test
whose statistic is the number of signs. Flipping whole differences instead would use their sizes, which is
exact only where the differences are symmetric; with a skewed or partly dead arm it says 'supported' too often
(docs/calibration.md has the numbers). Tied pairs carry no direction and are left out of the count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gradlab.judge.evidence import Array, Evidence

__all__ = ["below", "directions", "median_interval", "smallest_n"]


def directions(a: Array, b: Array) -> NDArray[np.int64]:
    """Sign of a - b, with equal infinities tied.

    Args:
        a: Values, any shape.
        b: Values that broadcast against `a`.

    Returns:
        -1, 0 or 1.
    """
    return (a > b).astype(np.int64) - (a < b).astype(np.int64)


def below(a: Array, b: Array) -> Evidence:
    """Evidence that A lies below B within pairs: P(A < B) > P(A > B).

    Args:
        a: Values `[studies, n]`.
        b: Values of the same pairs, or one number.

    Returns:
        Exact binomial p-values given the number of untied pairs; the floor is 2^-n.

    Example:
        >>> float(below(np.array([[1.0, 2, 3, 4, 5, 6]]), np.array(7.0)).p_for[0])
        0.015625
    """
    sign = directions(a, b)
    less, more = (sign < 0).sum(-1), (sign > 0).sum(-1)
    untied = less + more
    floor = np.full(less.shape, 2.0 ** -a.shape[-1])
    return Evidence(
        p_for=stats.binom.sf(less - 1, untied, 0.5),
        p_against=stats.binom.sf(more - 1, untied, 0.5),
        floor_for=floor,
        floor_against=floor,
    )


def median_interval(values: Array, alpha: float) -> tuple[float, float]:
    """Distribution-free interval of the median from order statistics, the inverse of the sign test.

    Args:
        values: One sample; NaN stands for a tie of two infinities and may lie anywhere.
        alpha: Error rate of each side.

    Returns:
        Lower and upper end; infinite where the sample is too small.

    Example:
        >>> median_interval(np.arange(1.0, 11.0), 0.025)
        (2.0, 9.0)
    """
    n = len(values)
    rank = int(stats.binom.ppf(alpha, n, 0.5)) if n else 0
    while rank > 0 and stats.binom.cdf(rank - 1, n, 0.5) > alpha:
        rank -= 1
    if rank == 0:
        return (-np.inf, np.inf)
    low = np.sort(np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf))
    high = np.sort(np.nan_to_num(values, nan=np.inf, posinf=np.inf, neginf=-np.inf))
    return float(low[rank - 1]), float(high[n - rank])


def smallest_n(alpha: float) -> int:
    """Replicates below which no verdict is possible: the least n with 2^-n <= alpha.

    Args:
        alpha: Error rate of each direction.

    Returns:
        The number of pairs.

    Example:
        >>> smallest_n(0.025)
        6
    """
    return int(np.ceil(-np.log2(alpha) - 1e-12))
