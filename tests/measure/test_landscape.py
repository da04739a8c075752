"""Planes through a network: directions, grids, curvatures, and what other tools do instead."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from plain_paths import blobs, cnn, mlp, score, train
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.landscape import filter_normalised, landscape, principal_directions, random_directions
from gradlab.measure.objective import Objective

X, Y = blobs(60)
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 1, 8, 8)))
LABELS = torch.from_numpy(np.random.default_rng(1).integers(0, 3, 20))


def objective() -> Objective:
    return Objective(cnn(), "cross_entropy", IMAGES, LABELS)


def test_every_filter_of_a_direction_is_as_long_as_the_filter() -> None:
    found = objective()
    for direction in random_directions(found, 3).reshape(6, -1):
        for part in found.parts:
            own = found.weights[part.first : part.last].reshape(part.shape[0], -1)
            rows = direction[part.first : part.last].reshape(part.shape[0], -1)
            expected = torch.zeros(len(own)) if part.bias else own.norm(dim=1)
            np.testing.assert_allclose(rows.norm(dim=1), expected, rtol=1e-12)


def test_a_tensor_as_a_whole_is_no_filter_landscaper() -> None:
    """Rescaling whole tensors gives the right total and wrong filters."""
    found = objective()
    part = found.parts[0]
    direction = torch.from_numpy(np.random.default_rng(0).normal(size=found.size))
    own = found.weights[part.first : part.last].reshape(part.shape[0], -1)
    rows = direction[part.first : part.last].reshape(part.shape[0], -1)
    whole = (rows * own.norm() / rows.norm()).norm(dim=1)
    assert ((whole - own.norm(dim=1)).abs() / own.norm(dim=1)).max() > 0.05
    ours = filter_normalised(direction, found.weights, found.parts)[part.first : part.last]
    np.testing.assert_allclose(ours.reshape(part.shape[0], -1).norm(dim=1), own.norm(dim=1), rtol=1e-12)


def test_biases_and_normalisations_stay_and_zero_filters_get_nothing() -> None:
    network = cnn(norm=True)
    with torch.no_grad():
        network[0].weight[1] = 0
    found = Objective(network, "cross_entropy", IMAGES, LABELS)
    direction = random_directions(found, 1)[0, 0]
    for part in found.parts:
        if part.bias:
            assert (direction[part.first : part.last] == 0).all()
    assert torch.isfinite(direction).all()
    assert (direction[9:18] == 0).all()  # the second filter


def test_two_directions_are_nearly_orthogonal_loss_landscapes() -> None:
    """Uniform numbers on [0, 1) have a mean: two such directions have a cosine of 0.75."""
    wide = Objective(mlp(5, 200, 50, 3), "cross_entropy", X, Y)
    pairs = random_directions(wide, 10)
    cosines = torch.cosine_similarity(pairs[:, 0], pairs[:, 1], dim=1)
    assert cosines.abs().max() < 0.1
    uniform = torch.from_numpy(np.random.default_rng(0).random((2, wide.size)))
    assert float(torch.cosine_similarity(uniform[0], uniform[1], dim=0)) == pytest.approx(0.75, abs=0.02)


def test_directions_are_gaussian_in_every_filter() -> None:
    from scipy import stats

    wide = Objective(mlp(200, 40, 3), "cross_entropy", torch.zeros(3, 200), torch.arange(3))
    rows = random_directions(wide, 5)[:, :, : 200 * 40].reshape(10, 40, 200)
    rows = rows / wide.weights[: 200 * 40].reshape(40, 200).norm(dim=1)[:, None] * np.sqrt(200)
    assert stats.kstest(rows.reshape(-1)[::7].numpy(), "norm").pvalue > 0.01
    assert abs(float(rows.mean())) < 0.02


def test_pairs_are_the_same_however_many_are_drawn() -> None:
    found = objective()
    assert torch.equal(random_directions(found, 1)[0], random_directions(found, 3)[0])
    assert not torch.equal(random_directions(found, 1), random_directions(found, 1, seed=1))


def test_the_length_is_set_once_loss_landscapes() -> None:
    """A second rescaling, of the whole vector, would undo the first: a step of 1 is a filter's length."""
    found = objective()
    direction = random_directions(found, 1)[0, 0]
    weights = torch.cat([found.weights[p.first : p.last] for p in found.parts if not p.bias])
    assert float(direction.norm()) == pytest.approx(float(weights.norm()), rel=1e-12)


