"""The trivial predictor, and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.measure.constant import constant_loss, predicts_constant

X = np.linspace(-5, 5, 500)
T = 5 * np.pi * X
SINC = (np.sin(T) / T)[:, None]
LABELS = np.array([0] * 60 + [1] * 30 + [2] * 10)


def test_the_loss_of_the_best_constant() -> None:
    assert constant_loss(SINC) == pytest.approx(0.0194742698, abs=2e-8)  # the report has it in float32
    shares = np.array([0.6, 0.3, 0.1])
    assert constant_loss(LABELS) == pytest.approx(-(shares * np.log(shares)).sum())
    two = np.stack([np.array([0.0, 2.0]), np.array([5.0, 5.0])], axis=1)
    assert constant_loss(two) == 0.5


def test_a_collapsed_network_is_found() -> None:
    outputs = np.full_like(SINC, 0.0201679)  # the dead network of report 002
    loss = float(((outputs - SINC) ** 2).mean())
    assert loss == pytest.approx(0.01947427, abs=2e-8)
    assert predicts_constant(loss, outputs, SINC)


@pytest.mark.parametrize(
    "outputs",
    [
        np.full_like(SINC, 0.1),  # constant, but not the best one
        SINC.mean() + 0.01 * np.sign(X)[:, None],  # the right loss to 1e-4 or not, but not constant
        SINC,
    ],
)
def test_other_networks_are_not(outputs: np.ndarray) -> None:
    assert not predicts_constant(float(((outputs - SINC) ** 2).mean()), outputs, SINC)


def test_classes() -> None:
    logits = np.log(np.tile([0.6, 0.3, 0.1], (100, 1)))
    assert predicts_constant(constant_loss(LABELS), logits, LABELS)
    assert not predicts_constant(constant_loss(LABELS), logits + np.eye(3)[LABELS], LABELS)


def test_diverged_networks_are_not_constant() -> None:
    assert not predicts_constant(float("nan"), np.full_like(SINC, np.nan), SINC)
    assert not predicts_constant(float("inf"), np.full_like(SINC, 1e30), SINC)
