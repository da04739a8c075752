"""Signs of eigenvalues with a band for zero: exact in two ways, and estimated with bounds that hold."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.inertia import inertia, inertia_of
from gradlab.measure.objective import Objective
from gradlab.measure.signs import Counts, band, count, factored

DRAWS = np.random.default_rng(0)
X, Y = DRAWS.standard_normal((40, 4)), DRAWS.standard_normal((40, 2))


def matrix(size: int, seed: int, zeros: int) -> np.ndarray:
    draws = np.random.default_rng(seed)
    values = np.concatenate([
        np.zeros(zeros),
        draws.choice([-1, 1], size - zeros) * draws.uniform(0.1, 9, size - zeros),
    ])
    turned = np.linalg.qr(draws.standard_normal((size, size)))[0]
    made = turned @ np.diag(values) @ turned.T
    return (made + made.T) / 2


def network(seed: int = 0, width: int = 6) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2))


@pytest.mark.parametrize("seed", range(20))
def test_factors_and_eigenvalues_count_alike(seed: int) -> None:
    made = matrix(60, seed, zeros=17)
    assert factored(made, 1e-9) == count(np.linalg.eigvalsh(made), 1e-9)
    assert factored(made, 1e-9).zero == 17


def test_blocks_of_two_rows_are_counted() -> None:
    assert factored(np.array([[0.0, 1.0], [1.0, 0.0]]), 1e-9) == Counts(1, 0, 1)


def test_the_matrix_is_left_as_it_was_and_has_to_be_finite() -> None:
    made = matrix(10, 0, 2)
    before = made.copy()
    factored(made, 1e-9)
    assert np.array_equal(made, before)
    with pytest.raises(MeasureError, match="not finite"):
        factored(np.full((2, 2), np.nan), 1e-9)


def test_the_band_is_rounding_or_what_is_left_of_the_gradient() -> None:
    assert band(2.0, 100) == pytest.approx(10 * 100 * 2.0**-52 * 2)
    assert band(2.0, 100, gradient=1e-3, weights=10.0) == pytest.approx(1e-4)
    assert band(2.0, 100, gradient=1e-3, weights=0.0) == band(2.0, 100)


@pytest.mark.parametrize("method", ["eigenvalues", "factors"])
def test_exact_ways_agree_on_a_network(method: str) -> None:
    objective = Objective([network(0), network(1)], "mse", X, Y)
    for found, wanted in zip(inertia_of(objective, method=method), inertia_of(objective), strict=True):
        assert {name: float(v) for name, v in found.items() if not v.axis} == pytest.approx(
            {name: float(v) for name, v in wanted.items() if not v.axis}, rel=1e-2
        )
        assert sum(float(found[name]) for name in ("positive", "zero", "negative")) == objective.size


def test_counts_that_depend_on_the_band_are_not_stable() -> None:
    line = nn.Linear(2, 1, bias=False)
    x = np.array([[1.0, 0.0], [0.0, 1e-3]])
    found = inertia(line, "mse", x, np.zeros((2, 1)), tolerance=5e-6)  # eigenvalues 1 and 1e-6
    assert float(found["stable"]) == 0
    assert found["zero_at"].value.tolist() == [0, 1, 1]
    assert "quote no ratio" in found.warnings[0]
    assert float(inertia(line, "mse", x, np.zeros((2, 1)), tolerance=1e-8)["stable"]) == 1


def test_bounds_of_estimates_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    own = sys.modules["gradlab.measure.inertia"]
    monkeypatch.setattr(own, "PROBES", 4)  # so few products that not all columns could be had for them
    monkeypatch.setattr(own, "STEPS", 12)
    objective = Objective(network(0, width=20), "mse", X, Y)
    exact = inertia_of(objective, tolerance=1e-3)[0]
    held = total = 0
    for seed in range(10):
        found = inertia_of(objective, tolerance=1e-3, method="estimate", seed=seed)[0]
        assert found["positive"].uncertainty == "bound"
        assert "estimated" in found.warnings[-1]
        for name in ("positive", "zero", "negative"):
            held += abs(float(found[name]) - float(exact[name])) <= float(found[name].error) + 1e-9
            total += float(found[name].error) > 0
    assert total == 30
    assert held / total >= 0.9


def test_method_and_part_are_checked() -> None:
    with pytest.raises(MeasureError, match="no method is called 'guess'; allowed: auto"):
        inertia(network(), "mse", X, Y, method="guess")  # pyright: ignore
    assert (
        sum(
            float(inertia(network(), "mse", X, Y, part="2")[name])
            for name in ("positive", "zero", "negative")
        )
        == 14
    )


def test_a_dead_network_is_all_zero() -> None:
    dead = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
    nn.init.constant_(dead[0].bias, -1e3)
    found = inertia(dead, "mse", X, Y)
    assert float(found["zero"]) == 21
    assert np.isnan(float(found["nonzero_positive"]))


def test_a_hessian_of_zeros_has_no_negative_directions_by_an_estimate_either() -> None:
    dead = torch.nn.Sequential(
        torch.nn.Linear(2, 3, bias=False), torch.nn.ReLU(), torch.nn.Linear(3, 1, bias=False)
    )
    for parameter in dead.parameters():
        torch.nn.init.zeros_(parameter)
    x, y = np.ones((4, 2)), np.ones((4, 1))
    for method in ("eigenvalues", "factors", "estimate"):
        found = inertia(dead, "mse", x, y, method=method)
        assert [float(found[name]) for name in ("positive", "zero", "negative")] == [0, 9, 0]
