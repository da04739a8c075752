"""PAC-Bayes sharpness of classifiers and bowls where the noise they bear is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bowl import bowl
from scipy.stats import norm
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.pac_bayes import pac_bayes, pac_bayes_of


class Sign(nn.Module):
    """Class 1 where w x > 0: one weight, two logits."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([-self.weight * x, self.weight * x], dim=1)


X = np.array([[-1.0], [1.0], [2.0], [-0.5]])
Y = (X[:, 0] > 0).astype(np.int64)
QUANTILE = norm.ppf(0.9)
"""All examples are wrong where w + sigma u < 0, which for w > 0 has probability 0.1 at sigma = w / 1.2816."""


def test_sigma_of_a_classifier_of_one_weight_is_that_of_the_normal_distribution() -> None:
    found = pac_bayes(Sign(0.5), "cross_entropy", X, Y, samples=4000)
    sigma = found["pac_bayes_sigma"]
    assert float(sigma) == pytest.approx(0.5 / QUANTILE, rel=0.08)
    assert abs(float(sigma) - 0.5 / QUANTILE) < 4 * sigma.error
    assert found.settings["criterion"] == "error"


def test_sigma_is_a_standard_deviation_and_not_a_variance() -> None:
    # a tool that draws normal(0, sigma^2) reports sqrt(sigma): here 0.63 for 0.39, and 2.6 for 1 / sigma^2 = 6.6
    found = pac_bayes(Sign(0.5), "cross_entropy", X, Y, samples=2000, worst=False)
    sigma, inverse = found["pac_bayes_sigma"], found["pac_bayes"]
    assert float(inverse) == pytest.approx(1 / float(sigma) ** 2)
    assert inverse.error == pytest.approx(2 * sigma.error / float(sigma) ** 3)
    assert float(inverse) == pytest.approx((QUANTILE / 0.5) ** 2, rel=0.15)
    four = pac_bayes(Sign(2.0), "cross_entropy", X, Y, samples=2000, worst=False)
    assert float(four["pac_bayes_sigma"]) == pytest.approx(4 * float(sigma), rel=2e-3)
    assert float(four["pac_bayes_magnitude_sigma"]) == pytest.approx(1 / QUANTILE, rel=0.1)


def test_the_magnitude_aware_noise_adds_up_in_variance() -> None:
    # variance sigma^2 w^2 + eps^2 crosses at (w / 1.2816)^2
    found = pac_bayes(Sign(0.5), "cross_entropy", X, Y, samples=4000, epsilon=0.3, worst=False)
    expected = np.sqrt((0.5 / QUANTILE) ** 2 - 0.3**2) / 0.5
    assert float(found["pac_bayes_magnitude_sigma"]) == pytest.approx(expected, rel=0.12)
    too_much = pac_bayes(Sign(0.5), "cross_entropy", X, Y, epsilon=2.0, worst=False)
    assert float(too_much["pac_bayes_magnitude"]) == np.inf
    assert "too much already" in too_much.warnings[0]


def test_the_worst_case_is_the_first_change_that_flips_the_sign() -> None:
    found = pac_bayes(Sign(0.5), "cross_entropy", X, Y)
    assert float(found["worst_alpha"]) == pytest.approx(0.5, rel=2e-3)
    assert float(found["worst"]) == pytest.approx(4, rel=4e-3)
    assert float(found["worst_alpha"]) < 2 * float(found["pac_bayes_sigma"])


def test_errors_are_calibrated() -> None:
    # of a bowl (w - m)^2 the loss rises by sigma^2 u^2: smooth in sigma, so that the error's formula is put to the test
    network, x, y = bowl(np.diag([2.0, 1.0, 4.0]), np.ones(3), np.ones(3))
    objective = Objective(network, "mse", x, y)
    variance = float(y.var())
    expected = np.sqrt(0.1 * variance / (7 / 2))  # the mean rise is sigma^2 tr(H) / 2
    found = [
        pac_bayes_of(objective, samples=60, seed=seed, worst=False)[0]["pac_bayes_sigma"]
        for seed in range(60)
    ]
    z = np.array([(float(each) - expected) / each.error for each in found])
    assert abs(z.mean()) < 0.5
    assert (np.abs(z) < 2.1).mean() >= 0.88
    assert max(abs(float(each) - expected) for each in found) < 0.5 * expected


