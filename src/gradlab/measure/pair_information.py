"""How much the order of a measure tells of the order of the gap, whichever hyperparameters are known.

Two configurations are drawn; V says which has the larger measure, W which has the larger gap, U which levels of some
hyperparameters each of both has. The information of V on W given U, over the entropy of W given U, is 1 where the
measure decides and 0 where it tells nothing; K is its minimum over sets of at most two known hyperparameters, so that
a measure that only repeats a hyperparameter scores 0 (Y. Jiang et al. 2019; score of the contest of 2020, where
exactly two were known). Information has no sign: a measure that orders everything backwards has K = 1.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gradlab.measure.pieces import pieces
from gradlab.measure.rank_agreement import order

__all__ = ["known_sets", "normalised_information"]

Floats = NDArray[np.float64]

_AT_ONCE = 1_000_000
"""Pairs that are in memory together."""


def known_sets(hyperparameters: int) -> list[tuple[int, ...]]:
    """The sets of at most two hyperparameters, by column.

    Example:
        >>> known_sets(2)
        [(), (0,), (1,), (0, 1)]
    """
    return [known for size in range(3) for known in combinations(range(hyperparameters), size)]


def normalised_information(
    measures: Floats, gap: Floats, codes: NDArray[np.int64], known: tuple[int, ...]
) -> Floats:
    """The share of the entropy of the gap's order that the measure's order takes away, in [0, 1].

    Ordered pairs count, those whose gaps tie do not; a tie of the measure is a third answer of its own.

    Args:
        measures: `[B, n]`: the measure, or permutations of it.
        gap: `[n]`.
        codes: Levels `[n, hyperparameters]`.
        known: Columns that are known.

    Returns:
        `[B]`; NaN where the known hyperparameters leave no doubt, or no pair.
    """
    n = len(gap)
    _, label = (
        np.unique(codes[:, list(known)], axis=0, return_inverse=True) if known else (0, np.zeros(n, np.int64))
    )
    label = label.ravel()
    second = order(gap)
    one, two = np.nonzero(second)
    _, cell = np.unique(label[one] * n + label[two], return_inverse=True)
    base = cell.ravel() * 6 + (second[one, two] > 0)
    cells = int(cell.max()) + 1 if cell.size else 0
    found = np.full(len(measures), np.nan)
    step = max(1, _AT_ONCE // max(1, len(base)))
    for part in pieces(len(measures) if cells else 0, step):
        some = measures[part]
        left, right = some[:, one], some[:, two]
        answer = 1 + (left > right).astype(np.int64) - (left < right)
        place = np.arange(len(some))[:, None] * (6 * cells) + base + 2 * answer
        table = np.bincount(place.ravel(), minlength=6 * cells * len(some)).reshape(-1, cells, 3, 2)
        uncertain = _entropy(table.sum(2)).sum(1)
        answers, both = _entropy(table.sum(3)), _entropy(table.reshape(-1, cells, 6))
        told = uncertain + (answers - both).sum(1)
        np.divide(told, uncertain, out=found[part], where=uncertain > 0)
    return found


def _entropy(counts: NDArray[np.int64]) -> Floats:
    """Entropy of each set of counts on the last axis, times their number."""
    logs = np.log2(np.maximum(counts, 1))
    total = counts.sum(-1)
    return total * np.log2(np.maximum(total, 1)) - (counts * logs).sum(-1)
