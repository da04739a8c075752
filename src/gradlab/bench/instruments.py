"""What curvature costs: products with the Hessian in gradients, and exact Hessians against torch's own.

Everything is on one thread and in seconds of processor time, which other work on the machine moves little; ratios are
of the shortest times.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

__all__ = ["NETWORK", "measure", "table"]

NETWORK = (1, 5, 10, 10, 10, 10, 10, 5, 1)
"""Widths of the reports' deep network: 571 parameters."""
POINTS = 500
PEER = "loop of torch.func.hessian and torch.linalg.eigvalsh"
_AIMS = 2.1, 5.0
_LAYOUTS = (NETWORK, (20, 40, 30, 10), (64, 128, 64, 10), (784, 100, 10))


def measure(networks: int = 100, repeats: int = 20, peers: int = 3) -> list[dict[str, Any]]:
    """Time products with Hessians, and the exact spectra of a fleet.

    Args:
        networks: Of the fleet.
        repeats: Turns of the products, and of the gradients beside them.
        peers: Networks on which torch's own way is timed.

    Returns:
        A row for each network whose products are timed: `name`, `gradients` (a product's time over a gradient's),
        `setup` (the graph's, in gradients), `seconds` of a gradient; and one of the fleet: `seconds` for each
        network, `peer`, `peer_seconds`, `ratio`, and `limit`, the seconds of the eigenvalues alone. `target` says
        what should be reached, `n` the turns or networks.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, of its forward mode
            torch.manual_seed(0)
            return [*_products(repeats), _fleet(networks, peers)]
    finally:
        torch.set_num_threads(threads)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines of text.

    >>> print(table([{"name": "product", "gradients": 1.2, "setup": 1.5, "seconds": 2e-3, "target": 2.1, "n": 20}]))
    product: 1.20 gradients (target 2.1), graph once 1.50; a gradient 2.00 ms, n = 20
    """
    lines: list[str] = []
    for row in rows:
        if "gradients" in row:
            cost = (
                f"{row['gradients']:.2f} gradients (target {row['target']:g}), graph once {row['setup']:.2f}"
            )
            lines.append(f"{row['name']}: {cost}; a gradient {row['seconds'] * 1e3:.2f} ms, n = {row['n']}")
        else:
            ours = f"{row['seconds'] * 1e3:.1f} ms a network ({row['limit'] * 1e3:.1f} of them eigenvalues)"
            peer = f"{row['peer']} {row['peer_seconds'] * 1e3:.1f} ms: {row['ratio']:.1f}x (target {row['target']:g}x)"
            lines.append(f"{row['name']}: {ours}, {peer}, n = {row['n']}")
    return "\n".join(lines)


def _products(repeats: int) -> Iterator[dict[str, Any]]:
    import torch

    from gradlab.measure.objective import Objective
    from gradlab.measure.products import product

    for widths in _LAYOUTS:
        regression = widths[-1] == 1
        x = torch.randn(POINTS if regression else 2000, widths[0])
        y = torch.randn(len(x), 1) if regression else torch.randint(0, widths[-1], (len(x),))
        dtype = torch.float64 if regression else torch.float32
        loss = "mse" if regression else "cross_entropy"
        objective = Objective(_network(widths), loss, x, y, dtype=dtype)
        weights, vector = objective.weights, torch.randn_like(objective.weights)
        multiply = product(objective, weights)
        times: dict[str, list[float]] = {"gradient": [], "product": [], "graph": []}
        for turn in range(repeats + 1):
            found = {
                "gradient": _seconds(partial(objective.gradient, weights)),
                "product": _seconds(partial(multiply, vector)),
                "graph": _seconds(partial(product, objective, weights)),
            }
            if turn:  # the first warms up
                for name, value in found.items():
                    times[name].append(value)
        gradient = min(times["gradient"])
        yield {
            "name": f"Hessian-vector product, {'-'.join(map(str, widths))}, {objective.examples:,} examples",
            "gradients": min(times["product"]) / gradient,
            "setup": min(times["graph"]) / gradient,
            "seconds": gradient,
            "target": _AIMS[0],
            "n": repeats,
        }


def _fleet(networks: int, peers: int) -> dict[str, Any]:
    import torch
    from torch.func import functional_call, hessian

    from gradlab.measure.hessian import hessian_matrix, spectrum_of
    from gradlab.measure.objective import Objective

    x = torch.linspace(-5, 5, POINTS, dtype=torch.float64)[:, None]
    y = torch.sinc(5 * x)
    every = [_network(NETWORK).double() for _ in range(networks)]
    spectrum_of(Objective(every[:1], "mse", x, y))  # warms up
    ours = _seconds(lambda: spectrum_of(Objective(every, "mse", x, y))) / networks

    def theirs(network: torch.nn.Module) -> None:
        names = [(name, p.shape) for name, p in network.named_parameters()]

        def loss(weights: torch.Tensor) -> torch.Tensor:
            pieces = weights.split([shape.numel() for _, shape in names])
            tensors = {name: piece.view(shape) for (name, shape), piece in zip(names, pieces, strict=True)}
            return torch.nn.functional.mse_loss(functional_call(network, tensors, (x,)), y)

        flat = torch.cat([p.detach().reshape(-1) for p in network.parameters()])
        torch.linalg.eigvalsh(hessian(loss)(flat))

    peer = min(_seconds(partial(theirs, network)) for network in every[:peers])
    matrix = hessian_matrix(Objective(every[0], "mse", x, y))
    limit = min(_seconds(partial(torch.linalg.eigvalsh, matrix)) for _ in range(3))
    return {
        "name": f"exact float64 Hessian and spectrum of {networks} networks of {len(matrix)} parameters",
        "seconds": ours,
        "limit": limit,
        "peer": PEER,
        "peer_seconds": peer,
        "ratio": peer / ours,
        "target": _AIMS[1],
        "n": networks,
    }


def _network(widths: tuple[int, ...]) -> Any:
    from torch import nn

    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