def test_every_cell_is_where_its_row_and_column_say_loss_landscapes() -> None:
    """A walk to and fro shifts every other column by a step; each cell is checked by itself."""
    network = train(mlp(5, 6, 3), X, Y, steps=30)
    found = landscape(network, "cross_entropy", X, Y, directions=2, points=5, span=0.5)
    task = Objective(network, "cross_entropy", X, Y)
    pairs, steps = random_directions(task, 2), np.asarray(found["coordinates"].value)
    np.testing.assert_array_equal(steps, [-0.5, -0.25, 0, 0.25, 0.5])
    for k, (u, v) in enumerate(pairs):
        for row, r in enumerate(steps):
            for column, c in enumerate(steps):
                expected = float(task.value(task.weights + r * u + c * v))
                assert np.asarray(found["loss"].value)[k, row, column] == pytest.approx(expected, rel=1e-12)


def test_rows_and_columns_are_not_swapped() -> None:
    """A network of two weights, whose loss depends on the first direction alone."""
    network = nn.Linear(2, 1, bias=False).double()
    x, y = torch.tensor([[1.0, 0.0]]), torch.zeros(1, 1)
    found = landscape(network, "mse", x, y, vectors=np.eye(2), points=3)
    grid = np.asarray(found["loss"].value)[0]
    assert np.ptp(grid, axis=1).max() == 0  # along columns nothing changes
    assert np.ptp(grid, axis=0).min() > 0
    first = float(network.weight.detach()[0, 0])
    np.testing.assert_allclose(grid[:, 0], [(first + r) ** 2 for r in (-1, 0, 1)])


def test_the_centre_is_the_network_itself() -> None:
    network = train(mlp(5, 6, 3), X, Y, steps=30)
    found = landscape(network, "cross_entropy", X, Y, directions=2, points=7)
    assert float(found["centre"]) == pytest.approx(score(network, X, Y)[0], rel=1e-14)
    assert (np.asarray(found["loss"].value)[:, 3, 3] == float(found["centre"])).all()
    with pytest.raises(MeasureError, match="no centre"):
        landscape(network, "cross_entropy", X, Y, points=20)


def test_no_noise_is_added_landscaper() -> None:
    network = train(mlp(5, 6, 3), X, Y, steps=30)
    one, two = (landscape(network, "cross_entropy", X, Y, directions=1, points=5) for _ in range(2))
    np.testing.assert_array_equal(one["loss"].value, two["loss"].value)


def test_curvature_is_that_of_the_exact_hessian() -> None:
    network = train(mlp(5, 4, 3), X, Y, steps=30)
    task = Objective(network, "cross_entropy", X, Y)
    hessian = torch.autograd.functional.hessian(task.loss, task.weights)
    found = landscape(network, "cross_entropy", X, Y, directions=3, points=3)
    expected = [float(d @ hessian @ d) for d in random_directions(task, 3).flatten(0, 1)]
    np.testing.assert_allclose(found["curvature"].value, expected, rtol=1e-10)


def test_a_quadratic_is_drawn_as_a_paraboloid() -> None:
    network = nn.Linear(5, 1, bias=False).double()
    target = torch.from_numpy(np.random.default_rng(3).normal(size=(60, 1)))
    found = landscape(network, "mse", X, target, directions=2, points=5)
    grid, steps = np.asarray(found["loss"].value), np.asarray(found["coordinates"].value)
    curvature = np.asarray(found["curvature"].value)
    second = np.diff(grid, 2, axis=1) / (steps[1] - steps[0]) ** 2
    np.testing.assert_allclose(second, np.broadcast_to(curvature[::2, None, None], second.shape))


