from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statistics_by_hand import kendall_tau, order_p

from gradlab.judge.correlation import exchangeable, positive, tau, tau_within, trend


def test_tau_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, (4, 9)).astype(float), rng.integers(0, 5, (4, 9)).astype(float)
    assert tau(x, y) == pytest.approx([kendall_tau(one, two) for one, two in zip(x, y, strict=True)])


def test_over_conditions_every_order_is_equally_likely() -> None:
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 3, 2, 5, 4])
    evidence = exchangeable(x[None], y[None])
    assert evidence.p_for[0] == pytest.approx(order_p(x, y))
    assert evidence.p_against[0] == pytest.approx(order_p(x, -y))
    assert evidence.floor_for[0] == pytest.approx(1 / 120)


def test_a_clear_correlation_is_found_and_its_reverse_contradicts() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 40))
    y = x + 0.5 * rng.normal(size=(1, 40))
    assert positive(x, y).p_for[0] < 0.005
    assert positive(x, -y).p_against[0] == positive(x, y).p_for[0]


def test_runs_hold_only_half_as_many_independent_pairs() -> None:
    line = np.arange(12.0)[None]
    assert positive(line, line).p_for[0] >= 2.0**-6
    assert positive(line[:, :11], line[:, :11]).floor_for[0] == 2.0**-5


def test_a_degenerate_sample_is_no_evidence() -> None:
    # Rises inside each half, falls between them: tau is slightly negative and its jackknife sees no spread at all.
    x = np.arange(12.0)
    y = np.where(x < 6, x + 100, x)
    assert positive(x[None], y[None]).p_against[0] > 0.3
    assert positive(x[None], np.ones((1, 12))).p_for[0] == 1


def test_infinities_rank_and_tie() -> None:
    x = np.array([[1.0, 2, 3, np.inf, np.inf, 4, 5, 6, 7, 8, 9, 10]])
    assert tau(x, x)[0] == pytest.approx(1 - 1 / 66)


def test_within_a_run_it_is_kendalls_tau_b_of_what_was_recorded() -> None:
    x = np.array([[1.0, 2, 3, 4, np.nan], [1.0, 1, 1, 1, 1]])
    y = np.array([[4.0, 3, 2, 1, 7], [1.0, 2, 3, 4, 5]])
    assert tau_within(x, y).tolist() == [-1.0, 0.0]
    rng = np.random.default_rng(2)
    one, two = rng.integers(0, 4, 30).astype(float), rng.normal(size=30)
    assert tau_within(one[None], two[None])[0] == pytest.approx(stats.kendalltau(one, two).statistic)


def test_a_trend_over_groups_is_the_jonckheere_terpstra_count() -> None:
    rng = np.random.default_rng(3)
    level = np.repeat([0.0, 1, 2], 8)[None]
    rising = rng.normal(size=(1, 24)) + 2 * level
    assert trend(level, rising, 8).p_for[0] == pytest.approx(2.0**-8, rel=0.5)
    assert trend(level, -rising, 8).p_against[0] == trend(level, rising, 8).p_for[0]
    assert trend(level, rng.normal(size=(1, 24)), 8).p_for[0] > 0.01