def test_targets_that_are_numbers_have_a_criterion_of_their_own_that_is_named() -> None:
    network, x, y = bowl(np.diag([2.0, 1.0]), np.ones(2), np.ones(2), floor=0.3)
    found = pac_bayes(network, "mse", x, y, worst=False)
    assert found.settings["criterion"] == "unexplained"
    assert "unexplained share" in found["pac_bayes_sigma"].means
    own = pac_bayes(network, "mse", x, y, criterion="loss", samples=2000, worst=False)
    assert float(own["pac_bayes_sigma"]) == pytest.approx(np.sqrt(0.1 * 0.3 / 1.5), rel=0.1)
    with pytest.raises(MeasureError, match="no error rate"):
        pac_bayes(network, "mse", x, y, criterion="error")
    network, x, y = bowl(np.diag([2.0, 1.0]), np.ones(2), np.ones(2))
    with pytest.raises(MeasureError, match="is zero"):
        pac_bayes(network, "mse", x, np.asarray(network(torch.from_numpy(x)).detach()), criterion="loss")


def test_a_network_that_is_no_better_than_chance_bears_any_noise() -> None:
    found = pac_bayes(Sign(0.5), "cross_entropy", X, np.array([0, 1, 0, 1]), worst=False)
    assert float(found["pac_bayes_sigma"]) == np.inf
    assert float(found["pac_bayes"]) == 0


def trained(seed: int, *, norm_layer: bool) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Linear(2, 8), nn.BatchNorm1d(8)] if norm_layer else [nn.Linear(2, 8)]
    network = nn.Sequential(*layers, nn.ReLU(), nn.Linear(8, 2)).double()
    x, y = data()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()
    return network


def data() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(120, 2))
    return x, (x[:, 0] > x[:, 1]).astype(np.int64)


def test_batch_norm_is_folded_so_that_its_scale_hides_nothing() -> None:
    network = trained(0, norm_layer=True)
    x, y = data()
    found = pac_bayes(network, "cross_entropy", x, y, worst=False)
    assert "after folding 1 BatchNorm" in found.warnings[0]
    with torch.no_grad():  # a larger weight under BatchNorm in evaluation mode, with statistics to match
        network[0].weight *= 1000
        network[0].bias *= 1000
        network[1].running_mean *= 1000
        network[1].running_var *= 1e6
        network[1].eps *= 1e6
    again = pac_bayes(network, "cross_entropy", x, y, worst=False)
    assert float(again["pac_bayes_sigma"]) == pytest.approx(float(found["pac_bayes_sigma"]), rel=1e-2)


def test_batch_norm_that_cannot_be_folded_is_refused() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2))
    with pytest.raises(MeasureError, match="cannot be folded"):
        pac_bayes(network, "cross_entropy", *data())


def test_a_fleet_gives_what_each_network_gives_alone_and_stays_as_it_was() -> None:
    modules = [trained(seed, norm_layer=True) for seed in (0, 1)]
    before = [tensor.clone() for module in modules for tensor in module.state_dict().values()]
    together = pac_bayes_of(Objective(modules, "cross_entropy", *data()), samples=5)
    for module, found in zip(modules, together, strict=True):
        single = pac_bayes(module, "cross_entropy", *data(), samples=5)
        assert {name: float(value) for name, value in single.items()} == {
            name: float(value) for name, value in found.items()
        }
        assert float(found["worst_alpha"]) < 3 * float(found["pac_bayes_sigma"])
    after = [tensor for module in modules for tensor in module.state_dict().values()]
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_the_bound_has_the_distance_from_the_start() -> None:
    found = pac_bayes(Sign(0.5), "cross_entropy", X, Y, start=Sign(-1.5), worst=False)
    sigma = float(found["pac_bayes_sigma"])
    assert float(found["bound"]) == pytest.approx(4 / (4 * sigma**2) + np.log(4 / sigma) + 10)


def test_one_draw_of_noise_has_no_error_and_is_refused() -> None:
    with pytest.raises(MeasureError, match="at least two samples"):
        pac_bayes(Sign(0.5), "cross_entropy", X, Y, samples=1)


@pytest.mark.parametrize("setting", [{"criterion": "accuracy"}, {"rise": -0.1}, {"epsilon": float("nan")}])
def test_settings_that_mean_nothing_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(MeasureError):
        pac_bayes(nn.Linear(1, 1), "mse", np.ones((2, 1)), np.ones(2), **setting)
