"""Curves of low loss between two networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_paths import blobs, mlp, renormalised, shuffled, train
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.bezier import Curve, bezier, train_bend
from gradlab.measure.interpolation import interpolation


class Ring(nn.Module):
    """Two weights, whose loss is lowest on the unit circle: a straight line between opposite ends crosses a hill."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([a, b], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.at.square().sum()


ONES = torch.ones(4, 1, dtype=torch.float64)


def test_a_curve_goes_round_a_planted_barrier() -> None:
    ends = Ring(1.0, 0.1), Ring(-1.0, 0.1)
    line = interpolation(*ends, "mse", ONES, ONES, low=0, high=1, points=25, same_start=False)
    curve = bezier(*ends, "mse", ONES, ONES, points=25, same_start=False, updates=600, lr=0.05)
    assert float(line["barrier"]) > 0.95  # the middle of the line is at (0, 0.1), where the loss is 0.98
    assert float(curve["barrier"]) < 0.1  # no quadratic curve is a circle
    for end in ("loss_0", "loss_1"):
        assert float(curve[end]) == float(line[end])


def test_the_curve_is_bernsteins() -> None:
    ends = [{"w": torch.tensor([v], dtype=torch.float64)} for v in (1.0, 4.0)]
    curve = Curve(*ends, {"w": torch.tensor([10.0], dtype=torch.float64)})
    assert curve.at(0)["w"] is ends[0]["w"]
    assert curve.at(1)["w"] is ends[1]["w"]
    assert float(curve.at(0.25)["w"]) == pytest.approx(0.75**2 * 1 + 2 * 0.25 * 0.75 * 10 + 0.25**2 * 4)


def test_two_trained_networks_are_joined_and_left_as_they_are() -> None:
    x, y = blobs(200)
    one = train(mlp(5, 16, 16, 3), x, y)
    two = shuffled(one)
    before = [p.detach().clone() for net in (one, two) for p in net.parameters()]
    line = interpolation(one, two, "cross_entropy", x, y, low=0, high=1, points=25, same_start=False)
    curve = bezier(one, two, "cross_entropy", x, y, points=25, same_start=False, updates=300, batch_size=50)
    assert float(curve["barrier"]) < 0.2 * float(line["barrier"])
    assert curve.gradients == pytest.approx(300 * 50 / 200 + 25 / 3)
    assert (curve.settings["path"], curve.settings["bend_updates"]) == ("bezier", 300)
    after = [p.detach() for net in (one, two) for p in net.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_training_is_a_function_of_its_seed() -> None:
    x, y = blobs(100)
    one, two = mlp(5, 4, 3, seed=0), mlp(5, 4, 3, seed=1)
    with torch.random.fork_rng(devices=[]):
        bends = [
            train_bend(one, two, "cross_entropy", x, y, updates=20, batch_size=10, seed=s).bend
            for s in (0, 0, 1)
        ]
    assert all(torch.equal(bends[0][n], bends[1][n]) for n in bends[0])
    assert not all(torch.equal(bends[0][n], bends[2][n]) for n in bends[0])


def test_batch_norm_is_trained_on_batches_and_evaluated_with_statistics_of_its_own() -> None:
    x, y = blobs(200)
    one, two = (renormalised(train(mlp(5, 10, 3, seed=s, norm=True), x, y), x) for s in (0, 1))
    curve = bezier(one, two, "cross_entropy", x, y, points=25, same_start=False, updates=100)
    assert curve.settings["batch_norm"] == "recompute"
    assert np.isfinite(np.asarray(curve["loss"].value)).all()


def test_a_bend_that_runs_away_is_refused() -> None:
    with pytest.raises(MeasureError, match="diverged"):
        train_bend(Ring(1.0, 0.1), Ring(-1.0, 0.1), "mse", ONES, ONES, updates=50, lr=1e200)
