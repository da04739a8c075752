"""Planes and lines through one network: ours and the package loss-landscapes against what they should be.

Both are given the same network, a multilayer perceptron in float64 on synthetic classes, and tell of every evaluation
at which weights it is made, so that cells, directions and ends are looked at themselves and not through the loss.
Rows say how far each is from the right answer, which is 0 in every one.
"""

from __future__ import annotations

import copy
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["PEER", "measure", "table"]

PEER = "loss-landscapes"

Array = np.ndarray[Any, np.dtype[Any]]

_CHECKS = {
    "cosine of two random directions": "absolute",
    "biases in a direction": "share of its length",
    "filters of a direction against the network's own": "relative, the worst",
    "length of a direction asked to be twice the network's": "relative",
    "cells away from where rows and columns say": "steps, the worst",
    "nearest cell to the network": "steps",
    "first point of a line from its start": "share of the line",
    "loss there against the start's": "relative",
    "user's network moved by a look at it": "distance, relative to its norm",
}
"""What is compared, and in what unit."""


def measure(points: int = 9, widths: tuple[int, ...] = (20, 40, 30, 10)) -> list[dict[str, Any]]:
    """Errors of both.

    Args:
        points: Along each side of a plane and along the line, odd.
        widths: Of the network.

    Returns:
        A row for each check: `name`, `unit`, `ours`, `peer` (the package and its version), `theirs` (None where the
        package is not installed). Every number would be 0.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours, theirs = _ours(points, widths), None
        if find_spec("loss_landscapes") is not None:
            theirs = _theirs(points, widths)
    finally:
        torch.set_num_threads(threads)
    peer = PEER if theirs is None else f"{PEER} {version(PEER)}"
    return [
        {
            "name": name,
            "unit": unit,
            "ours": ours[name],
            "peer": peer,
            "theirs": theirs[name] if theirs else None,
        }
        for name, unit in _CHECKS.items()
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines of text.

    >>> print(table([{"name": "cosine", "unit": "absolute", "ours": 0.01, "peer": "other 1.0", "theirs": 0.76}]))
    cosine (absolute): 0.01, other 1.0 0.76
    >>> print(table([{"name": "cosine", "unit": "absolute", "ours": 0.01, "peer": "other", "theirs": None}]))
    cosine (absolute): 0.01, other not installed
    """
    lines: list[str] = []
    for row in rows:
        theirs = "not installed" if row["theirs"] is None else f"{row['theirs']:.2g}"
        lines.append(f"{row['name']} ({row['unit']}): {row['ours']:.2g}, {row['peer']} {theirs}")
    return "\n".join(lines)


def _problem(widths: tuple[int, ...]) -> tuple[Any, Any, Any, Any]:
    """Two networks, inputs and labels."""
    import torch
    from torch import nn

    def network() -> nn.Module:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1]).double()

    generator = np.random.default_rng(0)
    x = torch.from_numpy(generator.normal(size=(200, widths[0])))
    y = torch.from_numpy(generator.integers(0, widths[-1], 200))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network(), network(), x, y


def _flat(network: Any) -> Array:
    return np.concatenate([p.detach().numpy().reshape(-1) for p in network.parameters()])


def _direction(direction: Array, other: Array, doubled: Array, network: Any) -> dict[str, float]:
    """What is wrong with a direction, given another one and one that would be as long as twice the network."""
    worst, biases, weights, first = 0.0, 0.0, 0.0, 0
    for parameter in network.parameters():
        own = parameter.detach().numpy()
        part = direction[first : first + own.size].reshape(own.shape)
        first += own.size
        if own.ndim > 1:
            lengths, goals = np.linalg.norm(part, axis=1), np.linalg.norm(own, axis=1)
            worst = max(worst, float(np.abs(lengths / goals - 1).max()))
            weights += float((own**2).sum())
        else:
            biases += float((part**2).sum())
    length = np.linalg.norm(direction)
    return {
        "cosine of two random directions": float(abs(direction @ other) / length / np.linalg.norm(other)),
        "biases in a direction": float(np.sqrt(biases) / length),
        "filters of a direction against the network's own": worst,
        "length of a direction asked to be twice the network's": float(
            abs(np.linalg.norm(doubled) / length / 2 - 1)
        ),
    }


