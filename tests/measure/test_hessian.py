"""Exact Hessians, their spectra and products with them, against torch's own and closed forms."""

from __future__ import annotations

import copy

import dense_hessian
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gradlab.errors import MeasureError
from gradlab.measure.hessian import hessian_matrix, spectrum, spectrum_of
from gradlab.measure.layered import layered_hessian, perceptron
from gradlab.measure.objective import Objective
from gradlab.measure.products import product

DRAWS = np.random.default_rng(0)
X, Y, CLASSES = DRAWS.standard_normal((23, 4)), DRAWS.standard_normal((23, 3)), DRAWS.integers(0, 3, 23)
IMAGES = DRAWS.standard_normal((12, 1, 5, 5))
CRITERIA = {"mse": functional.mse_loss, "cross_entropy": functional.cross_entropy}


def seeded(build, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def mlp(activation=nn.Tanh, seed: int = 0) -> nn.Module:
    return seeded(
        lambda: nn.Sequential(nn.Linear(4, 5), activation(), nn.Linear(5, 4), activation(), nn.Linear(4, 3)),
        seed,
    )


def convolutional() -> nn.Module:
    return seeded(lambda: nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    ))  # fmt: skip


def frozen() -> nn.Module:
    network = mlp()
    network[2].weight.requires_grad_(False)
    return network


