from __future__ import annotations

import numpy as np
import pytest
from fake_results import Series
from hypothesis import given
from hypothesis import strategies as st

from gradlab.report.summary import clopper_pearson, curves, envelope, median, median_interval, quantiles


def series(values: np.ndarray, epochs: np.ndarray | None = None) -> Series:
    at = np.arange(values.shape[1]) if epochs is None else epochs
    return Series(at, values, np.arange(len(values)))


def test_a_diverged_run_counts_as_the_worst_from_then_on() -> None:
    values = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, np.nan, np.nan]])
    found = curves(series(values), ["done", "done", "diverged"])
    assert found is not None
    assert found.median.tolist() == [2.0, 2.0, 2.0]
    assert np.isinf(found.high[1:]).all()
    assert found.diverged == ((0, 3.0),)


def test_a_run_that_stopped_keeps_its_last_value() -> None:
    values = np.array([[1.0, 0.5, np.nan], [3.0, 3.0, 3.0], [4.0, 4.0, 4.0]])
    found = curves(series(values), ["stopped", "done", "done"])
    assert found is not None
    assert found.median.tolist() == [3.0, 3.0, 3.0]
    assert np.isfinite(found.high).all()


def test_the_median_ends_where_half_of_the_runs_have_diverged() -> None:
    values = np.array([[1.0, np.nan], [1.0, np.nan], [1.0, 1.0]])
    found = curves(series(values), ["diverged", "diverged", "done"])
    assert found is not None
    assert np.isnan(found.median[-1])


def test_nothing_is_summarised_where_no_run_has_a_value() -> None:
    assert curves(series(np.full((2, 3), np.nan)), ["failed", "failed"]) is None
    assert curves(series(np.empty((0, 3))), []) is None


def test_long_curves_are_drawn_at_few_epochs_with_both_ends() -> None:
    epochs = np.arange(20_001)
    found = curves(series(np.random.default_rng(0).random((3, 20_001)), epochs), ["done"] * 3)
    assert found is not None
    assert len(found.epochs) <= 202
    assert (found.epochs[0], found.epochs[-1]) == (0, 20_000)
    assert found.recorded == 20_001


@given(st.integers(0, 2_999), st.integers(0, 1_000))
def test_thinning_keeps_the_highest_spike(where: int, seed: int) -> None:
    row = np.random.default_rng(seed).random(3_000)
    row[where] = 50.0
    epochs, values = envelope(np.arange(3_000), row)
    assert values.max() == 50.0
    assert values.min() == row.min()
    assert epochs[values.argmax()] == where
    assert (np.diff(epochs) > 0).all()
    assert len(epochs) <= 200


def test_quantiles_rank_infinity_last() -> None:
    assert quantiles(np.array([1.0, np.inf, 3.0]), (0.5,))[0] == 3.0
    assert np.isinf(median(np.array([np.inf, np.inf, 1.0])))
    assert np.isnan(median(np.array([np.nan])))


def test_the_interval_of_a_median_covers_it() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(2_000):
        found = median_interval(rng.exponential(size=15))
        assert found is not None
        hits += found[0] <= np.log(2) <= found[1]
    assert hits / 2_000 >= 0.94


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_median_of_few_has_no_interval(n: int) -> None:
    assert median_interval(np.arange(float(n))) is None


@pytest.mark.parametrize(("hits", "total"), [(0, 20), (20, 20), (3, 40)])
def test_intervals_of_shares_are_exact(hits: int, total: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(hits, total).proportion_ci(method="exact")
    assert clopper_pearson(hits, total) == pytest.approx((expected.low, expected.high))
