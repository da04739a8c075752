"""Instruments against exact answers: closed forms, and Hessians computed by their definition in float64.

Two small trained networks are shared with other benchmarks: `reg` is a tanh network of 571 parameters that learns
sin(5 pi x) / (5 pi x), `cls` a ReLU network 20-40-30-10 of 2,380 parameters that learns ten Gaussian classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Case", "Row", "classes", "eigenvalues_of", "measure", "regression", "table"]


@dataclass(frozen=True)
class Row:
    """One value of an instrument beside its exact answer.

    Attributes:
        name: The value.
        network: What it is of.
        exact: The right answer.
        ours: What the instrument says.
        gradients: What it cost, in full-batch gradients; 0 for further values of one measurement.
        limit: The relative error that is tolerated: rounding of what is exact, `None` for what is random.
        size: What the error is relative to; the exact answer's magnitude (or 1 where that is 0) if `None`.
        covered: The share of repeats whose stated 95 % interval holds the exact answer.
        repeats: How many.
    """

    name: str
    network: str
    exact: float
    ours: float
    gradients: float = 0.0
    limit: float | None = 1e-9
    size: float | None = None
    covered: float | None = None
    repeats: int = 1

    @property
    def error(self) -> float:
        """Relative to the exact answer."""
        return abs(self.ours - self.exact) / (self.size or abs(self.exact) or 1.0)

    @property
    def holds(self) -> bool:
        """Whether the error is tolerable, and the interval covers in at least 90 % of repeats."""
        near = self.limit is None or self.error <= self.limit
        return near and (self.covered is None or self.covered >= COVERAGE)


COVERAGE = 0.9
"""Repeats whose 95 % interval must hold the exact answer."""


def measure(updates: int = 300, repeats: int = 120) -> list[dict[str, Any]]:
    """Hold every instrument against its exact answer.

    Args:
        updates: Of training before the network `reg` is looked at.
        repeats: Seeds of what is random.

    Returns:
        A row for each value: the attributes of `Row`, and `error`, `holds`.
    """
    import torch

    from gradlab.bench import exact_curvature, exact_paths, exact_sharpness

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows: list[Row] = []
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            case = regression(updates)
            rows += exact_curvature.rows(case, repeats)
            rows += exact_sharpness.rows(repeats)
            rows += exact_paths.rows()
    finally:
        torch.set_num_threads(threads)
    return [vars(row) | {"error": row.error, "holds": row.holds} for row in rows]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `measure` as lines of text.

    >>> row = Row("trace", "bowl", 5.5, 5.51, gradients=20, limit=None, covered=0.95, repeats=200)
    >>> print(table([vars(row) | {"error": row.error, "holds": row.holds}]))
    value  network  exact  ours  error    limit  covers          gradients
    trace  bowl     5.5    5.51  1.8e-03  -      95.0 % of 200          20
    1 of 1 hold
    """
    head = ("value", "network", "exact", "ours", "error", "limit", "covers", "gradients")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [
        "  ".join([
            *(cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=False)),
            line[-1].rjust(widths[-1]),
        ])
        for line in cells
    ]
    return "\n".join([*lines, f"{sum(bool(row['holds']) for row in rows)} of {len(rows)} hold"])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    covers = "-" if row["covered"] is None else f"{100 * row['covered']:.1f} % of {row['repeats']}"
    return (
        row["name"],
        row["network"],
        f"{row['exact']:.5g}",
        f"{row['ours']:.5g}",
        f"{row['error']:.1e}",
        "-" if row["limit"] is None else f"{row['limit']:.0e}",
        covers + ("" if row["holds"] else " FAILS"),
        f"{row['gradients']:,.0f}" if row["gradients"] else "-",
    )


@dataclass(frozen=True)
class Case:
    """A network with its data.

    Attributes:
        name: `reg` or `cls`.
        network: Trained, float64.
        criterion: Its loss, a module.
        loss: The loss by our name.
        x: Inputs, a tensor.
        y: Targets, a tensor.
    """

    name: str
    network: Any
    criterion: Any
    loss: str
    x: Any
    y: Any

    @cached_property
    def eigenvalues(self) -> Array:
        """Those of the Hessian, rising."""
        return eigenvalues_of(self.network, self.criterion, self.x, self.y)


def regression(updates: int) -> Case:
    """The network `reg`, after so many updates of full-batch Adam."""
    import torch
    from torch import nn

    x = torch.linspace(-5, 5, 500, dtype=torch.float64)[:, None]
    return _trained(
        "reg", (1, 5, 10, 10, 10, 10, 10, 5, 1), nn.Tanh, nn.MSELoss(), x, torch.sinc(5 * x), updates
    )


def classes(updates: int) -> Case:
    """The network `cls`, after a thirtieth of so many updates of full-batch Adam."""
    import torch
    from torch import nn

    generator = np.random.default_rng(0)
    labels = np.arange(500) % 10
    x = generator.normal(0.0, 0.7, (10, 20))[labels] + generator.normal(size=(500, 20))
    data = torch.from_numpy(x), torch.from_numpy(labels)
    return _trained("cls", (20, 40, 30, 10), nn.ReLU, nn.CrossEntropyLoss(), *data, max(1, updates // 30))


def _trained(
    name: str, widths: tuple[int, ...], activation: Any, criterion: Any, x: Any, y: Any, updates: int
) -> Case:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, width in pairwise(widths):
        layers += [nn.Linear(inputs, width, dtype=torch.float64), activation()]
    network = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(updates):
        optimizer.zero_grad()
        criterion(network(x), y).backward()
        optimizer.step()
    loss = "mse" if name == "reg" else "cross_entropy"
    return Case(name, network, criterion, loss, x, y)


def eigenvalues_of(network: Any, criterion: Any, x: Any, y: Any) -> Array:
    """Eigenvalues of all second derivatives of a loss, each computed by itself: rising."""
    import torch
    from torch.func import functional_call

    names, tensors = zip(*network.named_parameters(), strict=True)
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])

    def loss(weights: Any) -> Any:
        pieces = weights.split([tensor.numel() for tensor in tensors])
        given = {n: piece.view_as(t) for n, piece, t in zip(names, pieces, tensors, strict=True)}
        return criterion(functional_call(network, given, (x,)), y)

    hessian = torch.autograd.functional.hessian(loss, flat).numpy()
    return np.linalg.eigvalsh((hessian + hessian.T) / 2)
