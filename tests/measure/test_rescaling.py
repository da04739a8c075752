"""Which measures see how scale is spread over layers: the test that a measure of a function has to pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.rescaling import rescaled, rescaling

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
QUICK = {"samples": 6, "noise": 6, "steps": 5, "directions": 5}


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 5), nn.LeakyReLU(0.1), nn.Linear(5, 2)
    ).double()


@pytest.mark.parametrize("layers", [None, ("2", "4")])
def test_sharpness_moves_and_the_adaptive_kind_does_not(layers: tuple[str, str] | None) -> None:
    network = mlp()
    found = rescaling(network, "cross_entropy", X, Y, factor=8.0, layers=layers, **QUICK)
    assert found.difference < 1e-12
    moved, stayed = set(found.moved), {row.measure for row in found.rows} - set(found.moved)
    assert {"keskar", "sam", "sam_average", "sam_one_step", "trace", "largest", "gradient", "fixed"} <= moved
    assert {
        "adaptive",
        "adaptive_average",
        "input_gradient",
        "jacobian",
        "jacobian_logits",
        "margin",
    } <= stayed
    rows = {row.measure: row for row in found.rows}
    for name in ("adaptive", "adaptive_average"):
        assert rows[name].ratio == pytest.approx(1, rel=1e-6)
    assert rows["trace"].ratio > 2
    assert layers is None or found.layers == layers


def test_the_magnitude_aware_form_moves_by_no_more_than_its_epsilon() -> None:
    network = mlp()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(torch.from_numpy(X)), torch.from_numpy(Y)).backward()
        optimizer.step()
    found = rescaling(network, "cross_entropy", X, Y, curvature=False, **QUICK)
    rows = {row.measure: row for row in found.rows}
    assert rows["pac_bayes_magnitude"].ratio == pytest.approx(1, rel=0.05)
    assert {"pac_bayes", "worst"} <= set(found.moved)


def test_it_is_a_table() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    found = rescaling(network, "cross_entropy", X, Y, curvature=False, worst=False, **QUICK)
    lines = str(found).splitlines()
    assert lines[0].split() == ["measure", "before", "after", "ratio", "moved"]
    assert len(lines) == 1 + len(found.rows)
    assert any(line.startswith("keskar ") and line.endswith("yes") for line in lines)
    assert any(line.startswith("adaptive ") and line.endswith("no") for line in lines)


def test_a_rescaling_changes_both_layers_of_a_copy() -> None:
    network = mlp()
    other = rescaled(network, 4.0, ("0", "2"))
    assert torch.equal(other[0].weight, 4 * network[0].weight)
    assert torch.equal(other[0].bias, 4 * network[0].bias)
    assert torch.equal(other[2].weight, network[2].weight / 4)
    assert torch.equal(other[2].bias, network[2].bias)


def test_a_network_of_convolutions_is_rescaled_too() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 2)
    ).double()
    x = RNG.normal(size=(16, 1, 6, 6))
    settings = QUICK | {"curvature": False, "worst": False}
    found = rescaling(network, "cross_entropy", x, Y[:16], **settings)
    assert found.layers == ("0", "5")
    assert "adaptive" not in found.moved


@pytest.mark.parametrize("kind", ["tanh", "batch_norm"])
def test_a_network_whose_function_changes_is_no_test(kind: str) -> None:
    between: nn.Module = nn.Tanh() if kind == "tanh" else nn.BatchNorm1d(4)
    network = nn.Sequential(nn.Linear(3, 4), between, nn.Linear(4, 2)).double()
    network(torch.from_numpy(X + 1))  # BatchNorm takes up statistics
    with pytest.raises(MeasureError, match="positively homogeneous"):
        rescaling(network, "cross_entropy", X, Y)


def test_layers_that_are_not_there_are_refused() -> None:
    with pytest.raises(MeasureError, match="no layer 'fc9'"):
        rescaled(mlp(), 2.0, ("0", "fc9"))
    with pytest.raises(MeasureError, match="positive factor"):
        rescaled(mlp(), -2.0, ("0", "2"))
    with pytest.raises(MeasureError, match="two layers"):
        rescaling(nn.Linear(3, 2), "cross_entropy", X, Y)
