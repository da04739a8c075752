"""Trajectories against the singular value decomposition of full rows, and against their null."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pca_by_hand
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective, Part
from gradlab.measure.trajectory import trajectory

RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.normal(size=(4, 1, 50)) + 0.3 * RANDOM.normal(size=(4, 6, 50)).cumsum(axis=1)


def test_components_are_those_of_the_full_rows() -> None:
    found = trajectory(WEIGHTS, components=23)
    rows = WEIGHTS.reshape(24, 50)
    assert found["explained"].value == pytest.approx(pca_by_hand.shares(rows)[:23])
    assert found["explained"].places is not None
    assert found["explained"].places.tolist() == list(range(1, 24))
    own = np.mean([pca_by_hand.shares(run)[:5] for run in WEIGHTS], axis=0)
    assert found["own"].value == pytest.approx(own)
    assert found["own_explained_two"].value == pytest.approx(own[:2].sum())


def test_coordinates_are_rows_of_runs_one_after_the_other() -> None:
    found = trajectory(WEIGHTS, epochs=[3, 6, 9, 12, 15, 18])
    coordinates, on_plane = pca_by_hand.plane(WEIGHTS.reshape(24, 50))
    path = np.asarray(found["path"])
    assert np.abs(path) == pytest.approx(np.abs(coordinates))
    assert np.asarray(found["path_run"]).tolist() == [run for run in range(4) for _ in range(6)]
    assert np.asarray(found["path_epoch"]).tolist() == [3, 6, 9, 12, 15, 18] * 4
    assert path[np.abs(path).argmax(axis=0), [0, 1]].min() > 0  # the sign is fixed
    rows = WEIGHTS.reshape(24, 50)
    off = np.linalg.norm(rows - on_plane, axis=1) / np.linalg.norm(rows - rows.mean(0), axis=1)
    assert found["path_off_plane"].value == pytest.approx(off)
    assert found["off_plane"].value == pytest.approx(off.mean())


def test_variance_between_and_within_runs_is_all_of_it() -> None:
    found = trajectory(WEIGHTS)
    means = WEIGHTS.mean(axis=1)
    between = 6 * ((means - means.mean(0)) ** 2).sum() / ((WEIGHTS - WEIGHTS.mean((0, 1))) ** 2).sum()
    assert found["between"].value == pytest.approx(between)
    assert found["between"].value + found["within"].value == pytest.approx(1)


def test_initial_weights_are_left_out_of_the_analysis_but_stay_the_start() -> None:
    found, all_of, without = (
        trajectory(WEIGHTS, before=False),
        trajectory(WEIGHTS),
        trajectory(WEIGHTS[:, 1:]),
    )
    for name in ("explained", "own", "between", "off_plane", "path"):
        assert found[name].value == pytest.approx(np.asarray(without[name]))
    for name in ("end_spread", "separation", "path_length", "persistence"):
        assert found[name].value == all_of[name].value != without[name].value
    assert np.asarray(found["path_epoch"]).tolist() == [2, 3, 4, 5, 6] * 4


def test_training_that_goes_one_way_lies_above_the_null() -> None:
    common = RANDOM.normal(size=300)
    straight = RANDOM.normal(size=(6, 1, 300)) + np.arange(10.0)[:, None] * common
    found = trajectory(straight, draws=50)
    assert found["above_null"].value == 1.0
    assert found["move_cosine"].value == pytest.approx(1)
    assert found["persistence"].value == pytest.approx(1)
    assert not found.warnings


def test_eight_runs_that_hardly_move_explain_two_sevenths_whatever_they_do() -> None:
    still = RANDOM.normal(size=(8, 1, 20_000)) + 1e-3 * RANDOM.normal(size=(8, 10, 20_000)).cumsum(1)
    found = trajectory(still, draws=40)
    assert found["explained_two"].value == pytest.approx(2 / 7, abs=0.01)
    assert found["null_two"].value == pytest.approx(2 / 7, abs=0.01)
    assert found["between"].value > 0.999
    assert "random walks" in found.warnings[0]


def test_the_loss_on_the_path_beside_that_on_the_plane() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(30, 4), torch.randn(30, 2)
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    runs = [[_moved(network) for _ in range(4)] for _ in range(3)]
    before = copy.deepcopy(network.state_dict())
    objective = Objective(network, "mse", x, y)
    found = trajectory(runs, loss=objective, draws=5)
    flat = [
        [nn.utils.parameters_to_vector(each.parameters()).detach().double() for each in run] for run in runs
    ]
    rows = torch.stack(list(itertools.chain(*flat))).numpy()
    chosen = [*range(20), *range(25, 35)]  # weights without biases
    _, moved = pca_by_hand.plane(rows[:, chosen])
    on_plane = rows.copy()
    on_plane[:, chosen] = moved
    for name, table in (("loss_path", rows), ("loss_plane", on_plane)):
        losses = [float(objective.value(torch.from_numpy(row))) for row in table]
        assert found[name].value == pytest.approx(losses)
    assert found.gradients == pytest.approx(8)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_dead_run_that_stands_still_has_no_components_of_its_own() -> None:
    weights = WEIGHTS.copy()
    weights[2] = weights[2, :1] + 1 / 3  # what rounding leaves of its centred rows would have components
    found, alive = trajectory(weights, draws=20), trajectory(WEIGHTS[[0, 1, 3]], draws=20)
    assert found["own"].value == pytest.approx(np.asarray(alive["own"]))
    assert found["own_null_two"].value == pytest.approx(alive["own_null_two"].value, abs=0.03)
    still = np.repeat(WEIGHTS[:, :1], 5, axis=1)
    assert np.isnan(trajectory(still, draws=5)["own_explained_two"].value)
    assert trajectory(still, draws=5)["separation"].value == np.inf


def test_running_statistics_of_one_network_are_not_used_on_the_weights_of_others() -> None:
    networks = [[nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) for _ in range(2)] for _ in range(2)]
    found = trajectory(
        networks, loss=Objective(networks[0][0], "mse", torch.randn(6, 3), torch.randn(6, 4)), draws=5
    )
    assert "loss_path" not in found
    assert found.gradients == 0
    assert any("running statistics" in warning for warning in found.warnings)


def test_any_function_of_flat_weights_is_a_loss() -> None:
    found = trajectory(WEIGHTS[:, :, :2], loss=lambda rows: (rows**2).sum(axis=1), draws=5)
    assert found["loss_path"].value == pytest.approx((WEIGHTS[:, :, :2] ** 2).sum(2).ravel())
    assert found["loss_plane"].value == pytest.approx(np.asarray(found["loss_path"]))
    assert "2 weights" in found.warnings[0]


def test_weights_that_cannot_be_analysed_are_refused() -> None:
    diverged = WEIGHTS.copy()
    diverged[2, 4, 7] = np.nan
    for weights, said in (
        (diverged, "run 2 has weights that are not finite at point 4"),
        (np.ones((2, 3, 5)), "one point"),
        (WEIGHTS[0], "are \\[runs, points, D\\]"),
        (WEIGHTS[:, :1], "two points"),
        (WEIGHTS[:1, :2], "three rows"),
    ):
        with pytest.raises(MeasureError, match=said):
            trajectory(weights)
    with pytest.raises(MeasureError, match="layout is of 50 weights"):
        trajectory(WEIGHTS[:, :, :40], (Part("weight", 0, 50, (5, 10), False),))
    with pytest.raises(MeasureError, match="need the layout"):
        trajectory(WEIGHTS, parts="one")


def _moved(network: nn.Module) -> nn.Module:
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return other