class Late(nn.Module):
    """Its first parameter is never used, its second only by a function of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.spare, self.scale = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
        self.line = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.line(x)) * self.scale


NETWORKS = {
    "tanh": mlp, "relu": lambda: mlp(nn.ReLU), "gelu": lambda: mlp(nn.GELU), "softplus": lambda: mlp(nn.Softplus),
    "one layer": lambda: seeded(lambda: nn.Linear(4, 3)),
    "no bias, a tail": lambda: seeded(lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(4, 4, bias=False), nn.Sigmoid(), nn.Dropout(), nn.Linear(4, 3), nn.Softmax(1))),
    "frozen": frozen, "own forward": lambda: seeded(Late),
}  # fmt: skip


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("of", ["loss", "gauss_newton"])
@pytest.mark.parametrize("name", NETWORKS)
def test_matrix_and_products_are_those_of_torch(name: str, of: str, loss: str) -> None:
    network = NETWORKS[name]()
    y = Y if loss == "mse" else CLASSES
    oracle = dense_hessian.hessian if of == "loss" else dense_hessian.gauss_newton
    wanted = oracle(network, CRITERIA[loss], torch.from_numpy(X), torch.from_numpy(y))
    objective = Objective(network, loss, X, y)
    assert torch.allclose(hessian_matrix(objective, of=of), wanted, rtol=1e-9, atol=1e-13)
    multiply = product(objective, objective.weights, of=of)
    block = torch.from_numpy(DRAWS.standard_normal((objective.size, 4)))
    assert torch.allclose(multiply(block), wanted @ block, rtol=1e-9, atol=1e-12)
    assert torch.allclose(multiply(block[:, 1]), wanted @ block[:, 1], rtol=1e-9, atol=1e-12)


def test_convolutions_and_batch_normalisation_in_evaluation_mode() -> None:
    network = convolutional()
    network(torch.from_numpy(IMAGES).float() * 3 + 1)  # running statistics that are not those of the data
    y = torch.from_numpy(CLASSES[:12])
    wanted = dense_hessian.hessian(network, functional.cross_entropy, torch.from_numpy(IMAGES), y)
    objective = Objective(network, "cross_entropy", IMAGES, y, at_once=5)
    assert torch.allclose(hessian_matrix(objective), wanted, rtol=1e-8, atol=1e-12)
    assert perceptron(objective) is None


def test_linear_regression_has_its_closed_form() -> None:
    objective = Objective(nn.Linear(4, 1, bias=False), "mse", X, Y[:, :1])
    assert np.allclose(hessian_matrix(objective).numpy(), 2 * X.T @ X / len(X), rtol=1e-13)


def test_logistic_regression_has_its_closed_form() -> None:
    network = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        network.weight[0] = 0.0  # then the second row is that of a logistic regression
    p = 1 / (1 + np.exp(-X @ network.weight[1].detach().double().numpy()))
    objective = Objective(network, "cross_entropy", X, (CLASSES > 0).astype(np.int64))
    wanted = X.T @ ((p * (1 - p))[:, None] * X) / len(X)
    assert np.allclose(hessian_matrix(objective).numpy()[4:, 4:], wanted, rtol=1e-12)


def test_a_known_saddle() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    for layer in network:
        nn.init.zeros_(layer.weight)
    found = spectrum(network, "mse", np.ones((5, 1)), np.ones((5, 1)))  # (1 - ab)^2 at 0
    assert found["eigenvalues"].value == pytest.approx([2.0, -2.0])
    assert [float(found[name]) for name in ("positive", "zero", "negative", "stable", "trace")] == [
        0.5,
        0,
        0.5,
        1,
        0,
    ]
    assert float(found["frobenius"]) == pytest.approx(8**0.5)


def test_chunks_are_the_same_as_the_whole() -> None:
    network = mlp()
    whole = Objective(network, "cross_entropy", X, CLASSES)
    pieces = Objective(network, "cross_entropy", X, CLASSES, at_once=10)  # 10, 10 and 3
    vector = torch.ones(whole.size, dtype=torch.float64)
    for of in ("loss", "gauss_newton"):
        assert torch.allclose(hessian_matrix(whole, of=of), hessian_matrix(pieces, of=of), atol=1e-14)
        wanted = product(whole, whole.weights, of=of)(vector)
        one = int(max(pieces.known.values(), default=0) * 15)  # room for one chunk of ten, not for two
        for memory in (0, one, 2**30):  # nothing kept, some, all
            multiply = product(pieces, pieces.weights, of=of, memory=memory)
            assert torch.allclose(multiply(vector), wanted, atol=1e-14)
    kept = [product(pieces, pieces.weights, memory=memory).kept for memory in (0, one, 2**30)]
    assert kept[0] == 0 < kept[1] < kept[2] == pytest.approx(1)


def test_a_fleet_is_the_same_as_its_networks() -> None:
    networks = [mlp(nn.ReLU, seed) for seed in range(3)]
    fleet = Objective(networks, "mse", X, Y)
    every = spectrum_of(fleet)
    for network, found in zip(networks, every, strict=True):
        alone = spectrum(network, "mse", X, Y)
        assert np.allclose(found["eigenvalues"].value, alone["eigenvalues"].value, atol=1e-13)
        assert {name: float(v) for name, v in found.items() if not v.axis} == pytest.approx(
            {name: float(v) for name, v in alone.items() if not v.axis}, abs=1e-12
        )
    vectors = torch.from_numpy(DRAWS.standard_normal(fleet.weights.shape))
    wanted = torch.einsum("mij,mj->mi", hessian_matrix(fleet), vectors)
    assert torch.allclose(product(fleet, fleet.weights)(vectors), wanted, atol=1e-12)
    assert hessian_matrix(fleet).shape == (3, fleet.size, fleet.size)


def test_a_layer_is_the_diagonal_block_and_goes_by_its_name() -> None:
    objective = Objective(mlp(), "mse", X, Y)
    whole = hessian_matrix(objective)
    for part in ("2", "0.weight", "4.bias"):
        place = objective.span(part)
        assert torch.allclose(hessian_matrix(objective, part=part), whole[place, place], atol=1e-14)
        found = spectrum_of(objective, part=part)[0]
        assert found.settings["part"] == part
        assert len(found["eigenvalues"].value) == place.stop - place.start
    assert spectrum_of(objective)[0].settings["of"] == "loss"


def test_gauss_newton_and_layers_of_rectified_networks_cannot_be_negative() -> None:
    # so that a share of positive eigenvalues from either says nothing of the network's own
    found = {
        "network": spectrum(mlp(nn.ReLU), "mse", X, Y),
        "gauss_newton": spectrum(mlp(nn.ReLU), "mse", X, Y, of="gauss_newton"),
        "layer": spectrum(mlp(nn.ReLU), "mse", X, Y, part="2"),
    }
    least = {name: float(each["smallest"]) for name, each in found.items()}
    assert least["network"] < -1e-3
    assert min(least["gauss_newton"], least["layer"]) > -1e-12


def test_weight_decay_moves_every_eigenvalue() -> None:
    plain, decayed = (spectrum(mlp(), "mse", X, Y, weight_decay=decay) for decay in (0.0, 0.5))
    assert np.allclose(decayed["eigenvalues"].value, plain["eigenvalues"].value + 0.5)
    objective = Objective(mlp(), "mse", X, Y, weight_decay=0.5)
    eye = torch.eye(objective.size, dtype=torch.float64)
    assert torch.allclose(product(objective, objective.weights)(eye), hessian_matrix(objective), atol=1e-13)


def test_float32_agrees_within_its_own_rounding_and_has_a_wider_band() -> None:
    double, single = (spectrum(mlp(), "mse", X, Y, dtype=dtype) for dtype in (torch.float64, torch.float32))
    assert np.allclose(single["eigenvalues"].value, double["eigenvalues"].value, atol=1e-5)
    assert not np.array_equal(single["eigenvalues"].value, double["eigenvalues"].value)
    assert single.settings["dtype"] == "float32"


def test_raw_share_of_positive_eigenvalues_is_rounding() -> None:
    network = mlp(nn.ReLU)
    nn.init.constant_(
        network[0].bias, -100.0
    )  # no unit of the first layer fires: only a bias acts on the outputs
    found = spectrum(network, "mse", X, Y)
    assert float(found["zero"]) > 0.5
    assert float(found["raw_positive"]) != float(found["positive"])


def test_networks_that_diverged_are_said_to_be() -> None:
    broken = mlp()
    nn.init.constant_(broken[0].weight, float("nan"))
    good, bad = spectrum_of(Objective([mlp(), broken], "mse", X, Y))
    assert np.isfinite(good["eigenvalues"].value).all()
    assert not good.warnings or "not finite" not in good.warnings[0]
    assert np.isnan(float(bad["largest"]))
    assert np.isnan(float(bad["positive"]))
    assert "not finite" in bad.warnings[0]


def test_what_cannot_be_had_is_refused() -> None:
    objective = Objective(mlp(), "mse", X, Y)
    with pytest.raises(MeasureError, match="no part 'fc1'"):
        spectrum_of(objective, part="fc1")
    with pytest.raises(MeasureError, match="no curvature of 'fisher'; allowed: loss, gauss_newton"):
        spectrum_of(objective, of="fisher")  # pyright: ignore
    with pytest.raises(MeasureError, match="no curvature of 'fisher'"):
        product(objective, objective.weights, of="fisher")  # pyright: ignore
    with pytest.raises(MeasureError, match=r"takes vectors \[\d+\] or blocks"):
        product(objective, objective.weights)(torch.ones(3, dtype=torch.float64))
    large = Objective(nn.Linear(210, 100), "mse", np.zeros((1, 210)), np.zeros((1, 100)))
    with pytest.raises(MeasureError, match=r"21,100 x 21,100 is not formed"):
        spectrum_of(large)


def test_a_matrix_that_its_product_contradicts_is_refused() -> None:
    objective = Objective(mlp(), "mse", X, Y)
    layers = perceptron(objective)
    assert layers is not None
    good = layered_hessian(objective, objective.weights, layers)
    from gradlab.measure.hessian import _compare

    probe = torch.ones(objective.size, dtype=torch.float64)
    _compare(good, probe, good @ probe)
    bad = good.clone()
    bad[3, 4] += 1e-3
    with pytest.raises(MeasureError, match="product with a vector differ"):
        _compare(bad, probe, good @ probe)


def test_nothing_of_the_users_is_changed() -> None:
    network = convolutional().train()
    state, generator = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    spectrum(network, "cross_entropy", IMAGES, CLASSES[:12])
    assert all(torch.equal(a, b) for a, b in zip(state.values(), network.state_dict().values(), strict=True))
    assert network.training
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert torch.equal(generator, torch.get_rng_state())


def test_sequences_through_linear_layers_are_not_taken_for_rows() -> None:
    draws, line = np.random.default_rng(0), torch.nn.Linear(2, 3)
    x, y = draws.standard_normal((4, 5, 2)), draws.standard_normal((4, 5, 3))
    along = spectrum(line, "mse", x, y)["eigenvalues"].value
    rows = spectrum(line, "mse", x.reshape(20, 2), y.reshape(20, 3))["eigenvalues"].value
    np.testing.assert_allclose(along, rows, atol=1e-12)
