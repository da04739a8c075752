"""Shares of runs: Clopper-Pearson against a number, Barnard's exact test between two conditions.

Null: the share is the named one; between two conditions, both shares are the same, whatever it is.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gradlab.judge.evidence import Array, Evidence

__all__ = ["barnard", "clopper_pearson", "difference_interval", "larger_share", "share_at_least", "wilson"]

Counts = NDArray[np.int64]

_GRID = np.concatenate([
    np.linspace(0, 0.02, 81),
    np.linspace(0.02, 0.98, 385)[1:-1],
    np.linspace(0.98, 1, 81),
])
"""Nuisance shares at which Barnard's tail is maximised: dense at the ends, where it is steep."""


def share_at_least(count: Counts, n: int, share: float) -> Evidence:
    """Evidence that an event has a probability of more than `share`.

    Args:
        count: Runs with the event `[S]`.
        n: Runs.
        share: The probability on the null.

    Returns:
        Exact binomial p-values; the floors are share^n and (1 - share)^n.

    Example:
        >>> float(share_at_least(np.array([6]), 6, 0.5).p_for[0])
        0.015625
    """
    ones = np.ones(count.shape)
    return Evidence(
        p_for=stats.binom.sf(count - 1, n, share),
        p_against=stats.binom.cdf(count, n, share),
        floor_for=ones * share**n,
        floor_against=ones * (1 - share) ** n,
    )


def clopper_pearson(count: int, n: int, alpha: float) -> tuple[float, float]:
    """Exact interval of a proportion, the inverse of `share_at_least`.

    Args:
        count: Runs with the event.
        n: Runs.
        alpha: Error rate of each side.

    Returns:
        Lower and upper end.

    Example:
        >>> low, high = clopper_pearson(12, 100, 0.025)
        >>> round(low, 4), round(high, 4)
        (0.0636, 0.2002)
    """
    low = float(stats.beta.ppf(alpha, count, n - count + 1)) if count > 0 else 0.0
    high = float(stats.beta.isf(alpha, count + 1, n - count)) if count < n else 1.0
    return low, high


def wilson(count: Array, n: Array, alpha: float) -> tuple[Array, Array]:
    """Wilson's score interval, for drawing only.

    Args:
        count: Runs with the event.
        n: Runs.
        alpha: Error rate of each side.

    Returns:
        Lower and upper ends.
    """
    z = float(stats.norm.isf(alpha))
    share = count / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def larger_share(a: Counts, n: int, b: Counts, m: int) -> Evidence:
    """Evidence that an event is more frequent in A than in B (Barnard, unconditional).

    Args:
        a: Runs with the event in A `[S]`.
        n: Runs in A.
        b: Runs with the event in B `[S]`.
        m: Runs in B.

    Returns:
        Exact p-values.
    """
    upper = barnard(n, m)
    lower = barnard(m, n).T
    return Evidence(
        p_for=upper[a, b],
        p_against=lower[a, b],
        floor_for=np.full(a.shape, upper.min()),
        floor_against=np.full(a.shape, lower.min()),
    )


@lru_cache(maxsize=256)
def barnard(n: int, m: int) -> Array:
    """One-sided p-value of every 2 x 2 table for 'the first share is larger' (G. A. Barnard 1945).

    The tables are ordered by the pooled score statistic; the p-value is the largest probability of a table at
    least as extreme over all common shares.

    Args:
        n: Runs in A.
        m: Runs in B.

    Returns:
        P-values `[n + 1, m + 1]`, by the counts in A and in B.
    """
    a, b = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    pooled = (a + b) / (n + m)
    spread = pooled * (1 - pooled) * (1 / n + 1 / m)
    score = np.where(spread > 0, (a / n - b / m) / np.sqrt(np.where(spread > 0, spread, 1)), 0.0).ravel()
    order = np.argsort(-score, kind="stable")
    first = stats.binom.pmf(np.arange(n + 1)[:, None], n, _GRID)
    second = stats.binom.pmf(np.arange(m + 1)[:, None], m, _GRID)
    tail = np.cumsum((first[:, None, :] * second[None, :, :]).reshape(-1, len(_GRID))[order], axis=0).max(
        axis=1
    )
    # Tables with equal scores are equally extreme: each gets the tail of the last of them.
    ends = np.searchsorted(-score[order], -score[order] + 1e-9, side="right") - 1
    p = np.empty(len(score))
    p[order] = np.minimum(tail[ends], 1.0)
    table = p.reshape(n + 1, m + 1)
    table.setflags(write=False)
    return table


def difference_interval(a: int, n: int, b: int, m: int, alpha: float) -> tuple[float, float]:
    """Conservative interval of the difference of two shares (R. G. Newcombe 1998, hybrid score).

    Args:
        a: Runs with the event in A.
        n: Runs in A.
        b: Runs with the event in B.
        m: Runs in B.
        alpha: Error rate of each side.

    Returns:
        Lower and upper end of (share of A) - (share of B); approximate, the verdict rests on Barnard's test.
    """
    p, q = a / n, b / m
    (l1,), (u1,) = wilson(np.array([float(a)]), np.array([float(n)]), alpha)
    (l2,), (u2,) = wilson(np.array([float(b)]), np.array([float(m)]), alpha)
    low = p - q - np.sqrt((p - l1) ** 2 + (u2 - q) ** 2)
    high = p - q + np.sqrt((u1 - p) ** 2 + (q - l2) ** 2)
    return float(low), float(high)