def _cells(at: Array, network: Array) -> dict[str, float]:
    """From the weights `[rows, columns, D]` of every cell what the steps are and where cells lie."""
    across, down = at[0, 1] - at[0, 0], (at[2, 0] - at[0, 0]) / 2
    rows, columns = np.indices(at.shape[:2])
    said = at[0, 0] + rows[..., None] * down + columns[..., None] * across
    step = min(np.linalg.norm(across), np.linalg.norm(down))
    return {
        "cells away from where rows and columns say": float(np.linalg.norm(at - said, axis=-1).max() / step),
        "nearest cell to the network": float(np.linalg.norm(at - network, axis=-1).min() / step),
    }


def _ours(points: int, widths: tuple[int, ...]) -> dict[str, float]:
    from unittest.mock import patch

    from gradlab.measure.interpolation import interpolation
    from gradlab.measure.objective import Objective
    from gradlab.measure.scores import Change, Scorer, State

    planes: Any = import_module("gradlab.measure.landscape")  # the room gives the function by that name

    one, two, x, y = _problem(widths)
    before, names = _flat(one), [name for name, _ in one.named_parameters()]
    seen: list[Array] = []

    class Watched(Scorer):
        """Remembers the weights with which it is called."""

        def __call__(self, state: State, change: Change | None = None) -> dict[str, float]:
            seen.append(np.concatenate([state[name].numpy().reshape(-1) for name in names]))
            return super().__call__(state, change)

    with patch.object(planes, "Scorer", Watched):
        planes.landscape(one, "cross_entropy", x, y, directions=1, points=points)
    cells = seen[1:]  # the centre is evaluated first and not again, the others row by row
    cells.insert(points**2 // 2, seen[0])
    found = _cells(np.array(cells).reshape(points, points, -1), before)
    direction, other = planes.random_directions(Objective(one, "cross_entropy", x, y), 1)[0].numpy()
    seen.clear()
    with patch.object(planes, "Scorer", Watched):
        planes.landscape(one, "cross_entropy", x, y, directions=1, points=3, span=2)
    found |= _direction(direction, other, seen[-2] - before, one)  # the middle of the last row
    line = interpolation(
        one, two, "cross_entropy", x, y, low=0, high=1, points=points, within=0, same_start=False
    )
    first = float(np.asarray(line["loss"].places)[0])
    return found | _rest(one, before, first, float(np.asarray(line["loss"].value)[0]), (x, y))


def _theirs(points: int, widths: tuple[int, ...]) -> dict[str, float]:
    import torch

    package: Any = import_module("loss_landscapes")
    metrics: Any = import_module("loss_landscapes.metrics")
    one, two, x, y = _problem(widths)
    before = _flat(one)
    loss = metrics.Loss(torch.nn.functional.cross_entropy, x, y)
    seen: list[Array] = []

    def spy(wrapper: Any) -> float:
        seen.append(wrapper.get_module_parameters().as_numpy())
        return 0.0

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        package.random_plane(copy.deepcopy(one), spy, distance=1, steps=points, normalization="filter")
        at = np.array(seen).reshape(points, points, -1)
        at[1::2] = at[1::2, ::-1]  # as it files them: every other column is walked backwards
        directions: list[Array] = []
        for distance in (1, 1, 2):
            seen.clear()
            package.random_line(
                copy.deepcopy(one), spy, distance=distance, steps=points, normalization="filter"
            )
            directions.append(seen[-1] - before)
    found = _cells(at, before) | _direction(directions[0], directions[1], directions[2], one)
    seen.clear()
    package.linear_interpolation(copy.deepcopy(one), two, spy, steps=points)
    way, whole = seen[0] - before, _flat(two) - before
    used = copy.deepcopy(one)
    values = package.linear_interpolation(used, two, loss, steps=points)
    rest = _rest(one, before, float(way @ whole / (whole @ whole)), float(values[0]), (x, y))
    moved = float(np.linalg.norm(_flat(used) - before) / np.linalg.norm(before))
    return found | rest | {"user's network moved by a look at it": moved}


def _rest(network: Any, before: Array, first: float, value: float, data: tuple[Any, Any]) -> dict[str, float]:
    import torch

    with torch.no_grad():
        start = float(torch.nn.functional.cross_entropy(network(data[0]), data[1]))
    return {
        "first point of a line from its start": first,
        "loss there against the start's": abs(value / start - 1),
        "user's network moved by a look at it": float(
            np.linalg.norm(_flat(network) - before) / np.linalg.norm(before)
        ),
    }
