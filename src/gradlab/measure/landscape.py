"""The loss on planes through a network: filter-normalised random directions, or directions that are given."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.batch_norm import Policy
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss, Objective, Part
from gradlab.measure.scores import Backend, Scorer, private_state
from gradlab.randomness import generator

__all__ = ["filter_normalised", "landscape", "principal_directions", "random_directions"]

Floats = NDArray[np.float64]

_FORWARDS: Final = 1 / 3
"""Of a gradient, nominal."""


def filter_normalised(
    direction: torch.Tensor, weights: torch.Tensor, parts: tuple[Part, ...]
) -> torch.Tensor:
    """Rescale a direction so that each filter's part has the norm of that filter of the weights (Li 2018).

    A filter is what one unit takes: a row of a fully connected layer, one output channel's kernels. Biases and the
    scales and shifts of normalisations stay where they are: their part is zero. A filter of zeros gets a zero
    direction. Nothing is rescaled afterwards.

    Args:
        direction: `[D]`.
        weights: `[D]`.
        parts: Where each tensor lies in them.

    Returns:
        `[D]`.

    Example:
        >>> row = (Part("w", 0, 4, (2, 2), bias=False),)
        >>> filter_normalised(torch.tensor([3.0, 4, 0, 1]), torch.tensor([0.0, 10, 2, 0]), row)
        tensor([6., 8., 0., 2.])
    """
    found = torch.zeros_like(direction)
    for part in parts:
        if part.bias:
            continue
        place = slice(part.first, part.last)
        rows, own = direction[place].reshape(part.shape[0], -1), weights[place].reshape(part.shape[0], -1)
        norms = rows.norm(dim=1, keepdim=True)
        scaled = torch.where(norms > 0, rows / norms.clamp_min(1e-300) * own.norm(dim=1, keepdim=True), 0.0)
        found[place] = scaled.reshape(-1)
    return found


def random_directions(objective: Objective, pairs: int, seed: int = 0) -> torch.Tensor:
    """Pairs of Gaussian directions, filter-normalised; pair k is the same however many are drawn.

    Args:
        objective: The network's.
        pairs: How many.
        seed: Of the draws.

    Returns:
        `[pairs, 2, D]`; in high dimension the two of a pair are almost orthogonal.
    """
    drawn = [
        generator(seed, "probe", "landscape", index=k).standard_normal((2, objective.size))
        for k in range(pairs)
    ]
    every = torch.from_numpy(np.stack(drawn)).to(objective.dtype)
    return torch.stack([
        torch.stack([filter_normalised(d, objective.weights, objective.parts) for d in pair])
        for pair in every
    ])


def principal_directions(path: NDArray[Any] | torch.Tensor) -> Floats:
    """The two directions in which a path of weights extends most, seen from its last point.

    Args:
        path: Flat weights `[T, D]`, at least three points.

    Returns:
        Orthonormal `[2, D]`, from the differences to the last row through the Gram matrix (Li 2018); the sign is that
        in which the first point lies at a coordinate that is not negative.

    Raises:
        MeasureError: The path does not extend in two directions.

    Example:
        >>> principal_directions(np.array([[4.0, 0, 0], [0, 1, 0], [0, 0, 0]])).round(6).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    rows = np.asarray(path, np.float64)
    rows = rows[:-1] - rows[-1]
    values, vectors = np.linalg.eigh(rows @ rows.T)
    if len(values) < 2 or values[-2] <= 1e-14 * values[-1]:
        raise MeasureError("the path lies on a line or a point: it spans no plane")
    found = (vectors[:, [-1, -2]].T @ rows) / np.sqrt(values[[-1, -2]])[:, None]
    signs = np.where(found @ rows[0] < -1e-12, -1.0, 1.0)
    return found * signs[:, None]


