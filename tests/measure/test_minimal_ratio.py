"""Four definitions of one ratio, and what three of them cannot see."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.critical import critical_point
from gradlab.measure.minimal_ratio import layer_matrices, minimal_ratio, minimal_ratios, small_weights
from gradlab.measure.objective import Objective

LINE = np.linspace(-2, 2, 20)[:, None]
WAVE = np.sin(2 * LINE)


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


def by_hooks(network: nn.Sequential, x: np.ndarray) -> list[np.ndarray]:
    """Inputs and gradients of pre-activations of each linear layer, and the sum over examples of their products."""
    matrices = []
    for index, layer in enumerate(network):
        if not isinstance(layer, nn.Linear):
            continue
        inputs = network[:index](torch.as_tensor(x, dtype=torch.float32))
        ahead = layer(inputs).detach().requires_grad_()
        outputs = network[index + 1 :](ahead)
        total = np.zeros((layer.weight.numel(),) * 2)
        for output in range(outputs.shape[1]):
            slopes = torch.autograd.grad(outputs[:, output].sum(), ahead, retain_graph=True)[0]
            for a, b in zip(inputs.detach().numpy(), slopes.numpy(), strict=True):
                row = np.kron(b, a)
                total += np.outer(row, row)
        matrices.append(total)
    return matrices


def test_layers_are_sums_of_outer_products_of_inputs_and_gradients() -> None:
    network, x = mlp(0, 2, 4, 3, 2), np.random.default_rng(0).normal(size=(9, 2))
    objective = Objective(network, "mse", x, x, dtype=torch.float32)
    for found, truth in zip(layer_matrices(objective), by_hooks(network, x), strict=True):
        np.testing.assert_allclose(found.numpy(), truth, rtol=2e-4, atol=1e-5)
    shares = [float(np.mean(np.linalg.eigvalsh(m.numpy()) > 0)) for m in layer_matrices(objective)]
    assert float(minimal_ratio(network, "mse", x, x, only=("layers",))["layers"]) == pytest.approx(
        np.mean(shares), abs=0.1
    )


def test_a_convolution_is_summed_over_its_positions() -> None:
    drawn = np.random.default_rng(1)
    conv = nn.Conv2d(2, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(drawn.normal(size=(3, 2, 2, 2))))
    network = nn.Sequential(conv, nn.Flatten(), nn.Linear(12, 1))
    x = drawn.normal(size=(5, 2, 3, 3))
    found = layer_matrices(Objective(network, "mse", x, np.zeros((5, 1))))[0].numpy()
    columns = torch.nn.functional.unfold(torch.from_numpy(x), 2).numpy()  # [n, in * 4, positions]
    slopes = network[2].weight.detach().double().numpy().reshape(3, 4)  # of the output, by unit and position
    rows = np.einsum("op,ncp->noc", slopes, columns).reshape(5, -1)
    np.testing.assert_allclose(found, rows.T @ rows, rtol=1e-6)


def test_layers_never_show_negative_curvature_where_the_hessian_has_forty() -> None:
    drawn = np.random.default_rng(2)
    network = nn.Sequential(nn.Linear(2, 20, bias=False), nn.Linear(20, 2, bias=False))
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.from_numpy(drawn.normal(size=tuple(weight.shape)) * 1e-6))
    x, y = np.eye(2), np.diag([2.0, 1.0])  # near zero each hidden unit has two ways down
    found = minimal_ratio(network, "mse", x, y, critical=True)
    assert float(found["negative"]) * 80 == 40
    assert float(found["inertia_nonzero"]) == 0.5
    assert float(found["at_critical"]) == 1
    for matrix in layer_matrices(Objective(network, "mse", x, y)):
        values = torch.linalg.eigvalsh(matrix)
        assert float(values.min()) >= -1e-12 * float(values.max())
    assert float(found["layers"]) > 0  # a rank, at a point with forty ways down


def test_the_raw_share_moves_by_rounding_and_the_inertia_does_not() -> None:
    network = nn.Sequential(nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 2))
    drawn = np.random.default_rng(3)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.from_numpy(drawn.normal(size=tuple(weight.shape)) * 0.5))
    x = drawn.normal(size=(40, 2))
    y = x @ np.array([[1.0, 0.5], [-0.5, 2.0]]) + 0.1
    best = critical_point(network, "mse", x, y, method="saddle_free", steps=100)
    with torch.no_grad():
        nn.utils.vector_to_parameters(best.weights.float(), network.parameters())
    raw, sound = set(), set()
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(40)
        found = minimal_ratio(network, "mse", x[order], y[order], only=("hessian", "inertia"))
        raw.add(float(found["hessian"]))
        sound.add((float(found["inertia"]), float(found["negative"])))
    assert len(raw) > 1
    assert len(sound) == 1


def test_the_whole_hessian_as_it_was_done() -> None:
    network = mlp(4, 1, 5, 1)
    objective = Objective(network, "mse", LINE, WAVE, dtype=torch.float32)
    whole = torch.func.jacrev(torch.func.grad(objective.loss))(objective.weights)
    share = float((torch.linalg.eigvals(whole).real > 0).double().mean())
    assert float(minimal_ratio(network, "mse", LINE, WAVE)["hessian"]) == pytest.approx(share, abs=1.5 / 16)


def test_small_weights_are_no_curvature() -> None:
    assert small_weights(torch.tensor([0.0, 1e-3, -9e-4, 1.0]), 1e-3) == 0.5
    network = mlp(0, 1, 5, 1)
    found = minimal_ratio(network, "mse", LINE, WAVE, threshold=10.0, only=("small_weights",))
    assert float(found["small_weights"]) == 1
    other = minimal_ratio(network, "mse", LINE, -WAVE, threshold=10.0, only=("small_weights",))
    assert float(other["small_weights"]) == 1
    assert set(found) == {"small_weights", "gradient_norm", "layer_gradient_norm", "zero_gradient"}


def test_a_dead_network_passes_the_reports_test_of_a_zero_gradient() -> None:
    found = minimal_ratio(dead_network(), "mse", LINE, WAVE + 1, critical=True)
    assert float(found["zero_gradient"]) == 1
    assert float(found["layer_gradient_norm"]) == 0
    assert float(found["gradient_norm"]) > 0.1  # the last bias still moves
    assert float(found["layers"]) == 0  # not curvature: nothing gets through
    assert float(found["at_critical"]) == 0
    assert any("dead" in warning for warning in found.warnings)


def test_the_norms_of_the_gradient() -> None:
    network = mlp(5, 1, 4, 1).double()
    found = minimal_ratio(network, "mse", LINE, WAVE, only=("small_weights",))
    torch.nn.functional.mse_loss(network(torch.from_numpy(LINE)), torch.from_numpy(WAVE)).backward()
    norms = [float(weight.grad.norm()) for weight in network.parameters()]
    assert float(found["gradient_norm"]) == pytest.approx(np.sqrt(np.square(norms).sum()))
    assert float(found["layer_gradient_norm"]) == pytest.approx((norms[0] + norms[2]) / 2)
    assert float(found["zero_gradient"]) == 0


def test_fleets_equal_singles() -> None:
    networks = [mlp(seed, 1, 4, 1, activation=nn.ReLU) for seed in range(3)]
    for network, found in zip(networks, minimal_ratios(Objective(networks, "mse", LINE, WAVE)), strict=True):
        alone = minimal_ratio(network, "mse", LINE, WAVE)
        assert {name: float(alone[name]) for name in alone} == {name: float(found[name]) for name in found}


def test_what_it_refuses() -> None:
    with pytest.raises(MeasureError, match="small_weights"):
        minimal_ratio(mlp(0, 1, 2, 1), "mse", LINE, WAVE, only=("sparsity",))
    wide, x, y = nn.Linear(6000, 1), np.ones((2, 6000)), np.ones((2, 1))
    with pytest.raises(MeasureError, match="6001 weights"):
        minimal_ratio(wide, "mse", x, y)
    with pytest.raises(MeasureError, match="weight is 6000 square"):
        minimal_ratio(wide, "mse", x, y, only=("layers",))
    assert float(minimal_ratio(wide, "mse", x, y, only=("small_weights",))["small_weights"]) >= 0
