"""Sensitivity, Jacobians and sharpness against closed forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradlab.bench.exact import Row

__all__ = ["bowl", "rows"]

Array = np.ndarray[Any, np.dtype[Any]]

_T = 1.99
"""What 95 % of Student's t with some hundred degrees of freedom lie within."""
_DIAGONAL = np.array([4.0, 1.0, 0.5])
_AT = np.array([1.0, -2.0, 3.0])


def bowl(diagonal: Array, minimum: Array, at: Array) -> tuple[Any, Array, Array]:
    """A linear network with weights `at`, and data on which its squared error is the sum of d (w - m)^2 / 2."""
    import torch
    from torch import nn

    root = np.diag(np.sqrt(diagonal * len(diagonal) / 2))
    network = nn.Linear(len(diagonal), 1, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(at)[None])
    return network, root, (root @ minimum)[:, None]


def rows(repeats: int) -> Iterator[Row]:
    """Every value of sensitivity and sharpness that has a closed form.

    Args:
        repeats: Seeds of what is random.

    Yields:
        The rows.
    """
    yield from _jacobian()
    yield from _sensitivity(repeats)
    yield from _sharpness(repeats)
    yield from _noise(repeats)


def _jacobian() -> Iterator[Row]:
    from torch import nn

    from gradlab.measure.jacobian import jacobian

    drawn = np.random.default_rng(0)
    x, y = drawn.normal(size=(40, 3)), drawn.integers(0, 4, 40)
    line = nn.Linear(3, 4).double()
    weight, bias = (tensor.detach().numpy() for tensor in (line.weight, line.bias))
    powers = np.exp(x @ weight.T + bias)
    shares = powers / powers.sum(axis=1, keepdims=True)
    norms = [np.linalg.norm((np.diag(p) - np.outer(p, p)) @ weight) for p in shares]
    found = jacobian(line, "cross_entropy", x, y)
    name = "linear 3-4, softmax"
    yield Row(
        "Jacobian of probabilities", name, float(np.mean(norms)), float(found["jacobian"]), found.gradients
    )
    yield Row(
        "Jacobian of logits", name, float(np.linalg.norm(weight)), float(found["jacobian_logits"]), limit=1e-9
    )


def _sensitivity(repeats: int) -> Iterator[Row]:
    """Of a linear network with squared errors, whose gradients are written out."""
    import torch
    from torch import nn

    from gradlab.measure.objective import Objective
    from gradlab.measure.sensitivity import sensitivity, sensitivity_of

    drawn = np.random.default_rng(0)
    x, y = drawn.normal(size=(60, 3)), drawn.normal(size=(60, 1))
    line = nn.Linear(3, 1).double()
    with torch.no_grad():
        off = (line(torch.from_numpy(x)) - torch.from_numpy(y)).numpy()
    each = 2 * off * np.hstack([x, np.ones((60, 1))])
    mean = each.mean(axis=0)
    noise = float(((each - mean) ** 2).sum(axis=1).mean())
    slope = float(np.linalg.norm(line.weight.detach().numpy()))
    found = sensitivity(line, "mse", x, y, draws=60)
    name = "linear 3-1, squared error"
    by_tensor = (np.linalg.norm(mean[:3]) + abs(mean[3])) / 2
    truths = {
        "fixed": float(by_tensor),
        "gradient": float(np.linalg.norm(mean)),
        "input_gradient": float(np.abs(2 * off).mean()) * slope,
        "noise": noise,
    }
    for place, (value, truth) in enumerate(truths.items()):
        cost = found.gradients if place == 0 else 0.0
        yield Row(f"sensitivity: {value}", name, truth, float(found[value]), cost)
    objective = Objective(line, "mse", x, y)
    batch = 4
    expected = float(mean @ mean + noise / batch * (60 - batch) / 59)
    squares = [
        sensitivity_of(objective, sizes=(batch,), draws=60, seed=seed)[0]["minibatch_squared"]
        for seed in range(repeats)
    ]
    yield _covered(f"squared norm on minibatches of {batch}", name, expected, squares, 0.0)


def _sharpness(repeats: int) -> Iterator[Row]:
    """At the minimum of a quadratic."""
    from gradlab.measure.objective import Objective
    from gradlab.measure.sharpness import sharpness, sharpness_of

    network, x, y = bowl(_DIAGONAL, _AT, _AT)
    name = "quadratic of 3 weights"
    found = sharpness(network, "mse", x, y, rho=0.1, rho_adaptive=0.2, steps=80, samples=50, noise=50)
    box = 100 * float((_DIAGONAL * (1e-3 * (np.abs(_AT) + 1)) ** 2).sum()) / 2
    scaled = _DIAGONAL * _AT**2
    sure = {
        "keskar": (box, 1e-6),
        "sam": (0.01 * 4 / 2, 1e-4),
        "adaptive": (0.04 * float(scaled.max()) / 2, 1e-3),
        "trace": (5.5, 1e-9),
        "largest": (4.0, 1e-9),
    }
    for place, (value, (truth, limit)) in enumerate(sure.items()):
        cost = found.gradients if place == 0 else 0.0
        yield Row(f"sharpness: {value}", name, truth, float(found[value]), cost, limit)
    objective = Objective(network, "mse", x, y)
    drawn = [
        sharpness_of(
            objective, rho=0.1, rho_adaptive=0.2, steps=1, restarts=1, samples=50, noise=2, worst=False,
            curvature=False, directions=1, seed=seed,
        )[0]
        for seed in range(repeats)
    ]  # fmt: skip
    for value, truth in (("sam_average", 0.01 * 5.5 / 6), ("adaptive_average", 0.04 * scaled.sum() / 6)):
        yield _covered(f"sharpness: {value}", name, float(truth), [each[value] for each in drawn], 0.0)


def _noise(repeats: int) -> Iterator[Row]:
    """A classifier of one weight is wrong on all examples with probability 0.1 at sigma = w / 1.2816."""
    import torch
    from scipy.stats import norm
    from torch import nn

    from gradlab.measure.objective import Objective
    from gradlab.measure.pac_bayes import pac_bayes_of

    class Sign(nn.Module):
        """Class 1 where w x > 0."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([-self.weight * x, self.weight * x], dim=1)

    x = np.array([[-1.0], [1.0], [2.0], [-0.5]])
    objective = Objective(Sign(), "cross_entropy", x, (x[:, 0] > 0).astype(np.int64))
    drawn = [pac_bayes_of(objective, samples=200, worst=False, seed=seed)[0] for seed in range(repeats)]
    sigma = [each["pac_bayes_sigma"] for each in drawn]
    cost = drawn[0].gradients
    yield _covered("PAC-Bayes sigma", "classifier of one weight", 0.5 / float(norm.ppf(0.9)), sigma, cost)
    worst = pac_bayes_of(objective)[0]
    yield Row(
        "largest relative change borne", "classifier of one weight", 0.5, float(worst["worst_alpha"]),
        worst.gradients, 2e-3,
    )  # fmt: skip


def _covered(name: str, network: str, exact: float, found: list[Any], cost: float) -> Row:
    values = np.array([float(np.ravel(np.asarray(each.value))[0]) for each in found])
    errors = np.array([float(np.ravel(np.asarray(each.error))[0]) for each in found])
    inside = float((np.abs(values - exact) <= _T * errors).mean())
    return Row(name, network, exact, float(values[0]), cost, None, covered=inside, repeats=len(found))
