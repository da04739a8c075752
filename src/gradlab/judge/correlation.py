"""Rank correlation: the studentised permutation test of Kendall's tau.

Null: of two runs, the one with the larger first value has the larger or the smaller second value equally often
(tau = 0), whatever else depends on what. The permutation test of tau is exact only where the two are independent;
studentising it by the jackknife keeps it honest where the spread of one depends on the other (C. J. DiCiccio,
J. P. Romano 2017), the plain one where the jackknife sees no spread at all. As for two samples, a t approximation (with
n // 3 - 1 degrees of freedom, as simulation asked for) and a floor guard them, and the largest of the p-values
counts: n runs hold n // 2 independent pairs, so no distribution-free p-value lies below 2^-(n // 2).
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gradlab.judge.evidence import Array, Evidence

__all__ = ["exchangeable", "positive", "tau", "tau_within", "trend"]

DRAWS = 5_000
"""Permutations drawn where there are too many to enumerate; always the same ones."""

_TIE = 1e-9
_PERFECT = 1e9


def tau(x: Array, y: Array) -> Array:
    """Share of concordant minus share of discordant pairs; tied pairs count as neither (Kendall's tau-a).

    Args:
        x: First quantity `[S, n]`.
        y: Second quantity `[S, n]`.

    Returns:
        Numbers in [-1, 1], `[S]`.

    Example:
        >>> tau(np.array([[1.0, 2, 3]]), np.array([[1.0, 3, 2]])).round(3).tolist()
        [0.333]
    """
    return _scores(x, y).sum(-1) / (x.shape[-1] * (x.shape[-1] - 1))


def tau_within(x: Array, y: Array) -> Array:
    """Kendall's tau-b of two series for each run, over the epochs at which both were recorded.

    Args:
        x: First series `[runs, k]`; NaN where nothing was recorded.
        y: Second series `[runs, k]`.

    Returns:
        One correlation per run; 0 where a series does not vary.
    """
    found = np.zeros(len(x))
    for index, (one, two) in enumerate(zip(x, y, strict=True)):
        both = ~(np.isnan(one) | np.isnan(two))
        if both.sum() > 1 and np.ptp(_ranks(one[both])) > 0 and np.ptp(_ranks(two[both])) > 0:
            found[index] = cast(Any, stats.kendalltau(one[both], two[both])).statistic
    return found


def positive(x: Array, y: Array, draws: int = DRAWS) -> Evidence:
    """Evidence that two quantities rise together over runs.

    Args:
        x: First quantity `[S, n]`; infinities rank and tie, NaN is not allowed.
        y: Second quantity `[S, n]`.
        draws: Permutations, where enumeration would need more.

    Returns:
        Evidence on tau > 0; the floor is 2^-(n // 2).
    """
    n = x.shape[-1]
    return _tested(x, y, 2.0 ** -(n // 2), n // 3 - 1, draws)


def trend(levels: Array, y: Array, smallest: int, draws: int = DRAWS) -> Evidence:
    """Evidence that a quantity rises along ordered groups (Jonckheere-Terpstra, studentised).

    Args:
        levels: The group of each run, as numbers in order `[S, n]`.
        y: The quantity `[S, n]`.
        smallest: Runs in the smallest group.
        draws: Permutations, where enumeration would need more.

    Returns:
        Evidence on tau > 0; the floor is 2^-smallest, as for two groups.
    """
    return _tested(levels, y, 2.0**-smallest, smallest - 1, draws)


def _tested(x: Array, y: Array, smallest_p: float, df: int, draws: int) -> Evidence:
    n = x.shape[-1]
    plain, t = _statistics(x, y)
    floor = np.full(len(t), smallest_p)
    p_for = np.maximum(floor, stats.t.sf(t, max(df, 1)))
    p_against = np.maximum(floor, stats.t.cdf(t, max(df, 1)))
    ties, which = np.unique(np.concatenate([_pattern(x), _pattern(y)], axis=1), axis=0, return_inverse=True)
    for index, pattern in enumerate(ties):
        chosen = np.flatnonzero(which.ravel() == index)
        nulls, extra = _null(tuple(pattern[:n].tolist()), tuple(pattern[n:].tolist()), draws)
        for observed, null in zip((plain[chosen], t[chosen]), nulls, strict=True):
            size = len(null) + extra
            above = len(null) - np.searchsorted(null, observed - _TIE, side="left") + extra
            under = np.searchsorted(null, observed + _TIE, side="right") + extra
            p_for[chosen] = np.maximum(p_for[chosen], above / size)
            p_against[chosen] = np.maximum(p_against[chosen], under / size)
    return Evidence(p_for, p_against, floor, floor)


def exchangeable(x: Array, y: Array, draws: int = 20_000) -> Evidence:
    """Evidence that two orders agree, where the items are fixed and any order is equally likely on the null.

    Args:
        x: Values of the items `[S, n]`, such as condition medians.
        y: Other values of the same items `[S, n]`.
        draws: Permutations, where enumeration would need more.

    Returns:
        Plain permutation p-values; the floor is 1 / n!.
    """
    n = x.shape[-1]
    observed = tau(x, y)
    orders, exact = _orders(n, draws)
    p_for, p_against = np.empty(len(x)), np.empty(len(x))
    for index, (one, two) in enumerate(zip(x, y, strict=True)):
        null = tau(np.broadcast_to(one, orders.shape), two[orders])
        extra, size = (0, len(null)) if exact else (1, len(null) + 1)
        p_for[index] = ((null >= observed[index] - _TIE).sum() + extra) / size
        p_against[index] = ((null <= observed[index] + _TIE).sum() + extra) / size
    floor = np.full(len(x), 1 / math.factorial(n) if n < 20 else 0.0)
    return Evidence(p_for, p_against, floor, floor)


def _scores(x: Array, y: Array) -> Array:
    """For each run, the concordant minus the discordant other runs: `[S, n]`."""
    size, n = x.shape
    total = np.empty((size, n))
    step = max(1, 4_000_000 // (n * n))
    for start in range(0, size, step):
        one, two = x[start : start + step], y[start : start + step]
        total[start : start + step] = np.einsum("sij,sij->si", _signs(one), _signs(two), dtype=np.float64)
    return total


def _signs(x: Array) -> NDArray[np.int8]:
    left, right = x[:, :, None], x[:, None, :]
    return (left > right).astype(np.int8) - (left < right).astype(np.int8)


def _statistics(x: Array, y: Array) -> tuple[Array, Array]:
    """Tau itself, and tau over its jackknife error."""
    n = x.shape[-1]
    mean = _scores(x, y) / (n - 1)
    estimate = mean.mean(-1)
    error = 2 * mean.std(-1, ddof=1) / np.sqrt(n)
    flat = error < _TIE
    t = estimate / np.where(flat, 1.0, error)
    return estimate, np.where(flat, np.where(np.abs(estimate) < _TIE, 0.0, np.sign(estimate) * _PERFECT), t)


def _ranks(x: Array) -> Array:
    return stats.rankdata(x, axis=-1)


def _pattern(x: Array) -> NDArray[np.int32]:
    """The sorted midranks of each study, doubled: which values are tied."""
    return np.sort((2 * _ranks(x)).astype(np.int32), axis=-1)


@lru_cache(maxsize=8)
def _orders(n: int, draws: int) -> tuple[NDArray[np.int64], bool]:
    if math.factorial(n) <= draws:
        return np.array(list(itertools.permutations(range(n)))), True
    generator = np.random.Generator(np.random.Philox(key=[n, n]))
    return generator.random((draws, n)).argsort(axis=1), False


@lru_cache(maxsize=2_000)
def _null(x: tuple[int, ...], y: tuple[int, ...], draws: int) -> tuple[tuple[Array, Array], int]:
    """Both sorted statistics over permutations of y against x, for ranks with these ties; 1 where sampled."""
    orders, exact = _orders(len(x), draws)
    one = np.array(x, dtype=np.float64)
    two = np.array(y, dtype=np.float64)
    plain, t = (np.sort(null) for null in _statistics(np.broadcast_to(one, orders.shape), two[orders]))
    return (plain, t), 0 if exact else 1
