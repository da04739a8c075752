from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statistics_by_hand import sign_flip_p

from gradlab.judge.sign import below, directions, median_interval, smallest_n

values = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9)


@given(values)
def test_is_the_exact_sign_flip_test(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=float).T
    evidence = below(a[None], b[None])
    assert evidence.p_for[0] == pytest.approx(sign_flip_p(a, b))
    assert evidence.p_against[0] == pytest.approx(sign_flip_p(b, a))


def test_ties_carry_no_direction_and_equal_infinities_tie() -> None:
    a = np.array([1.0, np.inf, np.inf, 2.0])
    b = np.array([2.0, np.inf, 1.0, 2.0])
    assert directions(a, b).tolist() == [-1, 0, 1, 0]
    all_tied = below(np.full((1, 6), np.inf), np.full((1, 6), np.inf))
    assert all_tied.p_for[0] == all_tied.p_against[0] == 1


def test_the_smallest_p_is_all_pairs_one_way() -> None:
    evidence = below(np.zeros((1, 6)), np.ones((1, 6)))
    assert evidence.p_for[0] == evidence.floor_for[0] == 2.0**-6
    assert [smallest_n(alpha) for alpha in (0.025, 0.05, 0.5)] == [6, 5, 1]


def test_the_interval_is_the_inverse_of_the_test() -> None:
    rng = np.random.default_rng(1)
    for n in (6, 11, 30):
        sample = rng.exponential(size=n)
        low, high = median_interval(sample, 0.025)
        # Just inside the interval the median is not rejected, just outside it is.
        inside = below(sample[None], np.array(high - 1e-9))
        outside = below(sample[None], np.array(high + 1e-9))
        assert inside.p_for[0] > 0.025 >= outside.p_for[0]
        assert below(sample[None], np.array(low - 1e-9)).p_against[0] <= 0.025


def test_the_interval_covers_the_median_of_a_skewed_distribution() -> None:
    rng = np.random.default_rng(2)
    samples = rng.exponential(size=(2000, 13))
    inside = [low <= np.log(2) <= high for low, high in (median_interval(row, 0.025) for row in samples)]
    exact = 1 - 2 * stats.binom.cdf(2, 13, 0.5)
    assert np.mean(inside) == pytest.approx(exact, abs=0.015)
    assert exact >= 0.95


def test_too_small_a_sample_bounds_nothing() -> None:
    assert median_interval(np.arange(5.0), 0.025) == (-np.inf, np.inf)
    assert median_interval(np.array([]), 0.025) == (-np.inf, np.inf)


def test_a_tie_of_infinities_may_lie_anywhere() -> None:
    low, high = median_interval(np.array([1.0, 2, 3, 4, 5, 6, np.nan]), 0.025)
    assert (low, high) == (-np.inf, np.inf)
