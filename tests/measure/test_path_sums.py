"""Sums over pieces of weights: the digits of small moves, and which columns count."""

from __future__ import annotations

import numpy as np
import pca_by_hand
import pytest

from gradlab.errors import MeasureError
from gradlab.measure.objective import Part
from gradlab.measure.path_sums import Span, sums_of
from gradlab.measure.trajectory import trajectory

RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.normal(size=(4, 1, 50)) + 0.3 * RANDOM.normal(size=(4, 6, 50)).cumsum(axis=1)
LAYOUT = (
    Part("one.weight", 0, 24, (6, 4), False),
    Part("one.bias", 24, 30, (6,), True),
    Part("two.weight", 30, 48, (3, 6), False),
    Part("two.bias", 48, 50, (2,), True),
)


def test_float32_runs_far_apart_keep_the_digits_of_small_moves() -> None:
    """The error of products of whole rows would be larger than these moves are."""
    # multiples of a power of two, so that float32 holds the moves exactly
    far = 1000 * RANDOM.integers(-4, 5, size=(3, 1, 40))
    moves = 2.0**-12 * RANDOM.integers(-5, 6, size=(3, 7, 40))
    found = trajectory((far + moves).astype(np.float32), draws=5)
    own = np.mean([pca_by_hand.shares(run)[:6] for run in moves], axis=0)
    assert found["own"].value == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        ({}, [*range(24), *range(30, 48)]),
        ({"biases": True}, range(50)),
        ({"parts": "one"}, range(24)),
        ({"parts": "one", "biases": True}, range(30)),
        ({"parts": ("two.weight", "one.bias")}, range(24, 48)),
        ({"parts": "one", "units": 2}, range(8)),
        ({"units": 3}, [*range(12), *range(30, 48)]),
    ],
)
def test_parts_biases_and_first_units(settings: dict[str, object], columns: range | list[int]) -> None:
    found = trajectory(WEIGHTS, LAYOUT, draws=5, **settings)  # type: ignore[arg-type]
    rows = WEIGHTS[:, :, list(columns)].reshape(24, -1)
    exact = np.pad(pca_by_hand.shares(rows), (0, 10))[:10]
    assert found["explained"].value == pytest.approx(exact)
    assert found.settings["dimension"] == len(columns)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"parts": "three"}, "no part is called 'three'; there are one.weight"),
        ({"parts": "one", "units": 7}, "first 7 do not exist"),
        ({"parts": "one.bias", "units": 9}, "do not exist"),
        ({"epochs": [1, 2]}, "2 epochs for 6 points"),
        ({"dimension": 1000}, "dimension lies between 1 and 42"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        trajectory(WEIGHTS, LAYOUT, **settings)  # type: ignore[arg-type]


def test_products_of_more_weights_than_are_in_memory_together() -> None:
    table = np.random.default_rng(0).normal(size=(2, 3, 40_000)).astype(np.float32)
    sums = sums_of(table, [Span("a", 10, 20_000), Span("b", 25_000, 40_000)])
    rows = np.concatenate([table[:, :, 10:20_000], table[:, :, 25_000:]], axis=2).astype(np.float64)
    flat = rows.reshape(6, -1)
    assert sums.raw == pytest.approx(flat @ flat.T)
    centred = flat - flat.mean(0)
    assert sums.joint == pytest.approx(centred @ centred.T)
    inner = rows - rows.mean(1, keepdims=True)
    assert sums.within == pytest.approx(np.einsum("rtd,sud->rtsu", inner, inner))
    assert sums.squared_steps.sum(0) == pytest.approx((np.diff(rows, axis=1) ** 2).sum(2))
    assert sums.start_variance.sum() == pytest.approx(rows[:, 0].var(0, ddof=1).sum())
    assert sums.dimension == 34_990
