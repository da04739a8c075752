"""Rank statistics against hand-computed numbers, plain loops, SciPy, and samples that are drawn row by row."""

from __future__ import annotations

from itertools import product

import gap_by_hand
import numpy as np
import pytest
from scipy import stats

from gradlab.measure.rank_agreement import (
    cells_of,
    granulated,
    order,
    partial_correlation,
    partial_permuted,
    tau_b,
    tau_within,
)

RANDOM = np.random.default_rng(0)
GRID = np.array(list(product(range(3), range(2), range(4))))
X, Y = RANDOM.integers(0, 9, len(GRID)).astype(float), RANDOM.integers(0, 9, len(GRID)).astype(float)


def test_tau_b_by_hand() -> None:
    # pairs of (1,1) (2,3) (2,2) (3,4): five concordant, none discordant, one tied in the first
    x, y = np.array([1.0, 2, 2, 3]), np.array([1.0, 3, 2, 4])
    assert tau_b(order(x), order(y), np.ones((1, 4)))[0] == pytest.approx(5 / np.sqrt(5 * 6))


def test_tau_b_is_that_of_scipy() -> None:
    found = tau_b(order(X), order(Y), np.ones((1, len(X))))[0]
    assert found == pytest.approx(stats.kendalltau(X, Y).statistic)


def test_infinite_values_rank() -> None:
    x, y = np.array([1.0, 2, np.inf, np.inf]), np.array([1.0, 2, 3, 4])
    assert tau_b(order(x), order(y), np.ones((1, 4)))[0] == pytest.approx(5 / np.sqrt(30))


def test_what_never_varies_has_no_correlation() -> None:
    assert tau_b(order(np.ones(5)), order(np.arange(5.0)), np.ones((1, 5)))[0] == 0


def test_weights_are_counts_of_drawn_configurations() -> None:
    """A sample with repeats, by its counts and drawn in full: repeats are tied with themselves in both."""
    drawn = RANDOM.integers(0, len(X), len(X))
    counts = np.bincount(drawn, minlength=len(X)).astype(float)[None]
    found = tau_b(order(X), order(Y), counts)[0]
    assert found == pytest.approx(stats.kendalltau(X[drawn], Y[drawn]).statistic)


def test_psi_by_hand() -> None:
    # two cells: in the first the three orders agree but for one pair (1/3), in the second all disagree (-1)
    codes = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]])
    x, y = np.array([1.0, 2, 3, 1, 2, 3]), np.array([1.0, 3, 2, 3, 2, 1])
    assert granulated(x[None], y, cells_of(codes, 0))[0] == pytest.approx((1 / 3 - 1) / 2)


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("missing", [0, 5])
def test_psi_is_the_mean_over_cells_of_any_size(column: int, missing: int) -> None:
    keep = np.sort(RANDOM.permutation(len(GRID))[missing:])
    found = granulated(X[None, keep], Y[keep], cells_of(GRID[keep], column))[0]
    assert found == pytest.approx(gap_by_hand.psi(GRID[keep].tolist(), X[keep], Y[keep], column))


def test_several_orders_and_several_weights() -> None:
    cells = cells_of(GRID, 2)
    orders = np.stack([X, X[::-1], RANDOM.permutation(X)])
    each = [granulated(one[None], Y, cells)[0] for one in orders]
    assert granulated(orders, Y, cells) == pytest.approx(each)
    ones = np.ones((3, len(X)))
    assert granulated(X[None], Y, cells, ones) == pytest.approx([each[0]] * 3)
    without = np.ones((1, len(X)))
    without[0, 3] = 0  # one configuration less: its cell goes on with three
    keep = np.delete(np.arange(len(X)), 3)
    found = granulated(X[None], Y, cells, without)[0]
    assert found == pytest.approx(granulated(X[None, keep], Y[keep], cells_of(GRID[keep], 2))[0])


def test_without_cells_psi_is_not_defined() -> None:
    assert cells_of(np.array([[0, 0], [1, 1]]), 0) == []
    assert np.isnan(granulated(X[None, :2], Y[:2], []))


def test_tau_within_levels_takes_only_pairs_on_one_level() -> None:
    # within each level the order is reversed, over levels it agrees
    levels = np.repeat([0, 1, 2], 4)
    x = 10.0 * levels + np.tile(np.arange(4), 3)
    y = 10.0 * levels - np.tile(np.arange(4), 3)
    value, error = tau_within(order(x), order(y), levels)
    assert value == -1
    assert tau_b(order(x), order(y), np.ones((1, 12)))[0] > 0.4
    noise = [tau_within(order(RANDOM.normal(size=12)), order(y), levels)[0] for _ in range(1000)]
    assert np.std(noise) == pytest.approx(error, rel=0.1)


def test_partial_correlation_is_the_textbook_formula_of_ranks() -> None:
    x, y, z = RANDOM.normal(size=(3, 40))
    x, y = x + 2 * z, y + 2 * z
    xy, xz, yz = (stats.spearmanr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_correlation(x, y, z[:, None]) == pytest.approx(expected)
    assert abs(expected) < xy / 2


def test_a_measure_that_only_repeats_a_baseline_has_no_partial_correlation() -> None:
    z, y = RANDOM.normal(size=(2, 30))
    assert partial_correlation(np.exp(z), y, z[:, None]) == 0
    assert partial_correlation(y, y, np.column_stack([z, np.ones(30)])) == pytest.approx(1)


def test_permuted_partial_correlations_have_mean_zero() -> None:
    z = RANDOM.normal(size=60)
    x, y = 3 * z + RANDOM.normal(size=60), 3 * z + RANDOM.normal(size=60)
    permutations = RANDOM.permuted(np.tile(np.arange(60), (2000, 1)), axis=1)
    null = partial_permuted(x, y, z[:, None], permutations)
    assert abs(null.mean()) < 4 * null.std() / np.sqrt(2000)
    assert null.std() == pytest.approx(1 / np.sqrt(58), rel=0.1)
    identity = partial_permuted(x, y, z[:, None], np.arange(60)[None])
    assert identity[0] == pytest.approx(partial_correlation(x, y, z[:, None]))
