"""Critical points: closed forms, and everything that is none but looks like one."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure import gradient_search
from gradlab.measure.critical import CriticalPoint, critical_point, critical_points
from gradlab.measure.gradient_search import enough
from gradlab.measure.inertia import Counts, count
from gradlab.measure.objective import Objective

ONES = np.ones((4, 1))
LINE = np.linspace(-2, 2, 20)[:, None]
WAVE = np.sin(2 * LINE)


class Surface(nn.Module):
    """A function of its weights alone, as a network."""

    def __init__(self, function, *weights: float) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.tensor(weights))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.function(self.weight)


def on_surface(function, *weights: float, **settings) -> CriticalPoint:
    return critical_point(
        Surface(function, *weights), lambda outputs, _: outputs.mean(), ONES, ONES, **settings
    )


def kinds(point: CriticalPoint) -> list[str]:
    return [
        name for name in ("minimum", "saddle", "degenerate", "flat", "kink", "dead") if float(point[name])
    ]


def mlp(seed: int, *widths: int, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    drawn = np.random.default_rng(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layer = nn.Linear(inputs, outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(drawn.normal(size=(outputs, inputs)) / inputs**0.5))
            layer.bias.copy_(torch.from_numpy(drawn.normal(size=outputs) * 0.3))
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def dead_network() -> nn.Sequential:
    network = mlp(0, 1, 4, 4, 1, activation=nn.ReLU)
    with torch.no_grad():
        network[2].bias.fill_(-100.0)
    return network


def two_linear(first: list[list[float]], second: list[list[float]]) -> nn.Sequential:
    network = nn.Sequential(
        nn.Linear(2, len(first), bias=False), nn.Linear(len(first), 2, bias=False)
    ).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor(first, dtype=torch.float64))
        network[1].weight.copy_(torch.tensor(second, dtype=torch.float64))
    return network


@pytest.mark.parametrize("method", ["newton_mr", "lbfgs", "saddle_free"])
def test_a_bowl_has_its_minimum_where_least_squares_is(method: str) -> None:
    drawn = np.random.default_rng(1)
    x, y = drawn.normal(size=(30, 3)), drawn.normal(size=(30, 1))
    point = critical_point(nn.Linear(3, 1), "mse", x, y, method=method)
    truth = np.linalg.lstsq(np.hstack([x, np.ones((30, 1))]), y, rcond=None)[0][:, 0]
    assert kinds(point) == ["minimum"]
    assert float(point["found"]) == 1
    assert point.counts == Counts(4, 0, 0)
    np.testing.assert_allclose(point.weights.numpy(), truth, atol=1e-7)


def test_a_saddle_is_found_and_not_taken_for_a_minimum() -> None:
    point = on_surface(lambda w: w[0] ** 2 - w[1] ** 2 + 0.1 * w[0] ** 4, 0.3, 0.2)
    assert kinds(point) == ["saddle"]
    assert point.counts == Counts(1, 0, 1)
    assert float(point["index"]) == 0.5
    np.testing.assert_allclose(point.weights.numpy(), 0, atol=1e-8)


def test_a_valley_is_degenerate() -> None:
    point = on_surface(lambda w: (w[0] * w[1] - 1) ** 2, 1.5, 1.0)
    assert kinds(point) == ["degenerate"]
    assert point.counts == Counts(1, 1, 0)
    assert float(point.weights.prod()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("first", "second", "index"),
    [
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]], 4),  # neither direction is learned: two for each hidden unit
        ([[2**0.5, 0], [0, 0]], [[2**0.5, 0], [0, 0]], 1),  # the larger is
        ([[0, 1], [0, 0]], [[0, 0], [1, 0]], 2),  # only the smaller is
    ],
)
def test_a_linear_network_has_the_saddles_of_theory(first, second, index: int) -> None:
    network, x, y = two_linear(first, second), np.eye(2), np.diag([2.0, 1.0])
    assert critical_point(network, "mse", x, y).counts.negative == index
    drawn = np.random.default_rng(2)
    with torch.no_grad():
        for weight in network.parameters():
            weight += torch.from_numpy(drawn.normal(size=(2, 2))) * 1e-3
    point = critical_point(network, "mse", x, y)
    assert kinds(point) == ["saddle"]
    assert point.counts.negative == index
    assert float(point["steps"]) > 0


@pytest.mark.parametrize("method", ["newton_mr", "lbfgs"])
def test_a_gradient_flat_point_is_rejected(method: str) -> None:
    point = on_surface(lambda w: w[0] ** 3 / 3 + 0.1 * w[0] + w[1] ** 2 / 2, 0.5, 0.5, method=method)
    assert kinds(point) == ["flat"]  # the norm of the gradient has a minimum at 0, and it is 0.1
    assert float(point["found"]) == 0
    assert float(point["gradient_norm"]) == pytest.approx(0.1, rel=1e-3)
    assert float(point["flatness"]) < 1e-2
    assert "flat" in point.warnings[0]


@pytest.mark.parametrize("start", [1.0, -2.0])
def test_a_minimum_at_a_kink_has_no_gradient_zero(start: float) -> None:
    point = on_surface(lambda w: w[0].abs() + (w[0] + 0.5) ** 2 / 2 + w[1] ** 2, start, 0.7)
    assert kinds(point) == ["kink"]
    assert abs(float(point.weights[0])) < 1e-9
    assert float(point["gradient_norm"]) > 0.4


def test_networks_of_rectifiers_end_at_kinks_and_their_twins_do_not() -> None:
    pinned = critical_point(mlp(3, 1, 6, 6, 1, activation=nn.ReLU), "mse", LINE, WAVE, steps=30)
    assert kinds(pinned) == ["kink"]
    smooth = critical_point(mlp(3, 1, 6, 6, 1), "mse", LINE, WAVE, steps=30)
    assert "kink" not in kinds(smooth)


def test_a_dead_network_is_recognised_before_anything() -> None:
    point = critical_point(dead_network(), "mse", LINE, WAVE + 5)
    assert kinds(point) == ["dead"]
    assert [float(point[name]) for name in ("found", "steps", "constant")] == [0, 0, 0]
    assert point.counts.positive <= 1  # only the last bias bends the loss
    assert "dead" in point.warnings[0]


def test_a_linear_network_at_zero_has_no_gradient_but_is_not_dead() -> None:
    network = two_linear([[0, 0]] * 3, [[0] * 3] * 2)
    assert kinds(critical_point(network, "mse", np.eye(2), np.eye(2))) == ["saddle"]


def test_a_constant_network_is_marked_and_still_classified() -> None:
    y = np.tile([1.0, -1.0], 10)[:, None] * np.sign(LINE)[::-1]
    y -= (y * LINE).sum() / (LINE**2).sum() * LINE  # nothing a line could learn
    point = critical_point(nn.Linear(1, 1), "mse", LINE, y)
    assert kinds(point) == ["minimum"]
    assert float(point["constant"]) == 1
    assert float(critical_point(nn.Linear(1, 1), "mse", LINE, WAVE)["constant"]) == 0


@pytest.mark.parametrize(
    ("method", "seed", "kind"), [("newton_mr", 2, "saddle"), ("saddle_free", 2, "minimum")]
)
def test_a_point_of_a_network_is_verified_by_other_means(method: str, seed: int, kind: str) -> None:
    network = mlp(seed, 1, 3, 1)
    point = critical_point(network, "mse", LINE, WAVE, method=method, steps=100)
    assert kinds(point) == [kind]
    objective = Objective(network, "mse", LINE, WAVE)
    assert float(point["found"]) == 1
    assert float(objective.gradient(point.weights).norm()) < 1e-8 * 2
    exact = torch.func.jacrev(torch.func.grad(objective.loss))(point.weights)
    values = torch.linalg.eigvalsh((exact + exact.T) / 2)
    assert point.counts == count(values.numpy(), point.tolerance)
    np.testing.assert_allclose(point.eigenvalues, values, atol=1e-12)
    assert sum(float(point[name]) for name in ("positive", "zero", "negative")) == pytest.approx(1)


def test_the_order_of_hidden_units_and_of_examples_does_not_matter() -> None:
    network = mlp(2, 1, 3, 1)
    turned = copy.deepcopy(network)
    with torch.no_grad():
        for layer, axis in ((turned[0], 0), (turned[2], 1)):
            layer.weight.copy_(layer.weight.flip(axis))
        turned[0].bias.copy_(turned[0].bias.flip(0))
    one = critical_point(network, "mse", LINE, WAVE)
    two = critical_point(turned, "mse", LINE[::-1].copy(), WAVE[::-1].copy())
    assert one.kind == "saddle"
    assert (one.kind, one.counts) == (two.kind, two.counts)
    assert float(one["loss"]) == pytest.approx(float(two["loss"]), rel=1e-6)


def test_fleets_equal_singles() -> None:
    networks = [mlp(0, 1, 3, 1, activation=nn.ReLU), dead_network(), mlp(1, 1, 3, 1, activation=nn.ReLU)]
    alike = [networks[0], networks[2]]
    found = critical_points(Objective(alike, "mse", LINE, WAVE), steps=20)
    for network, point in zip(alike, found, strict=True):
        alone = critical_point(network, "mse", LINE, WAVE, steps=20)
        assert torch.equal(alone.weights, point.weights)
        assert {name: float(alone[name]) for name in alone} == {name: float(point[name]) for name in point}


def test_minres_on_products_reaches_the_same_point(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(3)
    x, y = drawn.normal(size=(40, 5)), drawn.integers(0, 3, 40)
    dense = critical_point(nn.Linear(5, 3), "cross_entropy", x, y)
    monkeypatch.setattr(gradient_search, "DENSE", 0)
    krylov = critical_point(nn.Linear(5, 3), "cross_entropy", x, y)
    assert dense.kind == krylov.kind == "degenerate"  # a shift of all logits changes nothing
    assert dense.counts == krylov.counts == Counts(12, 6, 0)
    assert float(dense["loss"]) == pytest.approx(float(krylov["loss"]), rel=1e-9)


def test_a_small_gradient_must_also_have_fallen() -> None:
    assert enough(1e-9, 1e-3, 0.0, 1e-8)
    assert not enough(1e-9, 2e-9, 0.0, 1e-8)  # it was as small at the start
    assert not enough(1e-7, 1.0, 0.0, 1e-8)
    assert enough(1e-7, 1.0, 99.0, 1e-8)
    assert enough(0.0, 0.0, 1.0, 1e-8)


def test_too_few_steps_are_said() -> None:
    point = critical_point(mlp(1, 1, 3, 1), "mse", LINE, WAVE, steps=1)
    assert kinds(point) == []
    assert "1 steps were not enough" in point.warnings[0]


def test_a_diverged_network_is_none_of_them() -> None:
    network = mlp(1, 1, 3, 1)
    with torch.no_grad():
        network[0].weight.fill_(1e38)
        network[2].weight.fill_(float("inf"))
    point = critical_point(network, "mse", LINE, WAVE)
    assert kinds(point) == []
    assert float(point["found"]) == 0
    assert np.isnan(float(point["positive"]))
    assert "diverged" in point.warnings[0]


def test_the_network_is_left_as_it_was() -> None:
    network = mlp(1, 1, 3, 1).train()
    before = copy.deepcopy(network.state_dict())
    critical_point(network, "mse", LINE, WAVE, steps=3)
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())


def test_what_it_refuses() -> None:
    with pytest.raises(MeasureError, match="newton_mr, lbfgs"):
        critical_point(mlp(1, 1, 3, 1), "mse", LINE, WAVE, method="adam")
    with pytest.raises(MeasureError, match="float64"):
        critical_points(Objective(mlp(1, 1, 3, 1), "mse", LINE, WAVE, dtype=torch.float32))
    with pytest.raises(MeasureError, match="6001"):
        critical_point(nn.Linear(6000, 1), "mse", np.ones((2, 6000)), np.ones((2, 1)))
