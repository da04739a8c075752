"""Whether two quantities of configurations have one order: over all pairs, and where one hyperparameter changes.

Both statistics are quadratic in the weights of the configurations, so a bootstrap over configurations is the same
formula with the counts of the drawn ones as weights; pairs of a configuration with itself never count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gradlab.measure.pieces import pieces

__all__ = [
    "cells_of",
    "granulated",
    "order",
    "partial_correlation",
    "partial_permuted",
    "tau_b",
    "tau_within",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Signs = NDArray[np.int8]

_AT_ONCE = 2_000_000
"""Signs that are in memory together."""


def order(x: Floats) -> Signs:
    """Which of two is larger, `[..., n, n]`: 1 where the row's value is, -1 where the column's is, 0 for a tie."""
    left, right = x[..., :, None], x[..., None, :]
    return (left > right).astype(np.int8) - (left < right).astype(np.int8)


def tau_b(one: Signs, two: Signs, weights: Floats) -> Floats:
    """Kendall's tau-b, ties taken out of the denominator (M. G. Kendall 1945); 0 where one of both never varies.

    Args:
        one: Order of the first quantity `[n, n]`; pairs that are zeroed in both do not count.
        two: Order of the second.
        weights: How often each configuration counts `[B, n]`.

    Returns:
        `[B]`.

    Example:
        >>> ones = np.ones((1, 4))
        >>> tau_b(order(np.array([1.0, 2, 2, 3])), order(np.array([1.0, 2, 3, 4])), ones).round(3).tolist()
        [0.913]
    """
    both = _form(one * two, weights)
    untied = np.sqrt(_form(one != 0, weights)) * np.sqrt(_form(two != 0, weights))
    return np.divide(both, untied, out=np.zeros_like(both), where=untied > 0)


def tau_within(one: Signs, two: Signs, levels: Codes) -> tuple[float, float]:
    """Tau-b over the pairs that are on one level of a hyperparameter, all levels together.

    Args:
        one: Order of the first quantity `[n, n]`.
        two: Order of the second.
        levels: The level of each configuration `[n]`.

    Returns:
        The correlation, and its standard deviation where the two are independent within levels (without ties);
        infinite where no two configurations share a level.
    """
    same = levels[:, None] == levels
    sizes = np.bincount(levels)
    pairs = float((sizes * (sizes - 1)).sum()) / 2
    error = np.sqrt((sizes * (sizes - 1) * (2 * sizes + 5)).sum() / 18) / pairs if pairs else np.inf
    return float(tau_b(one * same, two * same, np.ones((1, len(levels))))[0]), float(error)


def cells_of(codes: Codes, column: int) -> list[NDArray[np.int64]]:
    """Sets of configurations that differ only in one hyperparameter, `[cells, size]` for each size from 2 on.

    Args:
        codes: The level of each hyperparameter of each configuration `[n, hyperparameters]`.
        column: Which hyperparameter changes.

    Returns:
        Indices of configurations.

    Example:
        >>> cells_of(np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 1]]), 0)
        [array([[0, 1]]), array([[2, 3, 4]])]
    """
    others = np.delete(codes, column, axis=1)
    _, cell = np.unique(others, axis=0, return_inverse=True)
    members = [np.flatnonzero(cell.ravel() == which) for which in range(cell.max() + 1)]
    sizes = sorted({len(each) for each in members} - {1})
    return [np.stack([each for each in members if len(each) == size]) for size in sizes]


def granulated(
    measures: Floats, gap: Floats, cells: Sequence[NDArray[np.int64]], weights: Floats | None = None
) -> Floats:
    r"""The mean over cells of Kendall's tau within the cell, \(\psi_i\) (Y. Jiang et al. 2019): tied pairs count 0.

    Args:
        measures: `[B, n]`: one order of the measure, or several permuted ones.
        gap: `[n]`.
        cells: As `cells_of` gives them.
        weights: `[B, n]`, or as many as are wanted for one order of the measure; cells of weight 0 do not count.

    Returns:
        `[B]`; NaN where there is no cell.
    """
    many = max(len(measures), 1 if weights is None else len(weights))
    total, count = np.zeros(many), np.zeros(many)
    for group in cells:
        second = order(gap[group])
        step = max(1, _AT_ONCE // second.size)
        for part in pieces(many, step):
            signs = order(measures[part if len(measures) > 1 else slice(None)][:, group]) * second
            if weights is None:
                size = group.shape[1]
                taus = signs.sum((-2, -1), dtype=np.float64) / (size * (size - 1))
                counts = np.ones_like(taus)
            else:
                mine = weights[part][:, group]
                pairs = mine.sum(-1) ** 2 - (mine**2).sum(-1)
                products = (np.matmul(mine[..., None, :], signs)[..., 0, :] * mine).sum(-1)
                taus = np.divide(products, pairs, out=np.zeros_like(pairs), where=pairs > 0)
                counts = (pairs > 0).astype(np.float64)
            total[part] += taus.sum(-1)
            count[part] += counts.sum(-1)
    return np.divide(total, count, out=np.full(many, np.nan), where=count > 0)


def partial_correlation(measure: Floats, gap: Floats, baselines: Floats) -> float:
    """The correlation of the ranks of two quantities after those of the baselines are regressed out of both.

    Args:
        measure: `[n]`.
        gap: `[n]`.
        baselines: `[n, baselines]`.

    Returns:
        Partial Spearman correlation; 0 where the baselines say all of one of both.
    """
    x, y, _ = _residuals(measure, gap, baselines)
    return float(_cosine(x, y))


def partial_permuted(
    measure: Floats, gap: Floats, baselines: Floats, permutations: NDArray[np.int64]
) -> Floats:
    """The same where what the baselines do not say of the measure is permuted (D. Freedman, D. Lane 1983).

    Args:
        measure: `[n]`.
        gap: `[n]`.
        baselines: `[n, baselines]`.
        permutations: `[B, n]`.

    Returns:
        `[B]`.
    """
    x, y, basis = _residuals(measure, gap, baselines)
    permuted = x[permutations]
    return _cosine(permuted - (permuted @ basis) @ basis.T, y)


def _form(signs: NDArray[np.generic], weights: Floats) -> Floats:
    return ((weights @ signs.astype(np.float64)) * weights).sum(1)


def _residuals(measure: Floats, gap: Floats, baselines: Floats) -> tuple[Floats, Floats, Floats]:
    """Ranks of both without the baselines', and an orthonormal basis of what was taken out."""
    ranks = np.column_stack([
        np.ones(len(measure)),
        stats.rankdata(baselines, axis=0) - (len(measure) + 1) / 2,
    ])
    left, scales, _ = np.linalg.svd(ranks, full_matrices=False)
    basis = left[:, scales > scales[0] * 1e-12]
    x, y = stats.rankdata(measure), stats.rankdata(gap)
    return x - basis @ (basis.T @ x), y - basis @ (basis.T @ y), basis


def _cosine(x: Floats, y: Floats) -> Floats:
    lengths = np.sqrt((x**2).sum(-1)) * np.sqrt((y**2).sum(-1))
    products = x @ y
    # ranks are up to n: what is left of them by rounding is below this
    none = 1e-9 * x.shape[-1] ** 2
    return np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > none)
