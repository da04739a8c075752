"""Slow, obvious statistics: every arrangement is enumerated, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations, product
from math import comb, sqrt


def sign_flip_p(a: Sequence[float], b: Sequence[float]) -> float:
    """P(at least as many pairs with A below B) over all ways to swap the members of each untied pair."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
    observed = sum(x < y for x, y in pairs)
    flips = list(product([False, True], repeat=len(pairs)))
    extreme = sum(
        sum((y < x) if flip else (x < y) for flip, (x, y) in zip(flips_, pairs, strict=True)) >= observed
        for flips_ in flips
    )
    return extreme / len(flips)


def brunner_munzel(a: Sequence[float], b: Sequence[float]) -> float:
    """The statistic by its definition: placements, their variances, and the studentised superiority."""
    in_b = [sum((y < x) + (y == x) / 2 for y in b) / len(b) for x in a]
    in_a = [sum((x < y) + (x == y) / 2 for x in a) / len(a) for y in b]
    share = sum(in_a) / len(b)
    va = sum((p - (1 - share)) ** 2 for p in in_b) / (len(a) - 1) / len(a)
    vb = sum((p - share) ** 2 for p in in_a) / (len(b) - 1) / len(b)
    if va + vb < 1e-12:
        return 0.0 if abs(share - 0.5) < 1e-12 else (1e9 if share > 0.5 else -1e9)
    return (share - 0.5) / sqrt(va + vb)


def permutation_p(a: Sequence[float], b: Sequence[float]) -> float:
    """P(a statistic at least as large) over all ways to name len(a) of the pooled values A."""
    pooled = [*a, *b]
    observed = brunner_munzel(a, b)
    count = extreme = 0
    for chosen in combinations(range(len(pooled)), len(a)):
        one = [pooled[i] for i in chosen]
        two = [pooled[i] for i in range(len(pooled)) if i not in chosen]
        count += 1
        extreme += brunner_munzel(one, two) >= observed - 1e-9
    return extreme / count


def kendall_tau(x: Sequence[float], y: Sequence[float]) -> float:
    """Concordant minus discordant pairs over all pairs."""
    signs = [_order(x[i], x[j]) * _order(y[i], y[j]) for i, j in combinations(range(len(x)), 2)]
    return sum(signs) / len(signs)


def _order(a: float, b: float) -> int:
    return 1 if a > b else -1 if a < b else 0


def order_p(x: Sequence[float], y: Sequence[float]) -> float:
    """P(tau at least as large) over all orders of y."""
    observed = kendall_tau(x, y)
    taus = [kendall_tau(x, order) for order in permutations(y)]
    return sum(tau >= observed - 1e-9 for tau in taus) / len(taus)


def binomial_tail(count: int, n: int, share: float) -> float:
    """P(X >= count)."""
    return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count, n + 1))
