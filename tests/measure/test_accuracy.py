"""Shares of examples that are right."""

from __future__ import annotations

import numpy as np

from gradlab.measure.accuracy import accuracy, tolerance_accuracy


def test_the_largest_output_is_the_class() -> None:
    outputs = np.array([[0.1, 0.9, 0.0], [2.0, 2.0, 1.0], [-3.0, -2.0, -1.0]])
    assert accuracy(outputs, np.array([1, 0, 0])) == 2 / 3


def test_tolerance_is_strict_and_counts_outputs() -> None:
    outputs = np.array([[0.0, 1.0], [0.5, 0.05]])
    assert tolerance_accuracy(outputs, np.zeros((2, 2))) == 0.5
    assert tolerance_accuracy(outputs, np.zeros((2, 2)), tolerance=0.5) == 0.5
    assert tolerance_accuracy(np.array([[0.25]]), np.zeros((1, 1)), tolerance=0.25) == 0


def test_nan_is_neither_right_nor_wrong() -> None:
    assert np.isnan(accuracy(np.array([[np.nan, 1.0]]), np.array([1])))
    assert np.isnan(tolerance_accuracy(np.array([[np.nan]]), np.zeros((1, 1))))
