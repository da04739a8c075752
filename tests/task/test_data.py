"""The numbers that runs learn from."""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.task import Arrays, Digits, Function, Grid
from gradlab.task.data import build_data

SEEDS = {"data": 3, "labels": 4}


def test_grids_are_numpys_own() -> None:
    line = build_data(Function("sinc", low=-5, high=5, points=500), SEEDS)
    np.testing.assert_array_equal(line.x[:, 0], np.linspace(-5, 5, 500))
    steps = build_data(Function("sinc", low=-1.5, high=1.5, spacing="arange", step=0.01), SEEDS)
    np.testing.assert_array_equal(steps.x[:, 0], np.arange(-1.5, 1.5, 0.01))
    assert line.x.dtype == line.y.dtype == np.float64


@pytest.mark.parametrize(
    ("task", "variance"),
    [
        (Function("sinc", low=-5, high=5, points=500), 0.0194743),
        (Function("sinc", low=-1, high=1, points=300), 0.0869034),
        (Function("sinc", low=-1.5, high=1.5, spacing="arange", step=0.01), 0.0613107),
        (Function("sgn", low=-1, high=1, points=200), 1.0),
    ],
)
def test_the_reports_targets_have_the_variance_that_is_known(task: Function, variance: float) -> None:
    assert build_data(task, SEEDS).y.var() == pytest.approx(variance, abs=5e-8)


def test_uniform_points_depend_on_the_data_seed_alone() -> None:
    task = Function("cos", low=-10, high=10, points=100, spacing="uniform")
    one, same = build_data(task, SEEDS), build_data(task, SEEDS | {"labels": 9})
    np.testing.assert_array_equal(one.x, same.x)
    assert not np.array_equal(one.x, build_data(task, SEEDS | {"data": 9}).x)
    assert np.abs(one.x).max() <= 10
    np.testing.assert_array_equal(one.y, np.cos(one.x))
    np.testing.assert_array_equal(one.grid_x[:, 0], np.linspace(-10, 10, 100))


def test_noise_is_on_training_targets_only_and_depends_on_the_labels_seed() -> None:
    task = Function("sin", low=0, high=1, points=2000, noise=0.5, heldout=7)
    one, other = build_data(task, SEEDS), build_data(task, SEEDS | {"labels": 9})
    np.testing.assert_array_equal(one.x, other.x)
    assert (one.y - np.sin(one.x)).std() == pytest.approx(0.5, rel=0.1)
    assert not np.array_equal(one.y, other.y)
    np.testing.assert_array_equal(one.test_y, np.sin(one.test_x))
    np.testing.assert_array_equal(one.grid_y, np.sin(one.grid_x))


def test_held_out_points_lie_midway_or_on_a_grid_of_their_own() -> None:
    midway = build_data(Function("sin", low=0, high=1, points=5, heldout=4), SEEDS)
    np.testing.assert_allclose(midway.test_x[:, 0], [0.125, 0.375, 0.625, 0.875])
    own = build_data(Function("sin", low=0, high=1, points=5, heldout=Grid(low=1, high=2, points=3)), SEEDS)
    np.testing.assert_array_equal(own.test_x[:, 0], [1, 1.5, 2])


def test_validation_takes_a_share_of_the_training_examples() -> None:
    task = Function("sin", low=0, high=1, points=10)
    data = build_data(task, SEEDS, validation=0.3)
    joined = np.sort(np.concatenate([data.x, data.validation_x])[:, 0])
    np.testing.assert_array_equal(joined, np.linspace(0, 1, 10))
    assert len(data.validation_x) == 3
    assert len(data.grid_x) == 10
    with pytest.raises(ValueError, match="leaves none"):
        build_data(Function("sin", low=0, high=1, points=1), SEEDS, validation=0.5)


def test_validation_may_be_a_grid() -> None:
    data = build_data(
        Function("sin", low=0, high=1, points=10), SEEDS, validation=Grid(low=0, high=2, points=3)
    )
    assert len(data.x) == 10
    np.testing.assert_array_equal(data.validation_y, np.sin([[0.0], [1.0], [2.0]]))
    with pytest.raises(ValueError, match="with a formula"):
        build_data(Digits(), SEEDS, validation=Grid(low=0, high=2, points=3))


def test_digits_are_split_by_the_data_seed() -> None:
    one, other = build_data(Digits(), SEEDS), build_data(Digits(), {"data": 0, "labels": 4})
    assert (one.x.shape, one.test_x.shape) == ((1438, 64), (359, 64))
    assert (one.x.min(), one.x.max()) == (0, 1)
    assert set(one.y) == set(range(10))
    assert not np.array_equal(one.y, other.y)
    np.testing.assert_array_equal(one.x, build_data(Digits(), SEEDS).x)
    assert build_data(Digits(test=0), SEEDS).test_x is None


def test_arrays_keep_their_shape_and_one_dimension_becomes_a_column() -> None:
    images = np.arange(24.0).reshape(4, 1, 2, 3)
    data = build_data(Arrays(images, [0, 1, 0, 1]), SEEDS)
    assert data.x.shape == (4, 1, 2, 3)
    assert data.y.dtype == np.int64
    line = build_data(Arrays([3.0, 1.0, 2.0], [30.0, 10.0, 20.0]), SEEDS)
    assert (line.x.shape, line.y.shape) == ((3, 1), (3, 1))
    np.testing.assert_array_equal(line.grid_y[:, 0], [10, 20, 30])
