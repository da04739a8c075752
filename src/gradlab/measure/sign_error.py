"""How often a measure ranks two configurations the wrong way round, in the environment where it does worst.

Averages hide failures, so a measure is judged by its worst environment: a change of one hyperparameter with all
others held (G. K. Dziugaite et al. 2020). Pairs whose gaps cannot be told apart by so many test examples are left out
by Hoeffding's inequality.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Environment", "Environments", "hoeffding_weight", "sign_errors"]

Floats = NDArray[np.float64]
Environments = Literal["levels", "configurations"]


@dataclass(frozen=True)
class Environment:
    """A change of one hyperparameter.

    Attributes:
        hyperparameter: Column of the one that changes.
        levels: Codes of both levels.
        error: Weighted share of pairs of runs that the measure ranks the wrong way round; a tie is half an error.
        size: Effective number of pairs, the squared sum of the weights over the sum of their squares.
    """

    hyperparameter: int
    levels: tuple[int, int]
    error: float
    size: float


def hoeffding_weight(difference: Floats, examples: int) -> Floats:
    """How surely two gaps differ that were each estimated on so many examples, from 0 to 1.

    Twice Hoeffding's bound on an error of half the difference, taken from 1, squared: a lower bound on the chance that
    both estimates are on their side of the middle.

    Args:
        difference: Of the gaps, as shares of the examples.
        examples: Test examples.

    Returns:
        The weights.

    Example:
        >>> hoeffding_weight(np.array([0.0, 0.02, 0.05]), 10_000).round(3).tolist()
        [0.0, 0.532, 1.0]
    """
    return np.maximum(0.0, 1 - 2 * np.exp(-2 * examples * (np.abs(difference) / 2) ** 2)) ** 2


def sign_errors(
    measure: Floats,
    gap: Floats,
    codes: NDArray[np.int64],
    *,
    environments: Environments = "levels",
    examples: int | None = None,
    least: float = 12,
) -> list[Environment]:
    """The sign error of each environment, worst first.

    Args:
        measure: Of each run `[n]`.
        gap: Of each run `[n]`.
        codes: Levels of each run `[n, hyperparameters]`.
        environments: "levels": two levels of one hyperparameter, whatever the others are held at. "configurations":
            two configurations that differ in one hyperparameter, as in the paper; needs many runs of each.
        examples: Test examples behind each gap. Pairs with a weight below a half are left out, others count by what
            their weight is above it; without the number all pairs count alike.
        least: Environments of fewer effective pairs are left out.

    Returns:
        The environments.
    """
    sums: dict[tuple[int, ...], Floats] = {}
    for column in range(codes.shape[1]):
        _, cell = np.unique(np.delete(codes, column, axis=1), axis=0, return_inverse=True)
        for which in range(int(cell.max()) + 1):
            members = np.flatnonzero(cell.ravel() == which)
            levels = codes[members, column]
            for one, two in combinations(np.unique(levels).tolist(), 2):
                a, b = members[levels == one, None], members[levels == two]
                key = (column, one, two) if environments == "levels" else (column, one, two, which)
                sums[key] = sums.get(key, np.zeros(3)) + _pairs(measure, gap, a, b, examples)
    found = [
        Environment(key[0], (key[1], key[2]), wrong / weight, weight**2 / square)
        for key, (wrong, weight, square) in sums.items()
        if weight > 0 and weight**2 / square >= least - 1e-9
    ]
    return sorted(found, key=lambda environment: -environment.error)


def _pairs(
    measure: Floats, gap: Floats, a: NDArray[np.int64], b: NDArray[np.int64], examples: int | None
) -> Floats:
    """Weighted wrong pairs, weights and their squares."""
    signs = _sign(measure[a], measure[b]) * _sign(gap[a], gap[b])
    weights = np.ones(signs.shape)
    if examples is not None:
        weights = np.maximum(hoeffding_weight(gap[a] - gap[b], examples) - 0.5, 0.0)
    return np.array([(weights * (1 - signs) / 2).sum(), weights.sum(), (weights**2).sum()])


def _sign(a: Floats, b: Floats) -> Floats:
    return (a > b).astype(np.float64) - (a < b)
