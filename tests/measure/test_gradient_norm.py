"""Norms of a gradient from its parts."""

from __future__ import annotations

import numpy as np
from mlp_float64 import gradient_of, parts, squares_of

from gradlab.measure.gradient_norm import layer_norms, mean_tensor_norm, mean_weight_norm, total_norm

WIDTHS = (2, 3, 4, 1)
RNG = np.random.default_rng(1)
GRADIENT = gradient_of(WIDTHS, RNG.normal(size=30), RNG.normal(size=(9, 2)), RNG.normal(size=(9, 1)), "tanh")
SQUARES = squares_of(WIDTHS, GRADIENT)


def test_the_total_is_the_norm_of_the_flat_vector() -> None:
    np.testing.assert_allclose(total_norm(SQUARES), np.linalg.norm(GRADIENT), rtol=1e-14)


def test_layers_join_weight_and_bias() -> None:
    expected = [np.sqrt((w**2).sum() + (b**2).sum()) for w, b in parts(WIDTHS, GRADIENT)]
    np.testing.assert_allclose(layer_norms(SQUARES), expected, rtol=1e-14)


def test_the_reports_mean_leaves_biases_out() -> None:
    expected = np.mean([np.linalg.norm(w) for w, _ in parts(WIDTHS, GRADIENT)])
    np.testing.assert_allclose(mean_weight_norm(SQUARES), expected, rtol=1e-14)
    only_bias = np.array([[0.0, 4.0]])
    assert mean_weight_norm(only_bias) == 0
    assert total_norm(only_bias) == 2


def test_the_reports_sensitivity_counts_every_tensor_once() -> None:
    expected = np.mean([np.linalg.norm(tensor) for pair in parts(WIDTHS, GRADIENT) for tensor in pair])
    np.testing.assert_allclose(mean_tensor_norm(SQUARES), expected, rtol=1e-14)


def test_epochs_are_a_leading_axis() -> None:
    table = np.stack([SQUARES, 4 * SQUARES])
    np.testing.assert_allclose(total_norm(table), [total_norm(SQUARES), 2 * total_norm(SQUARES)])
    assert layer_norms(table).shape == (2, 3)
    assert mean_weight_norm(table).shape == (2,)
    assert mean_tensor_norm(table).shape == (2,)
