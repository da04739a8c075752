"""Numbers at equal updates, at equal loss and at places of an axis."""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.judge.reduce import crossings, inside, reduce
from gradlab.study.quantity import parse_quantity

EPOCHS = np.array([0, 2, 4, 8])
NORM = np.array([[8.0, 4.0, 2.0, 1.0], [5.0, 5.0, np.nan, np.nan]])


def test_at_updates_takes_the_first_recorded_epoch_that_has_so_many() -> None:
    quantity = parse_quantity("at_updates(gradient_norm, 30)")
    # 10 updates an epoch reach 30 at epoch 3, which epoch 4 is the first to show; 15 an epoch at epoch 2
    assert reduce(quantity, EPOCHS, NORM[:1], updates=np.array([10.0])).tolist() == [2.0]
    assert reduce(quantity, EPOCHS, NORM[:1], updates=np.array([15.0])).tolist() == [4.0]


def test_a_run_that_stopped_before_so_many_updates_keeps_its_last_value() -> None:
    quantity = parse_quantity("at_updates(gradient_norm, 30)")
    assert reduce(quantity, EPOCHS, NORM, updates=np.array([10.0, 10.0])).tolist() == [2.0, 5.0]


def test_updates_are_whole_whatever_division_leaves_of_them() -> None:
    quantity = parse_quantity("at_updates(gradient_norm, 6)")
    assert reduce(quantity, EPOCHS, NORM[:1], updates=np.array([18 / 6 - 1e-12])).tolist() == [4.0]


def test_at_loss_lies_between_recorded_epochs_on_logarithms() -> None:
    losses = np.array([[1.0, 0.1, 0.01, 0.001], [1.0, 0.5, np.nan, np.nan]])
    passed = crossings(EPOCHS, losses, 10**-1.5)
    assert passed[0] == pytest.approx(3.0)
    assert np.isnan(passed[1])
    values = reduce(parse_quantity("at_loss(gradient_norm, 0.0316)"), EPOCHS, NORM, passed=passed)
    assert values[0] == pytest.approx(np.sqrt(4.0 * 2.0))
    assert np.isnan(values[1])


def test_differences_are_interpolated_as_they_are() -> None:
    shares = np.array([[0.2, 0.4, 0.8, 0.8]])
    quantity = parse_quantity("at_loss(hessian.positive, 0.03)")
    assert reduce(quantity, EPOCHS, shares, passed=np.array([3.0]))[0] == pytest.approx(0.6)


def test_a_loss_that_begins_below_the_level_passes_it_at_once() -> None:
    assert crossings(EPOCHS, np.array([[0.01, 0.1, 0.2, 0.3]]), 0.1).tolist() == [0.0]


def test_a_loss_of_zero_or_below_is_passed_where_it_is_recorded() -> None:
    assert crossings(EPOCHS, np.array([[1.0, 0.0, 0.0, 0.0]]), 0.1).tolist() == [2.0]


def test_nothing_is_read_outside_of_what_was_measured() -> None:
    quantity = parse_quantity("at_loss(gradient_norm, 0.1)")
    assert np.isnan(reduce(quantity, EPOCHS[1:], NORM[:1, 1:], passed=np.array([1.0])))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interpolation.loss@1", 3.0),
        ("interpolation.loss@0.6", 5.0),
        ("interpolation.loss@-7", 9.0),
        ("max(interpolation.loss[0:1])", 5.0),
        ("min(interpolation.loss)", 1.0),
        ("argmax(interpolation.loss)", -1.0),
        ("argmin(interpolation.loss[0:1])", 0.0),
        ("final(interpolation.loss)", 3.0),
        ("mean(interpolation.accuracy[0:1])", 3.5),
        ("slope(interpolation.accuracy[0.5:1])", -4.0),
    ],
)
def test_places_of_an_axis_are_positions(text: str, expected: float) -> None:
    alphas, values = np.array([-1.0, 0.0, 0.5, 1.0]), np.array([[9.0, 1.0, 5.0, 3.0]])
    assert reduce(parse_quantity(text), alphas, values)[0] == pytest.approx(expected)


def test_windows_on_an_axis_hold_their_ends() -> None:
    grid = np.linspace(-1, 2, 31)
    assert inside((0, 1), grid).sum() == 11
    assert inside((None, -1), grid).sum() == 1
    assert inside((None, None), grid).all()
