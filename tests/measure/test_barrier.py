"""Barriers by three definitions, and what several pairs say of one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_paths import blobs, mlp, train

from gradlab.errors import MeasureError
from gradlab.measure.barrier import barrier, decide, height

ALPHAS = np.linspace(-1, 2, 31).round(12)
ERRORS = np.where((ALPHAS > 0) & (ALPHAS < 1), 0.5, 0.1 + 0.2 * (ALPHAS > 0.5))


def test_the_three_definitions_differ_where_the_ends_do() -> None:
    assert height(ALPHAS, ERRORS, "line") == (
        pytest.approx(0.5 - (0.9 * 0.1 + 0.1 * 0.3)),
        pytest.approx(0.1),
    )
    assert height(ALPHAS, ERRORS, "mean")[0] == pytest.approx(0.5 - 0.2)
    assert height(ALPHAS, ERRORS, "worse")[0] == pytest.approx(0.5 - 0.3)


def test_only_the_worse_end_is_one_of_three_comfyresearch() -> None:
    """A barrier against the worse end alone calls a path without a hump above it, but above the line, none."""
    bent = np.array([0.0, 0.4, 0.4])
    assert height([0, 0.5, 1], bent, "worse")[0] == 0
    assert height([0, 0.5, 1], bent, "line")[0] == pytest.approx(0.2)


def test_outside_of_the_ends_nothing_counts() -> None:
    outside = np.where((ALPHAS < 0) | (ALPHAS > 1), 99.0, ERRORS)
    assert height(ALPHAS, outside) == height(ALPHAS, ERRORS)


@pytest.mark.parametrize("definition", ["line", "mean", "worse"])
def test_no_barrier_is_below_zero(definition: str) -> None:
    for seed in range(20):
        values = np.random.default_rng(seed).normal(size=31)
        assert height(ALPHAS, values, definition)[0] >= 0  # type: ignore[arg-type]


def test_a_grid_without_an_end_is_refused() -> None:
    with pytest.raises(MeasureError, match="0 and 1 must be on the grid"):
        height(np.linspace(-1, 2, 20), np.zeros(20))  # the grid of reports 002: 0 and 1 are not on it
    with pytest.raises(MeasureError, match="no barrier is called"):
        height(ALPHAS, ERRORS, "tallest")  # type: ignore[arg-type]


def test_a_barrier_that_is_not_finite_is_not_a_number() -> None:
    assert np.isnan(height([0, 0.5, 1], [0, np.inf, 0])[0])
    with pytest.raises(MeasureError, match="finite"):
        decide([0.1, np.nan])


def test_above_zero_says_nothing_and_above_the_margin_does() -> None:
    noise = np.abs(np.random.default_rng(0).normal(0, 1e-3, 12))  # maxima over noisy grids are always above 0
    found = decide(list(noise))
    assert found.low > 0
    assert found.verdict == "none"
    assert decide(list(noise + 0.3)).verdict == "barrier"
    assert decide([0.0, 0.05, 0.02]).verdict == "undecided"
    assert decide([0.5]).verdict == "undecided"


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(1)
    covered = [(f := decide(list(rng.normal(0.1, 0.02, 6)))).low <= 0.1 <= f.high for _ in range(1000)]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_two_networks_at_25_points_of_the_path_between_them() -> None:
    x, y = blobs()
    one, two = (train(mlp(5, 8, 3, seed=s), x, y) for s in (0, 1))
    found = barrier(one, two, "cross_entropy", x, y, x_test=x[:50], y_test=y[:50], same_start=False)
    places = found["loss"].places
    assert places is not None
    np.testing.assert_array_equal(places, np.linspace(0, 1, 25))
    curve = np.asarray(found["loss"].value)
    line = curve[0] + places * (curve[-1] - curve[0])
    assert float(found["barrier"]) == pytest.approx((curve - line).max(), abs=1e-12)
    errors = 1 - np.asarray(found["accuracy"].value)
    assert float(found["barrier_mean_error"]) == pytest.approx(errors.max() - (errors[0] + errors[-1]) / 2)
    assert {"barrier.test", "barrier_error.test", "barrier_worse.test", "barrier_worse_error.test"} <= set(
        found
    )
    assert torch.is_grad_enabled()
