"""Families of data for simulated studies, each exactly at the null 'A is as often below as above B'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from scipy import stats

from gradlab.judge.evidence import Array

__all__ = ["PAIRED", "UNPAIRED", "Draw", "Generator", "shifted"]

Generator = np.random.Generator
Draw = Callable[[Generator, int, int], tuple[Array, Array]]
"""Draws `studies` studies of `n` runs a side: A and B, `[studies, n]` each."""

DEAD = 0.12
"""Share of runs that never learn; they rank worst, as an infinity."""

# Where the living runs of B must lie so that 12 % dead ones just balance them.
_BALANCED: Final = float(np.sqrt(2) * stats.norm.ppf((0.5 - DEAD) / (1 - DEAD)))
_GAMMA_MEDIAN: Final = float(stats.gamma.median(2))
_CAP: Final = 0.4


def _normal(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(studies, n)), rng.normal(size=(studies, n))


def _skewed(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    return rng.exponential(size=(studies, n)), _GAMMA_MEDIAN - rng.exponential(size=(studies, n))


def _unequal(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(studies, n)), 5 * rng.normal(size=(studies, n))


def _unequal_sizes(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    return 5 * rng.normal(size=(studies, n)), rng.normal(size=(studies, 2 * n))


def _dead_both(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    a, b = _normal(rng, studies, n)
    return _with_dead(rng, a), _with_dead(rng, b)


def _dead_one(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    a, b = _normal(rng, studies, n)
    return a, _with_dead(rng, b + _BALANCED)


def _censored(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    a, b = _normal(rng, studies, n)
    return _capped(a), _capped(b)


def _censored_unequal(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    a, b = _normal(rng, studies, n)
    return _capped(a), _capped(4 * b + _CENSORED_SHIFT)


def _ties(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    a, b = _normal(rng, studies, n)
    return np.clip(np.round(a), -1, 1), np.clip(np.round(b), -1, 1)


def _two_clusters(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    """One side always ends at the same value, the other half above and half below it."""
    return np.zeros((studies, n)), np.sign(rng.random((studies, n)) - 0.5)


def _adversary(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    """The worst of some thousand random pairs of discrete distributions."""
    levels = np.arange(5.0)
    return rng.choice(levels, (studies, n), p=_WORST_A), rng.choice(levels, (studies, n), p=_WORST_B)


def _with_dead(rng: Generator, values: Array) -> Array:
    return np.where(rng.random(values.shape) < DEAD, np.inf, values)


def _capped(values: Array) -> Array:
    """Values above the cap are never seen: about a third of them."""
    return np.where(values > _CAP, np.inf, values)


def _censored_shift(scale: float) -> float:
    """The shift of B that keeps the null where both are censored and B is `scale` times as spread."""

    def excess(shift: float) -> float:
        a = np.linspace(_CAP, 12, 20_001)
        density = stats.norm.pdf(a) * stats.norm.sf((a - shift) / scale)
        both = (density.sum() - (density[0] + density[-1]) / 2) * (a[1] - a[0])
        tied = stats.norm.sf(_CAP) * stats.norm.sf((_CAP - shift) / scale)
        return float(stats.norm.cdf(shift / np.sqrt(1 + scale**2)) - both + tied / 2 - 0.5)

    low, high = -10.0, 10.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return low


def _balance(a: Array, b: Array) -> Array:
    """B mixed with an extreme level until the null holds exactly."""
    in_a = np.cumsum(a) - a / 2
    share = float(b @ in_a)
    end = np.eye(len(b))[0 if share > 0.5 else -1]
    weight = (share - 0.5) / (share - float(end @ in_a))
    return (1 - weight) * b + weight * end


_CENSORED_SHIFT: Final = _censored_shift(4.0)
_WORST_A: Final = np.array([0.327, 0.0, 0.36, 0.214, 0.099])
_WORST_B: Final = _balance(_WORST_A, np.array([0.048, 0.659, 0.005, 0.0, 0.288]))

UNPAIRED: Final[Mapping[str, Draw]] = {
    "normal": _normal,
    "skewed, mirrored": _skewed,
    "spread 1 : 5": _unequal,
    "spread 5 : 1, n : 2n": _unequal_sizes,
    "12 % dead, both": _dead_both,
    "12 % dead, one side": _dead_one,
    "censored, both": _censored,
    "censored, spread 1 : 4": _censored_unequal,
    "ties (3 values)": _ties,
    "constant : two clusters": _two_clusters,
    "adversarial": _adversary,
}
"""Independent samples, by name."""


def _paired(draw: Draw) -> Draw:
    """The same families with a draw that both sides of a pair share."""

    def shared(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
        a, b = draw(rng, studies, n)
        common = rng.normal(size=(studies, n)) * 2
        return a + common, b + common

    return shared


def _skewed_pairs(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    """Differences with a long tail and median 0."""
    common = rng.normal(size=(studies, n))
    return common + rng.lognormal(0, 1.5, (studies, n)) - 1.0, common


def _tied_pairs(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    a, b = _paired(_normal)(rng, studies, n)
    return np.round(a / 2), np.round(b / 2)


def _censored_pairs(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    a, b = _paired(_normal)(rng, studies, n)
    return _capped(a), _capped(b)


PAIRED: Final[Mapping[str, Draw]] = {
    "normal": _paired(_normal),
    "skewed": _skewed_pairs,
    "spread 1 : 5": _paired(_unequal),
    "12 % dead, both": _paired(_dead_both),
    "12 % dead, one side": _paired(_dead_one),
    "censored, both": _censored_pairs,
    "ties": _tied_pairs,
}
"""Pairs, by name."""


def shifted(draw: Draw, by: float) -> Draw:
    """The same data with A moved, for equivalence on the margin and for power.

    Args:
        draw: A family at the null.
        by: What is added to A.

    Returns:
        The family away from it.
    """

    def moved(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
        a, b = draw(rng, studies, n)
        return a + by, b

    return moved
