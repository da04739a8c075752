"""The input-output Jacobian of networks whose Jacobian is known, and against finite differences."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.jacobian import gives_probabilities, jacobian, jacobian_of
from gradlab.measure.objective import Objective

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.integers(0, 4, 40)


def mlp(seed: int = 0, outputs: int = 4) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, outputs)).double()


def by_differences(function: nn.Module, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The Frobenius norm of the Jacobian at each example, column by column."""
    columns = []
    with torch.no_grad():
        for k in range(x.shape[1]):
            moved = step * np.eye(x.shape[1])[k]
            up, down = (function(torch.from_numpy(each)).numpy() for each in (x + moved, x - moved))
            columns.append((up - down) / (2 * step))
    return np.sqrt((np.stack(columns) ** 2).sum(axis=(0, 2)))


def test_of_a_linear_network_it_is_the_norm_of_its_matrix() -> None:
    line = nn.Linear(3, 5).double()
    found = jacobian(line, "mse", X, RNG.normal(size=(40, 5)))
    norm = float(line.weight.detach().norm())
    assert float(found["jacobian"]) == pytest.approx(norm)
    assert float(found["jacobian_squared"]) == pytest.approx(norm**2)
    assert set(found) == {"jacobian", "jacobian_squared"}


def test_of_a_linear_network_with_softmax_it_has_a_closed_form() -> None:
    line = nn.Linear(3, 4).double()
    weight, bias = (tensor.detach().numpy() for tensor in (line.weight, line.bias))
    z = X @ weight.T + bias
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    norms = [np.linalg.norm((np.diag(row) - np.outer(row, row)) @ weight) for row in p]
    found = jacobian(line, "cross_entropy", X, Y)
    assert float(found["jacobian"]) == pytest.approx(np.mean(norms))
    assert float(found["jacobian_logits"]) == pytest.approx(np.linalg.norm(weight))
    ahead = [
        min((row[y] - row[k]) / np.linalg.norm(weight[y] - weight[k]) for k in range(4) if k != y)
        for row, y in zip(z, Y, strict=True)
    ]
    assert float(found["margin"]) == pytest.approx(sorted(ahead)[19])
    assert found.gradients == pytest.approx(3)  # a forward pass and a backward pass for each of four outputs


def test_against_finite_differences() -> None:
    module = mlp()
    found = jacobian(module, "cross_entropy", X, Y)
    assert float(found["jacobian_logits"]) == pytest.approx(by_differences(module, X).mean(), rel=1e-7)
    softmax = nn.Sequential(module, nn.Softmax(dim=1))
    assert float(found["jacobian"]) == pytest.approx(by_differences(softmax, X).mean(), rel=1e-7)


def test_saturated_probabilities_hide_what_logits_show() -> None:
    line = nn.Linear(3, 4).double()
    before = jacobian(line, "cross_entropy", X, Y)
    with torch.no_grad():
        line.weight *= 200
    after = jacobian(line, "cross_entropy", X, Y)
    assert float(after["jacobian_logits"]) == pytest.approx(200 * float(before["jacobian_logits"]))
    assert float(after["jacobian"]) < 100 * float(before["jacobian"])


def test_a_network_that_ends_in_softmax_is_not_given_a_second_one() -> None:
    module = mlp()
    inside = nn.Sequential(*module, nn.Softmax(dim=1))
    bare, softmax = jacobian(module, "cross_entropy", X, Y), jacobian(inside, "cross_entropy", X, Y)
    for name in ("jacobian", "jacobian_logits", "margin"):
        assert float(softmax[name]) == pytest.approx(float(bare[name])), name
    assert "probabilities already" in softmax.warnings[0]
    assert bare.warnings == ()

    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = mlp()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x).softmax(dim=1)

    hidden = jacobian(Functional(), "cross_entropy", X, Y)
    assert float(hidden["jacobian"]) == pytest.approx(float(bare["jacobian"]))
    assert "jacobian_logits" not in hidden
    assert "out of reach" in hidden.warnings[0]


def test_probabilities_are_recognised_and_numbers_are_not() -> None:
    logits = torch.from_numpy(RNG.normal(size=(9, 3)))
    assert gives_probabilities(logits.softmax(dim=1))
    assert not gives_probabilities(logits)
    assert not gives_probabilities(logits.sigmoid())
    assert not gives_probabilities(torch.ones(9, 1))


def test_random_directions_agree_with_the_exact_norm_and_say_how_well() -> None:
    module = mlp(outputs=12)
    objective = Objective(module, "cross_entropy", X, Y)
    exact = jacobian_of(objective)[0]
    found = [jacobian_of(objective, probes=12, seed=seed)[0] for seed in range(80)]
    for name in ("jacobian", "jacobian_logits", "jacobian_squared"):
        z = np.array([(float(each[name]) - float(exact[name])) / each[name].error for each in found])
        assert abs(z.mean()) < 0.6, name
        assert (np.abs(z) < 2.2).mean() >= 0.88, name
        assert 0.7 < z.std() < 1.4, name


def test_the_root_of_few_directions_is_not_biased_as_a_plain_root_is() -> None:
    line = nn.Linear(3, 30, bias=False).double()
    objective = Objective(line, "mse", np.repeat(X, 25, axis=0), np.zeros((1000, 30)))
    norm = float(line.weight.detach().norm())
    found = jacobian_of(objective, probes=3)[0]["jacobian"]
    assert float(found) == pytest.approx(norm, rel=0.02)


def test_many_outputs_are_random_by_themselves() -> None:
    line = nn.Linear(3, 21, bias=False).double()
    found = jacobian(line, "mse", X, np.zeros((40, 21)))["jacobian"]
    assert found.uncertainty == "standard error"
    assert abs(float(found) - float(line.weight.detach().norm())) < 5 * found.error


def test_images_in_pieces_dropout_and_fleets(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    modules = [
        nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 3)
        )
        for _ in range(2)
    ]
    for module in modules:
        module(torch.randn(16, 1, 4, 4))  # statistics of their own
    x, y = RNG.normal(size=(11, 1, 4, 4)), RNG.integers(0, 3, 11)
    single = [jacobian(module, "cross_entropy", x, y) for module in modules]
    monkeypatch.setattr(
        sys.modules["gradlab.measure.jacobian"], "_BYTES", 3 * 16 * 8 * 4
    )  # four examples at once
    together = jacobian_of(Objective(modules, "cross_entropy", x, y))
    for one, two in zip(single, together, strict=True):
        assert float(one["jacobian"]) == pytest.approx(float(two["jacobian"]), rel=1e-12)
        assert float(one["margin"]) == pytest.approx(float(two["margin"]), rel=1e-12)
    assert float(single[0]["jacobian"]) != pytest.approx(float(single[1]["jacobian"]))
    assert all(module.training for module in modules)


def test_one_probe_has_no_error_and_is_refused() -> None:
    with pytest.raises(MeasureError, match="at least two probes"):
        jacobian(mlp(), "cross_entropy", X, Y, probes=1)


def test_classes_along_a_sequence_are_outputs_like_others() -> None:
    # no softmax over time and classes at once
    class Along(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(2, 3, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.line(x).transpose(1, 2)

    network, x = Along(), np.random.default_rng(0).standard_normal((4, 5, 2))
    found = jacobian(network, "cross_entropy", x, np.zeros((4, 5), np.int64))
    wanted = 5**0.5 * float(network.line.weight.detach().norm())
    assert float(found["jacobian"]) == pytest.approx(wanted, rel=1e-6)
    assert "jacobian_logits" not in found
