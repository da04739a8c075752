from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statistics_by_hand import binomial_tail

from gradlab.judge.proportion import (
    barnard,
    clopper_pearson,
    difference_interval,
    larger_share,
    share_at_least,
    wilson,
)


@pytest.mark.parametrize(("count", "n", "share"), [(0, 5, 0.1), (3, 7, 0.5), (20, 20, 0.9), (12, 100, 0.12)])
def test_a_share_against_a_number_is_the_exact_binomial_test(count: int, n: int, share: float) -> None:
    evidence = share_at_least(np.array([count]), n, share)
    assert evidence.p_for[0] == pytest.approx(binomial_tail(count, n, share))
    assert evidence.p_against[0] == pytest.approx(1 - binomial_tail(count + 1, n, share))
    assert evidence.floor_for[0] == pytest.approx(share**n)


@pytest.mark.parametrize(("count", "n"), [(0, 20), (3, 20), (12, 100), (20, 20)])
def test_clopper_pearson_agrees_with_scipy(count: int, n: int) -> None:
    expected = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    assert clopper_pearson(count, n, 0.025) == pytest.approx((expected.low, expected.high))


def test_wilson_agrees_with_scipy() -> None:
    expected = stats.binomtest(12, 100).proportion_ci(0.95, method="wilson")
    (low,), (high,) = wilson(np.array([12.0]), np.array([100.0]), 0.025)
    assert (low, high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("table", [(12, 0), (8, 2), (5, 1), (9, 9), (12, 10)])
def test_barnard_agrees_with_scipy(table: tuple[int, int]) -> None:
    a, b = table
    expected = stats.barnard_exact([[a, b], [12 - a, 10 - b]], alternative="greater", n=200).pvalue
    assert barnard(12, 10)[a, b] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("share", [0.01, 0.12, 0.5, 0.9])
def test_barnard_keeps_its_level_at_any_common_share(share: float) -> None:
    p = barnard(15, 10)
    weight = np.outer(stats.binom.pmf(np.arange(16), 15, share), stats.binom.pmf(np.arange(11), 10, share))
    for alpha in (0.025, 0.0125):
        assert weight[p <= alpha].sum() <= alpha + 1e-6


def test_barnard_grows_with_the_difference() -> None:
    p = barnard(8, 8)
    assert (np.diff(p, axis=0) <= 1e-9).all()
    assert (np.diff(p, axis=1) >= -1e-9).all()


def test_two_shares_are_judged_in_both_directions() -> None:
    evidence = larger_share(np.array([9, 1]), 10, np.array([1, 9]), 10)
    assert evidence.p_for[0] == pytest.approx(evidence.p_against[1])
    assert evidence.p_for[0] < 0.001 < 0.99 < evidence.p_for[1]


def test_the_difference_of_shares_has_newcombes_interval() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table II, example (a), method 10
    low, high = difference_interval(56, 70, 48, 80, 0.025)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
