"""Every measure of sharpness at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bowl import bowl
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.sharpness import sharpness, sharpness_of

NAMES = {
    "keskar", "keskar_subspace", "sam", "sam_one_step", "sam_average", "adaptive", "adaptive_average",
    "pac_bayes_sigma", "pac_bayes", "pac_bayes_magnitude_sigma", "pac_bayes_magnitude", "worst_alpha", "worst",
    "trace", "largest",
}  # fmt: skip
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 2)), RNG.integers(0, 2, 40)
QUICK: dict[str, Any] = {"samples": 4, "noise": 4, "steps": 3, "directions": 5}


def mlp(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 2)).double()


def test_at_a_minimum_all_of_them_are_known() -> None:
    hessian, at = np.diag([4.0, 1.0, 0.5]), np.array([1.0, -2.0, 3.0])
    network, x, y = bowl(hessian, at, at)
    found = sharpness(network, "mse", x, y, rho=0.1, rho_adaptive=0.2, steps=80, samples=200, noise=400)
    values = {name: float(value) for name, value in found.items()}
    assert set(values) == NAMES
    assert values["keskar"] == pytest.approx(
        100 * (np.diag(hessian) * (1e-3 * (np.abs(at) + 1)) ** 2).sum() / 2
    )
    assert values["sam"] == pytest.approx(0.01 * 4 / 2, rel=1e-4)
    assert values["adaptive"] == pytest.approx(0.04 * 4.5 / 2, rel=1e-3)  # of |w| H |w|: 4, 4 and 4.5
    assert values["sam_average"] == pytest.approx(0.01 * 5.5 / 6, rel=0.1)
    assert values["adaptive_average"] == pytest.approx(0.04 * 12.5 / 6, rel=0.1)
    assert values["pac_bayes"] == pytest.approx(5.5 / 2 / (0.1 * y.var()), rel=0.15)
    assert values["trace"] == pytest.approx(5.5)
    assert values["largest"] == pytest.approx(4)
    assert values["sam"] >= values["sam_average"]
    assert found["sam_average"].error > 0


def test_what_it_was_done_with_is_said() -> None:
    found = sharpness(mlp(), "cross_entropy", X, Y, minibatch=10, normalise_logits=True, **QUICK)
    assert found.settings["rho"] == 0.05
    assert found.settings["logits"] == "normalised"
    assert found.settings["mode"] == "evaluation"
    assert found.settings["examples"] == 40
    assert "minibatches of 10" in found["sam_minibatch"].means
    assert found.gradients > 10


def test_a_fleet_gives_what_each_network_gives_alone_and_stays_as_it_was() -> None:
    modules = [mlp(0), mlp(1)]
    before = [parameter.clone() for module in modules for parameter in module.parameters()]
    together = sharpness_of(Objective(modules, "cross_entropy", X, Y), **QUICK)
    for module, found in zip(modules, together, strict=True):
        single = sharpness(module, "cross_entropy", X, Y, **QUICK)
        for name in NAMES:
            assert float(found[name]) == pytest.approx(float(single[name]), rel=1e-9, nan_ok=True), name
    after = [parameter for module in modules for parameter in module.parameters()]
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_batch_norm_that_cannot_be_folded_leaves_the_other_measures() -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2))
    found = sharpness(network, "cross_entropy", X, Y, curvature=False, **QUICK)
    assert np.isnan(float(found["pac_bayes"]))
    assert np.isfinite(float(found["sam"]))
    assert any("cannot be folded" in warning for warning in found.warnings)


def test_a_dead_network_is_at_the_floor_and_that_is_said() -> None:
    network = mlp()
    with torch.no_grad():
        network[0].bias.fill_(-1e6)
        network[2].bias.fill_(0)
    y = np.tile([0, 1], 20)  # the best constant: nothing can be gained, and the output's bias has no slope
    found = sharpness(network, "cross_entropy", X, y, curvature=False, worst=False, **QUICK)
    assert float(found["sam_one_step"]) == pytest.approx(0, abs=1e-3)
    assert float(found["pac_bayes"]) == 0  # no noise makes it worse than chance by a tenth


@pytest.mark.parametrize("settings", [{"rho": 0.0}, {"epsilon": -1.0}, {"samples": 1}, {"noise": 1}])
def test_what_makes_no_sense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(MeasureError):
        sharpness(mlp(), "cross_entropy", X, Y, **settings)


@pytest.mark.parametrize(
    "setting", [{"norm": "l3"}, {"rho": float("nan")}, {"directions": 0}, {"restarts": 0}]
)
def test_settings_that_mean_nothing_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(MeasureError):
        sharpness(nn.Linear(1, 1), "mse", np.ones((2, 1)), np.ones(2), **setting)


def test_a_network_that_diverged_is_refused() -> None:
    line = nn.Linear(1, 1)
    nn.init.constant_(line.weight, float("nan"))
    with pytest.raises(MeasureError, match="not finite"):
        sharpness(line, "mse", np.ones((2, 1)), np.ones(2))
