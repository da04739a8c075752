"""The density of networks against their exact spectra."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_spectra import hessian_of
from scipy.stats import wasserstein_distance
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.density import density, density_of
from gradlab.measure.objective import Objective

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 5))
LABELS = RANDOM.integers(0, 3, 40)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 3)).double()


EXACT = np.linalg.eigvalsh(hessian_of(network(), nn.CrossEntropyLoss(), X, LABELS))


def test_a_network_against_its_exact_spectrum() -> None:
    found = density(network(), "cross_entropy", X, LABELS, probes=20, steps=30)
    nodes, weights = np.asarray(found["nodes"].value).ravel(), np.asarray(found["weights"].value).ravel()
    assert wasserstein_distance(nodes, EXACT, weights) < 0.03 * EXACT[-1]
    places = found["cumulative"].places
    assert places is not None
    low, high = np.asarray(found["cumulative"].error)
    true = np.searchsorted(EXACT, places, side="right") / len(EXACT)
    assert ((low <= true) & (true <= high)).mean() > 0.95
    assert 0.0 in places.tolist()


def test_the_curve_is_a_density_and_its_smoothing_is_stated() -> None:
    found = density(network(), "cross_entropy", X, LABELS, probes=4, steps=20, sigma=0.05)
    grid = found["density"].places
    assert grid is not None
    assert found.settings["sigma"] == 0.05
    assert np.trapezoid(np.asarray(found["density"].value), grid) == pytest.approx(1.0, abs=1e-3)
    assert found["density"].uncertainty == "band"
    assert np.asarray(found["density"].error).shape == (2, len(grid))


def test_enough_steps_are_exact_and_say_so() -> None:
    found = density(network(), "cross_entropy", X, LABELS, steps=1000)
    assert found.settings["exact"] == 1
    np.testing.assert_allclose(np.asarray(found["nodes"].value)[0], EXACT, atol=1e-12)
    assert found.warnings == ()
    assert density(network(), "cross_entropy", X, LABELS, steps=10).warnings


def test_a_logarithmic_scale_has_a_curve_for_each_sign() -> None:
    found = density(network(), "cross_entropy", X, LABELS, steps=1000, scale="log")
    assert {"positive", "negative", "cumulative"} <= set(found)
    grid = found["positive"].places
    assert grid is not None
    share = np.trapezoid(np.asarray(found["positive"].value), grid)
    assert share == pytest.approx((1e-9 * EXACT[-1] < EXACT).mean(), abs=0.02)


def test_a_part_and_a_fleet() -> None:
    networks = [network(0), network(1)]
    objective = Objective(networks, "cross_entropy", X, LABELS)
    found = density_of(objective, steps=36, part="2.weight")
    for one, measured in zip(networks, found, strict=True):
        block = hessian_of(one, nn.CrossEntropyLoss(), X, LABELS)[72:108, 72:108]
        np.testing.assert_allclose(
            np.asarray(measured["nodes"].value)[0], np.linalg.eigvalsh(block), atol=1e-12
        )


@pytest.mark.parametrize("settings", [{"probes": 1}, {"steps": 1}, {"sigma": 0.0}, {"points": 1}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(MeasureError, match="2 at least"):
        density(network(), "cross_entropy", X, LABELS, **settings)  # pyright: ignore[reportArgumentType]


def test_a_network_of_zero_curvature_has_all_its_mass_at_zero() -> None:
    dead = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)).double()
    with torch.no_grad():
        dead[0].weight.zero_()
        dead[0].bias.fill_(-1.0)
        dead[2].bias.requires_grad_(False)
    found = density(dead, "mse", X, np.zeros((40, 1)), probes=2, steps=5)
    nodes, weights = np.asarray(found["nodes"].value), np.asarray(found["weights"].value)
    assert (nodes[weights > 0] == 0.0).all()


def test_a_scale_that_is_not_known_is_refused() -> None:
    with pytest.raises(MeasureError, match="allowed: linear, log"):
        density(nn.Linear(2, 1), "mse", np.ones((3, 2)), np.ones(3), scale="logarithmic")  # pyright: ignore[reportArgumentType]
