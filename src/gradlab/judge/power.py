"""How many replicates a verdict takes: the n for 80 % power, by exact counts or G. E. Noether's formula (1987)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import stats

from gradlab.judge.proportion import barnard
from gradlab.judge.sequential import ALPHA
from gradlab.judge.sign import smallest_n

__all__ = ["POWER", "correlation_n", "share_n", "shares_n", "sign_n", "unpaired_n"]

POWER: Final = 0.8
_MOST: Final = 100_000


def sign_n(share: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Pairs for the sign test.

    Args:
        share: Probability that a pair points the claimed way, above 1/2.
        alpha: Error rate of each direction.
        power: Probability of a verdict.

    Returns:
        Number of pairs; `None` where no number is enough.

    Example:
        >>> sign_n(0.8), sign_n(1.0)
        (20, 6)
    """

    def reached(n: int) -> float:
        critical = stats.binom.isf(alpha, n, 0.5) + 1
        return float(stats.binom.sf(critical - 1, n, share))

    return _smallest(reached, smallest_n(alpha), power) if share > 0.5 else None


def unpaired_n(superiority: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Runs on each side for the comparison of two independent samples.

    Args:
        superiority: P(A < B) + P(A = B)/2 in the claimed direction, above 1/2.
        alpha: Error rate of each direction.
        power: Probability of a verdict.

    Returns:
        Runs per side; `None` where no number is enough.

    Example:
        >>> unpaired_n(0.75)
        21
    """
    if superiority <= 0.5:
        return None
    z = float(stats.norm.isf(alpha) + stats.norm.ppf(power))
    needed = math.ceil(z * z / (6 * (superiority - 0.5) ** 2))
    return max(needed, smallest_n(alpha)) if needed <= _MOST else None


def correlation_n(tau: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Runs for the correlation test.

    Args:
        tau: Kendall's tau in the claimed direction, above 0.
        alpha: Error rate of each direction.
        power: Probability of a verdict.

    Returns:
        Number of runs; `None` where no number is enough.
    """
    if tau <= 0:
        return None
    z = float(stats.norm.isf(alpha) + stats.norm.ppf(power))
    # The t approximation that guards the test costs about six runs at any effect.
    needed = math.ceil(4 * z * z / (9 * tau * tau)) + 6
    return max(needed, 2 * smallest_n(alpha)) if needed <= _MOST else None


def share_n(null: float, share: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Runs for a share against a number.

    Args:
        null: The number.
        share: The true share, on either side of it.
        alpha: Error rate of each direction.
        power: Probability of a verdict.

    Returns:
        Number of runs; `None` where no number is enough.
    """
    if share < null:
        null, share = 1 - null, 1 - share

    def reached(n: int) -> float:
        critical = stats.binom.isf(alpha, n, null) + 1
        return float(stats.binom.sf(critical - 1, n, share))

    return _smallest(reached, 1, power) if share > null else None


def shares_n(a: float, b: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Runs on each side for 'more frequent in A than in B'; exact, up to 120 a side.

    Args:
        a: True share in A.
        b: True share in B, below it.
        alpha: Error rate of each direction.
        power: Probability of a verdict.

    Returns:
        Runs per side; `None` where 120 are not enough.
    """
    if a <= b:
        return None

    def reached(n: int) -> float:
        first = stats.binom.pmf(np.arange(n + 1), n, a)
        second = stats.binom.pmf(np.arange(n + 1), n, b)
        return float(first @ (barnard(n, n) <= alpha) @ second)

    return _smallest(reached, 2, power, most=120)


def _smallest(reached: Callable[[int], float], start: int, power: float, most: int = _MOST) -> int | None:
    """The first n whose power suffices, found by doubling and then by walking back through the saw-tooth."""
    high = max(start, 1)
    while reached(high) < power:
        if high >= most:
            return None
        high = min(2 * high, most)
    low = max(start, high // 2)
    if high - low > 200:
        while high - low > 200:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return next(n for n in range(low, high + 1) if reached(n) >= power)
