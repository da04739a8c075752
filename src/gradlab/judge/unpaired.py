"""Two independent samples: the studentised permutation test of stochastic equality.

Null: P(A < B) + P(A = B)/2 = 1/2, whatever the two shapes. Three p-values guard each other and the largest counts:

- the permutation distribution of the studentised Brunner-Munzel statistic, exact where both samples come from one
  distribution (E. Brunner, U. Munzel 2000; K. Neubert, E. Brunner 2007);
- a t approximation with min(n, m) - 2 degrees of freedom, which holds where the spreads differ;
- 2^-min(n, m), below which no distribution-free statement is possible: if one side is constant and the other falls
  above and below it equally often, complete separation has that probability.

Shapes: S studies, n and m values, K different values among the n + m.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gradlab.judge.evidence import Array, Evidence

__all__ = ["DRAWS", "below", "shift_interval", "superiority", "typical_shift"]

DRAWS = 20_000
"""Permutations drawn where there are too many to enumerate; always the same ones, so that p-values repeat."""

_SEPARATED = 1e9
_TIE = 1e-9


def superiority(a: Array, b: Array) -> Array:
    """P(A < B) + P(A = B)/2, estimated from all n x m comparisons.

    Args:
        a: Values `[S, n]`.
        b: Values `[S, m]`.

    Returns:
        Shares `[S]`.

    Example:
        >>> superiority(np.array([[1.0, 2.0]]), np.array([[2.0, 3.0]])).tolist()
        [0.875]
    """
    ca, cb = _tables(a, b)
    return _placements(ca, cb)[0]


def below(a: Array, b: Array, draws: int = DRAWS) -> Evidence:
    """Evidence that A lies below B: P(A < B) + P(A = B)/2 > 1/2.

    Args:
        a: Values `[S, n]`; infinities rank and tie as they should, NaN is not allowed.
        b: Values `[S, m]`.
        draws: Permutations, where enumeration would need more.

    Returns:
        Evidence; the floor is 2^-min(n, m).
    """
    ca, cb = _tables(a, b)
    n, m = a.shape[-1], b.shape[-1]
    share, va, vb = _placements(ca, cb)
    t = _studentised(share, va, vb)
    p_for, p_against = _permutation_p(t, ca + cb, n, draws)
    df = max(min(n, m) - 2, 1)
    floor = np.full(len(t), 2.0 ** -min(n, m))
    return Evidence(
        p_for=np.maximum.reduce([p_for, stats.t.sf(t, df), floor]),
        p_against=np.maximum.reduce([p_against, stats.t.cdf(t, df), floor]),
        floor_for=floor,
        floor_against=floor,
    )


def typical_shift(a: Array, b: Array, *, ratio: bool) -> float:
    """Hodges-Lehmann estimate: the median of all a / b, or of all a - b.

    Args:
        a: One sample.
        b: The other.
        ratio: Whether quotients or differences are meant.

    Returns:
        The median; a pair of equal infinities counts as equal.
    """
    return float(
        np.median(np.nan_to_num(_shifts(a, b, ratio), nan=float(ratio), posinf=np.inf, neginf=-np.inf))
    )


def shift_interval(a: Array, b: Array, alpha: float, *, ratio: bool) -> tuple[float, float]:
    """The shifts of B that the test does not reject: by a factor, or by a difference.

    Args:
        a: One sample.
        b: The other.
        alpha: Error rate of each side.
        ratio: Whether B is multiplied or moved.

    Returns:
        Lower and upper end; 0 or infinite where the samples cannot bound it.
    """
    shifts = np.unique(_shifts(a, b, ratio))
    shifts = shifts[np.isfinite(shifts) & ((shifts > 0) | (not ratio))]
    lowest, highest = (0.0, np.inf) if ratio else (-np.inf, np.inf)
    if len(shifts) == 0:
        return lowest, highest
    inner = np.sqrt(shifts[:-1] * shifts[1:]) if ratio else (shifts[:-1] + shifts[1:]) / 2
    edges = (shifts[0] / 2, shifts[-1] * 2) if ratio else (shifts[0] - 1, shifts[-1] + 1)
    between = np.concatenate([[edges[0]], inner, [edges[1]]])

    end = len(between) - 1

    def evidence(index: int) -> Evidence:
        moved = b * between[index] if ratio else b + between[index]
        return below(a[None], moved[None])

    def above_moved(index: int) -> bool:
        return bool(evidence(index).p_against[0] <= alpha)

    def below_moved_from_the_end(index: int) -> bool:
        return bool(evidence(end - index).p_for[0] <= alpha)

    # A is above B moved by little, and below B moved by much; each is a bisection over the gaps.
    low = _last(end + 1, above_moved)
    high = end - _last(end + 1, below_moved_from_the_end)
    return (
        float(shifts[low]) if 0 <= low < len(shifts) else lowest,
        float(shifts[high - 1]) if 0 < high <= len(shifts) else highest,
    )


def _last(length: int, holds: Callable[[int], bool]) -> int:
    """The last index at which a predicate that is true first and false later is true; -1 if nowhere."""
    low, high = -1, length
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _shifts(a: Array, b: Array, ratio: bool) -> Array:
    with np.errstate(all="ignore"):
        return (a[:, None] / b[None, :] if ratio else a[:, None] - b[None, :]).ravel()


def _tables(a: Array, b: Array) -> tuple[Array, Array]:
    """Counts of each different value in A and in B, smallest first: two tables `[S, K]`, zeros at the end."""
    size, n = a.shape
    pooled = np.concatenate([a, b], axis=1)
    order = np.argsort(pooled, axis=1, kind="stable")
    ordered = np.take_along_axis(pooled, order, axis=1)
    steps = ordered[:, 1:] != ordered[:, :-1]
    level = np.concatenate([np.zeros((size, 1), dtype=np.int64), np.cumsum(steps, axis=1)], axis=1)
    of_a = order < n
    width = int(level.max()) + 1
    flat = level + width * np.arange(size)[:, None]
    ca = np.bincount(flat[of_a], minlength=size * width).reshape(size, width)
    cb = np.bincount(flat[~of_a], minlength=size * width).reshape(size, width)
    return ca.astype(np.float64), cb.astype(np.float64)


def _placements(ca: Array, cb: Array) -> tuple[Array, Array, Array]:
    """Superiority of B over A, and the variances of the mean placements of A and of B: `[S]` each."""
    n, m = ca.sum(-1), cb.sum(-1)
    in_a = (np.cumsum(ca, -1) - ca / 2) / n[..., None]
    in_b = (np.cumsum(cb, -1) - cb / 2) / m[..., None]
    share = (cb * in_a).sum(-1) / m
    va = (ca * (in_b - (1 - share)[..., None]) ** 2).sum(-1) / np.maximum(n - 1, 1) / n
    vb = (cb * (in_a - share[..., None]) ** 2).sum(-1) / np.maximum(m - 1, 1) / m
    return share, va, vb


def _studentised(share: Array, va: Array, vb: Array) -> Array:
    error = np.sqrt(va + vb)
    shift = share - 0.5
    flat = error < _TIE
    t = shift / np.where(flat, 1.0, error)
    return np.where(flat, np.where(np.abs(shift) < _TIE, 0.0, np.sign(shift) * _SEPARATED), t)


def _permutation_p(t: Array, pooled: Array, n: int, draws: int) -> tuple[Array, Array]:
    """Upper and lower tail of the permutation distribution, for each pattern of ties among the studies."""
    upper, lower = np.empty_like(t), np.empty_like(t)
    patterns, which = np.unique(pooled.astype(np.int16), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    starts = np.searchsorted(which.ravel()[order], np.arange(len(patterns) + 1))
    for index, pattern in enumerate(patterns):
        chosen = order[starts[index] : starts[index + 1]]
        null, exact = _null(tuple(int(count) for count in pattern if count), n, draws)
        extra, size = (0, len(null)) if exact else (1, len(null) + 1)
        above = len(null) - np.searchsorted(null, t[chosen] - _TIE, side="left")
        under = np.searchsorted(null, t[chosen] + _TIE, side="right")
        upper[chosen], lower[chosen] = (above + extra) / size, (under + extra) / size
    return upper, lower


@lru_cache(maxsize=1_000)
def _null(pattern: tuple[int, ...], n: int, draws: int) -> tuple[Array, bool]:
    """Sorted statistics over all ways (or `draws` of them) to name n of the pooled values A; whether all."""
    counts = np.array(pattern)
    size = int(counts.sum())
    if exact := math.comb(size, n) <= draws:
        picked = np.zeros((math.comb(size, n), size), dtype=bool)
        members = np.array(list(itertools.combinations(range(size), n)))
        np.put_along_axis(picked, members, True, axis=1)
    else:
        picked = _random_halves(size, n, draws)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    ca = np.add.reduceat(picked.astype(np.float64), starts, axis=1)
    null = np.sort(_studentised(*_placements(ca, counts - ca)))
    null.setflags(write=False)
    return null, exact


@lru_cache(maxsize=16)
def _random_halves(size: int, n: int, draws: int) -> NDArray[np.bool_]:
    """The same random n-subsets of `size` items at every call, as masks `[draws, size]`."""
    generator = np.random.Generator(np.random.Philox(key=[size, n]))
    ranks = generator.random((draws, size)).argsort(axis=1)
    return ranks < n
