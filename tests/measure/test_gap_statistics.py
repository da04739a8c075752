"""What noise gives, and whether intervals cover: p-values and bootstraps over configurations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from gradlab.measure.gap_statistics import GapStatistics
from gradlab.measure.rank_agreement import granulated, partial_correlation

GRID = np.array(list(product(range(3), range(4), range(3))))
N = len(GRID)


def _statistics(
    measure: np.ndarray, gap: np.ndarray, draws: int, baselines: np.ndarray | None = None
) -> GapStatistics:
    codes = GRID[: len(measure)]
    return GapStatistics(measure, gap, codes, baselines, draws, 0.95, np.random.default_rng(1))


def test_noise_is_rejected_as_often_as_stated() -> None:
    random, repeats = np.random.default_rng(7), 60
    below = np.zeros(5)
    for _ in range(repeats):
        measure, gap, baseline = random.normal(size=(3, 18))
        table = _statistics(measure, gap, 39, baseline[:, None])
        found = [table.tau(), table.psi(2), table.granulated(), table.partial()]
        below += np.array([*(each.p for each in found), table.information()[3]]) <= 0.05
    assert below.max() <= stats.binom.ppf(0.999, repeats, 0.05)
    assert below.sum() >= stats.binom.ppf(0.001, 4 * repeats, 0.03)  # nor are they far too large


def test_the_p_value_of_psi_holds_where_other_hyperparameters_move_both() -> None:
    """Tau rejects each time, and is right to; psi asks only of cells in which the others are held."""
    random, repeats, below, pooled = np.random.default_rng(8), 60, 0, 0
    other = 5.0 * GRID[:, 1]
    for _ in range(repeats):
        table = _statistics(other + random.normal(size=N), other + random.normal(size=N), 59)
        below += table.psi(0).p <= 0.05
        pooled += table.tau().p <= 0.05
    assert pooled == repeats
    assert below <= stats.binom.ppf(0.999, repeats, 0.05)


def test_intervals_cover_what_the_population_has() -> None:
    """Normal pairs with correlation 0.6 have tau 2/pi asin 0.6, over all pairs and in cells alike."""
    random, inside, repeats = np.random.default_rng(9), np.zeros(2), 50
    truth = 2 / np.pi * np.arcsin(0.6)
    for _ in range(repeats):
        measure, noise = random.normal(size=(2, N))
        table = _statistics(measure, 0.6 * measure + 0.8 * noise, 199)
        inside += [each.low <= truth <= each.high for each in (table.tau(), table.granulated())]
    assert inside.min() >= stats.binom.ppf(0.001, repeats, 0.92)


def test_the_bootstrap_draws_configurations() -> None:
    measure, gap, baseline = np.random.default_rng(10).normal(size=(3, N))
    table = _statistics(measure, gap, 99, baseline[:, None])
    drawn = [np.repeat(np.arange(N), counts.astype(int)) for counts in table.counts]
    assert all(len(each) == N for each in drawn)
    taus = [stats.kendalltau(measure[each], gap[each]).statistic for each in drawn]
    tau, partial, psi = table.tau(), table.partial(), table.psi(1)
    assert (tau.low, tau.high) == pytest.approx(tuple(np.quantile(taus, table.tails)))
    others = [partial_correlation(measure[each], gap[each], baseline[each, None]) for each in drawn]
    assert (partial.low, partial.high) == pytest.approx(tuple(np.quantile(others, table.tails)))
    cells = granulated(measure[None], gap, table.cells[1], table.counts)
    assert (psi.low, psi.high) == pytest.approx(tuple(np.quantile(cells, table.tails)))


def test_below_thirty_configurations_there_is_no_interval() -> None:
    measure, gap = np.random.default_rng(11).normal(size=(2, N))
    few = _statistics(measure[:29], gap[:29], 99).tau()
    assert np.isnan([few.low, few.high]).all()
    assert 0 < few.p <= 1
    assert not np.isnan(_statistics(measure[:30], gap[:30], 99).tau().low)


def test_permutations_of_many_configurations_are_sorted_instead() -> None:
    measure, gap = np.random.default_rng(12).normal(size=(2, 250))
    table = GapStatistics(measure, gap, np.zeros((250, 0), int), None, 199, 0.95, np.random.default_rng(2))
    normal = 2 * stats.norm.sf(abs(table.tau().value) / np.sqrt(2 * 505 / (9 * 250 * 249)))
    assert table.tau().p == pytest.approx(normal, abs=0.1)


def test_too_many_configurations_get_no_null_of_the_information() -> None:
    measure, gap = np.random.default_rng(13).normal(size=(2, 1000))
    codes = np.arange(1000)[:, None] // [100, 10] % 10
    table = GapStatistics(measure, gap, codes, None, 39, 0.95, np.random.default_rng(3))
    value, _, chance, p = table.information()
    assert 0 <= value < 0.1
    assert np.isnan([chance, p]).all()
