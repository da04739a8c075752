"""Straight lines between two networks: ends, grids, closed forms, and both ways of evaluating."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from plain_paths import blobs, cnn, mixed, mlp, score, train
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.interpolation import interpolation
from gradlab.measure.path import Line, grid

X, Y = blobs(120)


def fitted(seed: int) -> nn.Module:
    return train(mlp(5, 8, 3, seed=seed), X, Y, steps=60)


@pytest.mark.parametrize("points", [2, 13, 20, 21, 25, 31])
def test_zero_and_one_are_on_every_grid_exactly(points: int) -> None:
    for low, high in ((-1, 2), (-2, 2), (-0.5, 1.5), (0, 1), (-0.3, 1.1)):
        alphas = grid(low, high, points)
        assert (alphas == 0).sum() == (alphas == 1).sum() == 1
        assert (alphas[0], alphas[-1]) == (low, high)
        assert ((alphas >= 0) & (alphas <= 1)).sum() >= 25
        assert (np.diff(alphas) > 1e-9).all()


def test_even_spacing_is_kept_where_it_is_asked_for() -> None:
    np.testing.assert_allclose(grid(-1, 2, 31, within=0), np.linspace(-1, 2, 31), atol=1e-15)
    assert 0.0 in grid(-1, 2, 20, within=0)  # of report 002's grid neither 0 nor 1 is a point
    with pytest.raises(MeasureError, match="must hold 0 and 1"):
        grid(0.1, 1)


def test_the_loss_of_a_linear_model_along_a_line_is_a_parabola() -> None:
    one, two = (nn.Linear(5, 2).double() for _ in range(2))
    target = X @ torch.rand(5, 2, dtype=torch.float64)
    found = interpolation(one, two, "mse", X, target, points=7, within=0, same_start=False)
    with torch.no_grad():
        first = one(X) - target
        step = two(X) - one(X)
    alphas = found["loss"].places
    assert alphas is not None
    expected = [float((first + a * step).square().mean()) for a in alphas]
    np.testing.assert_allclose(found["loss"].value, expected, rtol=1e-12)
    third = np.diff(np.asarray(found["loss"].value), 3)
    np.testing.assert_allclose(third, 0, atol=1e-12)
    assert float(found["barrier"]) == 0  # a convex loss lies below the line


def test_every_point_is_a_network_between_the_two() -> None:
    one, two = fitted(0), fitted(1)
    found = interpolation(one, two, "cross_entropy", X, Y, x_test=X[:40], y_test=Y[:40], points=7, within=0)
    for k, alpha in enumerate(found["loss"].places):  # type: ignore[arg-type]
        between = mixed(one, two, alpha)
        train_score, test_score = score(between, X, Y), score(between, X[:40], Y[:40])
        assert np.asarray(found["loss"].value)[k] == pytest.approx(train_score[0], rel=1e-12)
        assert np.asarray(found["accuracy"].value)[k] == train_score[1]
        assert np.asarray(found["loss.test"].value)[k] == pytest.approx(test_score[0], rel=1e-12)
        assert np.asarray(found["accuracy.test"].value)[k] == test_score[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ends_are_the_networks_bit_for_bit(dtype: torch.dtype) -> None:
    one, two = (cnn(s, dtype=dtype).state_dict() for s in (0, 1))
    one["0.weight"][0, 0, 0] = -0.0
    line = Line(one, two)
    for end, state in ((0, one), (1, two)):
        for name, tensor in line.at(float(end)).items():
            np.testing.assert_array_equal(tensor.numpy().view(np.uint8), state[name].numpy().view(np.uint8))


def test_the_start_is_evaluated_loss_landscapes() -> None:
    """A loop that steps before it evaluates never sees the start, and calls what comes after it the start."""
    one, two = fitted(0), fitted(1)
    found = interpolation(one, two, "cross_entropy", X, Y, low=0, high=1, points=5, within=0)
    assert (
        np.asarray(found["loss"].value)[0]
        == float(found["loss_0"])
        == pytest.approx(score(one, X, Y)[0], rel=1e-12)
    )
    assert float(found["loss_1"]) == pytest.approx(score(two, X, Y)[0], rel=1e-12)


def test_the_users_networks_are_left_alone_loss_landscapes() -> None:
    """Neither weights, nor gradients, nor modes, nor requires_grad may be changed by looking."""
    one, two = fitted(0).train(), fitted(1)
    two[0].weight.requires_grad_(False)
    states = [copy.deepcopy(each.state_dict()) for each in (one, two)]
    interpolation(one, two, "cross_entropy", X, Y, points=4, align="weights")
    for network, state in zip((one, two), states, strict=True):
        assert all(torch.equal(state[n], t) for n, t in network.state_dict().items())
        assert all(p.grad is None or p.grad.abs().sum() > 0 for p in network.parameters())
    assert one.training
    assert not two.training
    assert [p.requires_grad for p in two.parameters()] == [False, True, True, True]


def test_distance_and_cosine_are_of_all_parameters() -> None:
    one, two = fitted(0), fitted(1)
    found = interpolation(one, two, "cross_entropy", X, Y, points=4, within=0)
    a, b = (nn.utils.parameters_to_vector(net.parameters()).detach().numpy() for net in (one, two))
    assert float(found["distance"]) == pytest.approx(np.linalg.norm(a - b))
    assert float(found["cosine"]) == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_whether_the_start_is_shared_is_said_by_the_caller() -> None:
    one, two = fitted(0), fitted(1)
    silent = interpolation(one, two, "cross_entropy", X, Y, points=2, within=0)
    assert "same_start" not in silent
    assert "not stated" in silent.warnings[0]
    told = interpolation(one, two, "cross_entropy", X, Y, points=2, within=0, same_start=True)
    assert float(told["same_start"]) == 1
    assert told.settings["initialisation"] == "same"
    assert not told.warnings


def test_state_dicts_will_do_for_networks() -> None:
    one, two = fitted(0), fitted(1)
    whole = interpolation(one, two, "cross_entropy", X, Y, points=4, within=0)
    states = interpolation(
        one.state_dict(), two.state_dict(), "cross_entropy", X, Y, module=one, points=4, within=0
    )
    np.testing.assert_array_equal(whole["loss"].value, states["loss"].value)
    with pytest.raises(MeasureError, match="give module="):
        interpolation(one.state_dict(), two.state_dict(), "cross_entropy", X, Y)
    with pytest.raises(MeasureError, match="does not fit"):
        interpolation(one, mlp(5, 8, 8, 3).state_dict(), "cross_entropy", X, Y)


def test_what_has_no_middle_is_refused() -> None:
    one, two = fitted(0), fitted(1)
    with pytest.raises(MeasureError, match="not of one architecture"):
        interpolation(one, mlp(5, 9, 3), "cross_entropy", X, Y)
    spoilt = copy.deepcopy(two)
    spoilt[0].weight.data[0, 0] = float("nan")
    with pytest.raises(MeasureError, match="not finite"):
        interpolation(one, spoilt, "cross_entropy", X, Y)
    table_1, table_2 = (nn.Sequential(mlp(5, 3)) for _ in range(2))
    for k, each in enumerate((table_1, table_2)):
        each.register_buffer("table", torch.full((2,), float(k)))
    with pytest.raises(MeasureError, match="buffer table differs"):
        interpolation(table_1, table_2, "cross_entropy", X, Y)


def test_numbers_have_losses_and_no_accuracies() -> None:
    one, two = (mlp(5, 4, 1, seed=s) for s in (0, 1))
    found = interpolation(one, two, "mse", X, torch.rand(120, 1), points=4)
    assert not [name for name in found if "accuracy" in name or "error" in name]


def test_the_cost_is_counted_in_gradients() -> None:
    one, two = fitted(0), fitted(1)
    found = interpolation(one, two, "cross_entropy", X, Y, x_test=X, y_test=Y, points=4, within=0)
    assert found.gradients == pytest.approx(4 * 2 / 3)  # a forward pass is a third of a gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_fused_kernel_and_pytorch_agree(dtype: torch.dtype) -> None:
    one, two = (cnn(s, dtype=dtype) for s in (0, 1))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 1, 8, 8)).astype(str(dtype).removeprefix("torch.")), rng.integers(0, 3, 300)
    fast, slow = (
        interpolation(one, two, "cross_entropy", x, y, points=4, within=0, backend=backend)
        for backend in ("kernel", "torch")
    )
    assert (fast.settings["backend"], slow.settings["backend"]) == ("kernel", "torch")
    np.testing.assert_allclose(
        fast["loss"].value, slow["loss"].value, rtol=2e-6 if dtype == torch.float32 else 1e-12
    )
    np.testing.assert_allclose(fast["accuracy"].value, slow["accuracy"].value, atol=1 / 300)
    alone = interpolation(
        one, one, "cross_entropy", x, y, points=2, within=0, low=0, high=1, backend="kernel"
    )
    assert float(alone["loss_0"]) == float(fast["loss_0"])  # equal weights, equal bits


def test_what_the_kernel_has_not_is_evaluated_by_pytorch_or_refused() -> None:
    one = cnn(norm=True)
    x, y = np.zeros((8, 1, 8, 8)), np.zeros(8, np.int64)
    with pytest.raises(MeasureError, match="kernel has not all"):
        interpolation(one, one, "cross_entropy", x, y, backend="kernel")


def test_state_dicts_of_shared_weights_and_of_passing_buffers_fit() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    network[2].weight = network[0].weight
    network.register_buffer("passing", torch.ones(1), persistent=False)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    found = interpolation(network, network.state_dict(), "mse", x, x, points=4, within=0)
    assert float(found["distance"]) == 0


def test_accuracy_of_single_logits() -> None:
    line = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Flatten(0))
    nn.init.constant_(line[0].weight, 1.0)
    x, y = torch.tensor([[1.0], [2.0], [-1.0], [3.0]]), torch.tensor([1, 1, 0, 0])

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype))

    found = interpolation(line, line, loss, x, y, points=4, within=0)
    assert float(found["accuracy_0"]) == 0.75


@pytest.mark.parametrize("setting", [{"path": "curve"}, {"backend": "cuda"}, {"batch_norm": "recomp"}])
def test_words_that_are_not_known_are_refused(setting) -> None:
    line = nn.Linear(1, 1)
    with pytest.raises(MeasureError, match="allowed"):
        interpolation(line, line, "mse", torch.ones(2, 1), torch.ones(2, 1), **setting)
