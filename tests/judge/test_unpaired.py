from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statistics_by_hand import brunner_munzel, permutation_p

from gradlab.judge.unpaired import below, shift_interval, superiority, typical_shift

sample = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, float("inf")]), min_size=3, max_size=5)


@settings(max_examples=40)
@given(sample, sample)
def test_p_is_the_largest_of_permutation_t_and_floor(a: list[float], b: list[float]) -> None:
    evidence = below(np.array([a]), np.array([b]))
    t, smaller = brunner_munzel(a, b), min(len(a), len(b))
    expected = max(permutation_p(a, b), stats.t.sf(t, max(smaller - 2, 1)), 2.0**-smaller)
    assert evidence.p_for[0] == pytest.approx(expected)
    opposite = below(np.array([b]), np.array([a]))
    assert evidence.p_against[0] == pytest.approx(opposite.p_for[0])


def test_the_statistic_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=9), rng.normal(size=14)
    assert brunner_munzel(a, b) == pytest.approx(-stats.brunnermunzel(b, a).statistic)


def test_superiority_counts_ties_half() -> None:
    a, b = np.array([[1.0, 2.0, np.inf]]), np.array([[2.0, np.inf]])
    assert superiority(a, b)[0] == pytest.approx((1 + 1 + 0.5 + 1 + 0 + 0.5) / 6)


def test_studies_in_a_batch_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(3)
    a, b = np.round(rng.normal(size=(20, 8))), np.round(rng.normal(size=(20, 8)))
    together = below(a, b)
    alone = [below(a[i : i + 1], b[i : i + 1]).p_for[0] for i in range(20)]
    assert together.p_for.tolist() == alone


def test_the_order_of_runs_and_any_monotone_scale_change_nothing() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.exponential(size=(1, 15)), rng.exponential(size=(1, 15))
    p = below(a, b).p_for[0]
    assert below(a[:, ::-1], np.roll(b, 3, axis=1)).p_for[0] == p
    assert below(np.log(a), np.log(b)).p_for[0] == p


def test_no_p_value_lies_below_what_a_distribution_free_test_can_say() -> None:
    a, b = np.zeros((1, 6)) + np.arange(6), np.arange(6)[None] + 100.0
    assert below(a, b).p_for[0] == 2.0**-6


def test_nothing_is_said_where_all_values_are_equal() -> None:
    same = np.full((1, 8), np.inf)
    evidence = below(same, same)
    assert evidence.p_for[0] == evidence.p_against[0] == 1


def test_the_interval_holds_the_ratios_that_the_test_does_not_reject() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.lognormal(size=12), rng.lognormal(size=12) * 3
    low, high = shift_interval(a, b, 0.025, ratio=True)
    assert low < typical_shift(a, b, ratio=True) < high
    for factor, rejected in ((high * 1.001, True), (high * 0.999, False)):
        assert (below(a[None], b[None] * factor).p_for[0] <= 0.025) is np.bool_(rejected)
    for factor, rejected in ((low * 0.999, True), (low * 1.001, False)):
        assert (below(a[None], b[None] * factor).p_against[0] <= 0.025) is np.bool_(rejected)


def test_the_interval_covers_the_true_ratio() -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(300):
        a, b = rng.lognormal(size=10) * 2, rng.lognormal(size=10)
        low, high = shift_interval(a, b, 0.025, ratio=True)
        hits += low <= 2 <= high
    # 95 % less three standard errors of 300 samples
    assert hits / 300 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


def test_differences_are_bounded_like_ratios() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=12), rng.normal(size=12) + 5
    low, high = shift_interval(a, b, 0.025, ratio=False)
    shifted = shift_interval(a + 10, b, 0.025, ratio=False)
    assert low < -5 + 2 < high + 4
    assert shifted == pytest.approx((low + 10, high + 10))


def test_too_few_or_endless_values_bound_nothing() -> None:
    three = np.array([1.0, 2.0, 3.0])
    assert shift_interval(three, three, 0.025, ratio=True) == (0.0, np.inf)
    never = np.full(8, np.inf)
    assert shift_interval(never, never, 0.025, ratio=True) == (0.0, np.inf)
    assert typical_shift(never, never, ratio=True) == 1
