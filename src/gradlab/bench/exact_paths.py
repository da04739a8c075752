"""Trajectories, lines between networks, normalisation, alignment, planes and rank agreement against exact answers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradlab.bench.exact import Row

__all__ = ["rows"]


def rows() -> Iterator[Row]:
    """Every value of paths, lines and planes that has a closed form or can be planted.

    Yields:
        The rows.
    """
    yield from _trajectory()
    yield from _lines()
    yield from _normalisation()
    yield from _alignment()
    yield from _planes()
    yield from _ranks()


def _trajectory() -> Iterator[Row]:
    from gradlab.measure.trajectory import trajectory
    from gradlab.measure.walk import random_walk_share

    drawn = np.random.default_rng(3)
    weights = drawn.normal(size=(4, 1, 50)) + 0.3 * drawn.normal(size=(4, 6, 50)).cumsum(axis=1)
    whole = weights.reshape(24, 50)
    squares = np.linalg.svd(whole - whole.mean(axis=0), compute_uv=False) ** 2
    shares = squares / squares.sum()
    found = trajectory(weights, components=5)
    ours = np.asarray(found["explained"].value)
    for k in range(2):
        yield Row(f"share of component {k + 1}", "4 runs of 6 points", shares[k], ours[k], found.gradients)
    walk = random_walk_share(1, 300, 1_000_000, draws=5)
    for k, value in enumerate(np.asarray(walk["explained"].value)[:3], start=1):
        yield Row(
            f"null: share of component {k}", "one long walk", 6 / (np.pi * k) ** 2, float(value), 0.0, 0.01
        )


def _lines() -> Iterator[Row]:
    import torch
    from torch import nn

    from gradlab.measure.barrier import barrier
    from gradlab.measure.interpolation import interpolation

    drawn = np.random.default_rng(0)
    x = torch.from_numpy(drawn.normal(size=(40, 5)))
    target = torch.from_numpy(drawn.normal(size=(40, 2)))
    one, two = (nn.Linear(5, 2).double() for _ in range(2))
    found = interpolation(one, two, "mse", x, target, points=31, within=0, same_start=False)
    with torch.no_grad():
        first, step = one(x) - target, two(x) - one(x)
    alphas = np.asarray(found["loss"].places)
    exact = np.array([float((first + float(a) * step).square().mean()) for a in alphas])
    worst = float(np.abs(np.asarray(found["loss"].value) / exact - 1).max())
    yield Row("loss on a line, the worst off by", "linear 5-2", 0.0, worst, found.gradients, 1e-12)
    ends = float(np.abs(alphas[:, None] - np.array([0.0, 1.0])).min(axis=0).max())
    yield Row("alphas 0 and 1 off the grid by", "linear 5-2", 0.0, ends, limit=0.0)

    class Square(nn.Module):
        """x w^2: the weights 1 and -1 are one function, and 0 between them another."""

        def __init__(self, weight: float) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([weight], dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.weight**2

    ones = torch.ones(4, 1, dtype=torch.float64)
    hill = barrier(Square(-1.0), Square(1.0), "mse", ones, ones, same_start=False)
    yield Row("barrier", "x w^2 from -1 to 1", 1.0, float(hill["barrier"]), hill.gradients, 1e-12)


def _normalisation() -> Iterator[Row]:
    import torch
    from torch import nn

    from gradlab.measure.batch_norm import with_statistics

    network = nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3), nn.BatchNorm1d(3)
    ).double()
    x = torch.from_numpy(np.random.default_rng(0).normal(1, 2, (90, 4)))
    found: Any = with_statistics(network, x, at_once=7)
    with torch.no_grad():
        first = network[0](x).numpy()
        mean, spread = first.mean(axis=0), first.var(axis=0, ddof=1)  # as evaluation mode divides by
        hidden = torch.tanh(torch.from_numpy((first - mean) / np.sqrt(spread + 1e-5)))
        second = network[3](hidden).numpy()
    for layer, seen, name in ((found[1], first, "first"), (found[4], second, "second")):
        for what, ours, exact in (
            ("mean", layer.running_mean.numpy(), seen.mean(axis=0)),
            ("variance", layer.running_var.numpy(), seen.var(axis=0, ddof=1)),
        ):
            worst = float(np.abs(ours - exact).max())
            yield Row(
                f"{name} layer's {what}, recomputed", "batch norm 4-6-3", 0.0, worst, 0.0, 1e-10,
                float(np.abs(exact).max()),
            )  # fmt: skip


def _alignment() -> Iterator[Row]:
    import torch
    from torch import nn

    from gradlab.measure.alignment import align

    network = nn.Sequential(
        nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 3)
    ).double()
    other: Any = copy.deepcopy(network)
    drawn = np.random.default_rng(1)
    with torch.no_grad():
        for before, after, units in ((0, 2, 12), (2, 4, 9)):
            order = torch.from_numpy(drawn.permutation(units))
            other[before].weight.copy_(other[before].weight[order])
            other[before].bias.copy_(other[before].bias[order])
            other[after].weight.copy_(other[after].weight[:, order])
    x = torch.from_numpy(drawn.normal(size=(200, 5)))
    for method in ("weights", "activations"):
        found = align(network, other, x, method=method)
        yield Row(
            f"distance once aligned by {method}", "5-12-9-3, units shuffled", 0.0, found.distance, 0.0, 1e-12,
            found.distance_before,
        )  # fmt: skip
        yield Row("outputs moved by it", "5-12-9-3, units shuffled", 0.0, found.identity_error, 0.0, 1e-12)


def _planes() -> Iterator[Row]:
    import torch
    from torch import nn

    from gradlab.measure.landscape import landscape, random_directions
    from gradlab.measure.objective import Objective

    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    drawn = np.random.default_rng(0)
    x, y = torch.from_numpy(drawn.normal(size=(60, 5))), torch.from_numpy(drawn.integers(0, 3, 60))
    objective = Objective(network, "cross_entropy", x, y)
    hessian: Any = torch.autograd.functional.hessian(objective.loss, objective.weights)
    found = landscape(network, "cross_entropy", x, y, directions=2, points=3)
    ours = np.asarray(found["curvature"].value)
    for place, direction in enumerate(random_directions(objective, 2).flatten(0, 1)):
        cost = found.gradients if place == 0 else 0.0
        yield Row(
            f"d'Hd of direction {place + 1}",
            "5-4-3",
            float(direction @ hessian @ direction),
            ours[place],
            cost,
        )


def _ranks() -> Iterator[Row]:
    """Four configurations of two hyperparameters; one of six pairs is ranked the other way round."""
    from gradlab.measure.against_gap import against_gap

    columns = {"lr": [0, 0, 1, 1], "batch": [0, 1, 0, 1]}
    found = against_gap(columns, [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0], draws=99)
    name = "4 configurations by hand"
    yield Row("Kendall's tau", name, 4 / 6, found.tau.value)
    yield Row("psi where only lr changes", name, 1.0, found.psi["lr"].value)
    yield Row("psi where only batch changes", name, 0.0, found.psi["batch"].value)
    yield Row("granulated Psi", name, 0.5, found.granulated.value)
