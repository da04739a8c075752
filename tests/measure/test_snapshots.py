"""Modules and state dicts as rows of weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.snapshots import flat_runs, losses_of
from gradlab.measure.trajectory import trajectory


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_modules_and_their_state_dicts_give_the_same_rows() -> None:
    runs = [[_network() for _ in range(3)] for _ in range(2)]
    rows, layout = flat_runs(runs)
    again, same = flat_runs([[copy.deepcopy(each.state_dict()) for each in run] for run in runs])
    assert np.array_equal(rows, again)
    assert layout == same
    assert rows.shape == (2, 3, 12 + 4 + 4 + 4 + 8 + 2)
    assert rows.dtype == np.float32
    assert layout == Objective(runs[0][0], "mse", torch.randn(8, 3), torch.randn(8, 2)).parts


def test_running_statistics_are_no_weights() -> None:
    network = _network()
    network[1].running_mean += 1e6
    rows, _ = flat_runs([[network.state_dict()]])
    assert np.abs(rows).max() < 10


def test_frozen_parameters_of_modules_are_left_out() -> None:
    network = _network()
    network[0].weight.requires_grad_(False)
    _, layout = flat_runs([[network]])
    assert [part.name for part in layout] == ["0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]


def test_an_objective_is_a_function_of_rows() -> None:
    network = _network()
    objective = Objective(network, "mse", torch.randn(8, 3), torch.randn(8, 2), dtype=torch.float32)
    rows, _ = flat_runs([[network, network]])
    losses = losses_of(objective)(rows[0].astype(np.float64))
    assert losses == pytest.approx(float(objective.value(objective.weights)))


def test_snapshots_of_different_networks_are_refused() -> None:
    with pytest.raises(MeasureError, match="snapshot 1 of run 0 is of another network"):
        flat_runs([[nn.Linear(2, 2), nn.Linear(2, 3)]])
    with pytest.raises(MeasureError, match="equally many snapshots"):
        flat_runs([[nn.Linear(2, 2)], []])


def test_three_lines_on_any_network() -> None:
    runs = [[nn.Linear(3, 2) for _ in range(3)] for _ in range(2)]
    found = trajectory(runs, biases=True, draws=5)
    assert found.settings["dimension"] == 8
    assert found["explained"].value.sum() == pytest.approx(1)
