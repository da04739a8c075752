"""Trace and Frobenius norm of networks against their exact Hessians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_spectra import hessian_of
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.trace import trace, trace_of

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 5))
LABELS = RANDOM.integers(0, 3, 40)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 3)).double()


EXACT = hessian_of(network(), nn.CrossEntropyLoss(), X, LABELS)
BLOCKS = [EXACT[low:high, low:high].trace() for low, high in ((0, 60), (60, 72), (72, 108), (108, 111))]


def test_every_parameter_multiplied_is_exact() -> None:
    found = trace(network(), "cross_entropy", X, LABELS, probes=1000, diagonal=True)
    assert found.settings["method"] == "exact"
    assert float(found["trace"]) == pytest.approx(EXACT.trace())
    assert float(found["mean"]) == pytest.approx(EXACT.trace() / len(EXACT))
    assert float(found["frobenius"]) == pytest.approx(np.linalg.norm(EXACT))
    assert float(found["frobenius_squared"]) == pytest.approx((EXACT**2).sum())
    np.testing.assert_allclose(found["layers"].value, BLOCKS)
    np.testing.assert_allclose(found["diagonal"].value, EXACT.diagonal(), atol=1e-14)
    assert found.settings["tensors"] == "0.weight, 0.bias, 2.weight, 2.bias"


@pytest.mark.parametrize("method", ["hutchinson", "hutch++"])
def test_two_standard_errors_cover(method: str) -> None:
    truths = {"trace": EXACT.trace(), "frobenius": np.linalg.norm(EXACT), "layers": np.array(BLOCKS)}
    held: dict[str, list[float]] = {name: [] for name in truths}
    objective = Objective(network(), "cross_entropy", X, LABELS)
    for seed in range(20):
        found = trace_of(objective, 80, method, seed=seed)[0]  # pyright: ignore[reportArgumentType]
        for name, true in truths.items():
            value = found[name]
            assert value.uncertainty == "standard error"
            off = np.abs(np.asarray(value.value) - true)
            held[name].append(float((off <= 1.96 * np.asarray(value.error)).mean()))
    for name, shares in held.items():
        assert np.mean(shares) >= 0.85, name  # 95 % less the chance of 20 repeats


def test_one_layer_and_a_fleet() -> None:
    objective = Objective([network(0), network(1)], "cross_entropy", X, LABELS)
    found = trace_of(objective, 1000, part="2.weight")
    assert float(found[0]["trace"]) == pytest.approx(BLOCKS[2])
    assert "layers" not in found[0]
    assert float(found[1]["trace"]) != float(found[0]["trace"])


def test_gauss_newton_is_named_apart() -> None:
    whole = trace(network(), "cross_entropy", X, LABELS, probes=1000)
    part = trace(network(), "cross_entropy", X, LABELS, probes=1000, of="gauss_newton")
    assert (whole.settings["of"], part.settings["of"]) == ("loss", "gauss_newton")
    assert float(part["trace"]) != pytest.approx(float(whole["trace"]))


def test_few_probes_come_with_a_warning() -> None:
    assert "from 2 probes" in trace(network(), "cross_entropy", X, LABELS, probes=6).warnings[0]
    assert trace(network(), "cross_entropy", X, LABELS, probes=100).warnings == ()


def test_the_cost_is_in_gradients() -> None:
    found = trace(network(), "cross_entropy", X, LABELS, probes=30)
    assert found.gradients >= 60


def test_a_method_that_is_not_known_is_refused() -> None:
    with pytest.raises(MeasureError, match="allowed: hutchinson"):
        trace(nn.Linear(2, 1), "mse", np.ones((3, 2)), np.ones(3), method="hutchpp")  # pyright: ignore[reportArgumentType]