def test_the_spread_tells_how_little_one_pair_says() -> None:
    network = train(mlp(5, 6, 3), X, Y, steps=30)
    found = landscape(network, "cross_entropy", X, Y, directions=4, points=5)
    rise = np.asarray(found["loss"].value).mean(axis=(1, 2)) - float(found["centre"])
    curvature = np.asarray(found["curvature"].value)
    assert float(found["rise_spread"]) == pytest.approx(rise.std(ddof=1) / rise.mean())
    assert float(found["spread"]) == pytest.approx(curvature.std(ddof=1) / np.abs(curvature).mean())
    assert min(float(found["spread"]), float(found["rise_spread"])) > 0.01
    assert np.isnan(float(landscape(network, "cross_entropy", X, Y, directions=1, points=3)["rise_spread"]))


def test_the_users_network_is_left_alone_loss_landscapes() -> None:
    network = mlp(5, 6, 3, norm=True).train()
    before = copy.deepcopy(network.state_dict())
    landscape(network, "cross_entropy", X, Y, directions=1, points=3)
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert network.training


def test_planes_of_given_vectors_go_through_other_networks() -> None:
    """The plane through three networks: its corners are they."""
    nets = [train(mlp(5, 6, 3, seed=s), X, Y, steps=30) for s in range(3)]
    flat = [nn.utils.parameters_to_vector(net.parameters()).detach().numpy() for net in nets]
    found = landscape(
        nets[0], "cross_entropy", X, Y, vectors=[flat[1] - flat[0], flat[2] - flat[0]], points=3
    )
    grid = np.asarray(found["loss"].value)[0]
    assert grid[2, 1] == pytest.approx(score(nets[1], X, Y)[0], rel=1e-12)
    assert grid[1, 2] == pytest.approx(score(nets[2], X, Y)[0], rel=1e-12)
    with pytest.raises(MeasureError, match=r"vectors must be \[2, 57\]"):
        landscape(nets[0], "cross_entropy", X, Y, vectors=np.zeros((2, 5)))


def test_principal_directions_are_those_of_the_singular_values() -> None:
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(size=(12, 300)), axis=0)
    found = principal_directions(path)
    _, _, rows = np.linalg.svd(path[:-1] - path[-1], full_matrices=False)
    np.testing.assert_allclose(np.abs(found @ rows[:2].T), np.eye(2), atol=1e-9)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)
    assert ((path[0] - path[-1]) @ found.T >= 0).all()
    with pytest.raises(MeasureError, match="no plane"):
        principal_directions(np.linspace(0, 1, 5)[:, None] * np.ones((1, 4)))


def test_statistics_of_normalisation_follow_the_weights_tomgoldstein() -> None:
    """Rescaled filters before a batch norm change nothing: a grid with statistics of the centre says otherwise."""
    network = cnn(norm=True)
    task = Objective(network, "cross_entropy", IMAGES, LABELS)
    scale = torch.zeros(task.size, dtype=torch.float64)
    scale[:36] = task.weights[:36]  # the first convolution's filters, made longer
    scale[36:40] = task.weights[36:40]
    vectors = torch.stack([scale, torch.zeros_like(scale)])
    kinds = {"vectors": vectors, "points": 3, "span": 0.5}
    ours = landscape(network, "cross_entropy", IMAGES, LABELS, **kinds)
    held = landscape(network, "cross_entropy", IMAGES, LABELS, batch_norm="first", **kinds)
    assert np.ptp(np.asarray(ours["loss"].value)[0, :, 0]) < 1e-3  # what epsilon leaves
    assert np.ptp(np.asarray(held["loss"].value)[0, :, 0]) > 10 * np.ptp(
        np.asarray(ours["loss"].value)[0, :, 0]
    )
    assert ours.settings["batch_norm"] == "recompute"