def landscape(
    module: nn.Module, loss: Loss, x: Any, y: Any, *, directions: int = 3, span: float = 1.0, points: int = 21,
    vectors: Any = None, batch_norm: Policy = "recompute", statistics: int = 2048, seed: int = 0,
    at_once: int | None = None, backend: Backend = "auto",
) -> Measurement:  # fmt: skip
    """The loss on planes through a network's weights, and the curvature along their directions.

    A plane is theta + r u + c v. The grid is symmetric and has its centre, the network itself, exactly: an even number
    of points is refused. Several pairs of directions are drawn, as one says little of a space of thousands of
    dimensions; what differs between them is given as spread. Filter normalisation takes away the scale of rectified
    layers, not every way of writing one function with other weights.

    Args:
        module: The network; it is copied and not changed.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Inputs `[n, ...]`, without augmentation.
        y: Targets.
        directions: Pairs of random directions.
        span: The grid goes from -span to span along both; at 1 a filter's change is as long as the filter.
        points: Along each side, odd.
        vectors: Directions of one's own instead, `[2, D]` or `[pairs, 2, D]` over the trainable parameters in order,
            taken as they are (of `principal_directions`, or from one network to two others).
        batch_norm: Where batch-norm statistics come from on the grid.
        statistics: Examples over which they are recomputed.
        seed: Of the directions and examples.
        at_once: Examples in memory together.
        backend: "auto", "torch" or "kernel".

    Returns:
        `loss` `[pairs, rows, columns]` along "pair": rows are steps along the first direction, columns along the
        second, both at `coordinates`; `coordinates`; `centre`, the loss there; `curvature` along "direction", u and v
        of each pair in turn: d^T H d at the centre (float64, batch-norm statistics held), with `spread`, the standard
        deviation of the curvatures over their mean size; `cosine` of the two of each pair; `rise`, the mean over
        each plane of the loss above the centre, with `rise_spread`, its standard deviation over its mean.

    Raises:
        MeasureError: The grid has no centre, or vectors do not fit the network.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> _ = net.weight.data.fill_(2.0)
        >>> found = landscape(net, "mse", np.ones((2, 1)), np.zeros((2, 1)), directions=1, points=3)
        >>> float(found["centre"]), sorted(found["loss"].value[0, :, 1].tolist())  # one weight: 0, 2 and 4
        (4.0, [0.0, 4.0, 16.0])
    """
    if points < 3 or points % 2 == 0:
        raise MeasureError(f"{points} points have no centre: take an odd number, 3 or more")
    if directions < 1:
        raise MeasureError("at least one pair of directions is needed")
    objective = Objective(module, loss, x, y)
    chosen = random_directions(objective, directions, seed) if vectors is None else _given(vectors, objective)
    half = np.arange(1, points // 2 + 1) / (points // 2) * span
    steps = np.concatenate([-half[::-1], [0.0], half])
    scorer = Scorer(
        module, loss, x, y, batch_norm=batch_norm, statistics=statistics, seed=seed, at_once=at_once, backend=backend,
        weights=len(chosen) * points**2,
    )  # fmt: skip
    state = private_state(module)
    centre = scorer(state)["loss"]
    grid = np.full((len(chosen), points, points), centre)
    for k, (u, v) in enumerate(chosen):
        for row, r in enumerate(steps):
            for column, c in enumerate(steps):
                if r != 0 or c != 0:
                    moved = objective.split(objective.weights + float(r) * u + float(c) * v)
                    cast = {name: w.to(state[name].dtype) for name, w in moved.items()}
                    grid[k, row, column] = scorer(state | cast)["loss"]
    curvature = np.array([_curvature(objective, d) for d in chosen.flatten(0, 1)])
    rise = grid.mean(axis=(1, 2)) - centre
    pairs = np.arange(len(chosen), dtype=np.float64)
    cosines = [float(torch.cosine_similarity(u, v, dim=0)) for u, v in chosen]

    def along(values: Floats, means: str) -> Value:
        return Value(values, means, axis="pair", places=pairs)

    values = {
        "loss": along(grid, "mean loss at theta + r u + c v: rows r, columns c, from -span to span"),
        "coordinates": Value(steps, "r of the rows and c of the columns", axis="step", places=steps),
        "centre": Value(centre, "mean loss of the network itself"),
        "curvature": Value(
            curvature,
            "d^T H d at the centre: loss by squared step",
            axis="direction",
            places=np.arange(len(curvature), dtype=np.float64),
        ),
        "spread": Value(_spread(curvature), "standard deviation of the curvatures over their mean size"),
        "cosine": along(np.array(cosines), "cosine of u and v"),
        "rise": along(rise, "mean of the plane's loss above the centre's"),
        "rise_spread": Value(_spread(rise), "standard deviation of the rise over pairs, over its mean size"),
    }
    normalised = "none in the network" if not scorer.normalised else batch_norm
    settings: dict[str, str | int | float] = {
        "directions": "given" if vectors is not None else "Gaussian, filter-normalised",
        "pairs": len(chosen), "span": span, "points": points, "batch_norm": normalised, "examples": objective.examples,
        "backend": scorer.backend, "dtype": str(next(module.parameters()).dtype).removeprefix("torch."),
    }  # fmt: skip
    # A second derivative along a line goes back twice through the network: 2 gradients, nominal.
    return Measurement("landscape", values, settings, scorer.gradients + 2 * curvature.size)


def _curvature(objective: Objective, direction: torch.Tensor) -> float:
    """d^T H d: the second derivative of the loss along a direction, at the network."""
    total = 0.0
    for chunk, share in objective.chunks():
        t = torch.zeros((), dtype=objective.dtype, requires_grad=True)
        value = objective.loss(objective.weights + t * direction, chunk)
        (slope,) = torch.autograd.grad(value, t, create_graph=True)
        if slope.requires_grad:
            total += float(torch.autograd.grad(slope, t)[0]) * share
    return total


def _spread(values: Floats) -> float:
    size = np.abs(values).mean()
    return float(values.std(ddof=1) / size) if len(values) > 1 and size > 0 else float("nan")


def _given(vectors: Any, objective: Objective) -> torch.Tensor:
    every = torch.as_tensor(np.asarray(vectors, np.float64)).to(objective.dtype)
    every = every[None] if every.dim() == 2 else every
    if every.dim() != 3 or every.shape[1:] != (2, objective.size):
        raise MeasureError(
            f"vectors must be [2, {objective.size}] or [pairs, 2, {objective.size}], not {list(every.shape)}"
        )
    return every
