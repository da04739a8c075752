"""The five largest eigenvalues of a 784-256-128-10 network on all 60,000 MNIST images: ours and PyHessian's.

Both work in float32 on one thread, on the whole set, with the graph of the gradient kept: PyHessian takes all images
as one batch, which is its fastest way. Seconds are of processor time, which other work on the machine moves little.
Residuals |Hv - lambda v| of both are computed afterwards by one judge, in float64 and in plain PyTorch, as shares of
the largest eigenvalue.
"""

from __future__ import annotations

import copy
import os
import time
import warnings
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["PEER", "WIDTHS", "measure", "table"]

PEER = "PyHessian"
WIDTHS, COUNT, BATCH = (784, 256, 128, 10), 5, 64


def measure(
    images: int | None = None, widths: tuple[int, ...] = WIDTHS, epochs: int = 1
) -> list[dict[str, Any]]:
    """Time both and judge their residuals.

    Args:
        images: How many (60,000): the first of MNIST's where GRADLAB_DATA is set, else synthetic ones.
        widths: The network's.
        epochs: Of training before.

    Returns:
        One row: `name`, `seconds`, `residual` (the worst of five), `products`, `peer`, and its `peer_seconds`,
        `peer_residual` and `ratio`, None where PyHessian is not installed. `data` says which images.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the peer's own
            x, y, data = _images(images, widths[0], widths[-1])
            network = _trained(widths, x, y, epochs)
            row: dict[str, Any] = {"data": data, **_ours(network, x, y)}
            row["name"] = f"{COUNT} largest eigenvalues, {'-'.join(map(str, widths))}, {len(x):,} images"
            return [row | _theirs(network, x, y, float(row["seconds"]))]
    finally:
        torch.set_num_threads(threads)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines of text.

    >>> row = {"name": "top 5", "seconds": 18.0, "residual": 1e-6, "products": 17, "data": "MNIST", "peer": "other 1.0"}
    >>> print(table([row | {"peer_seconds": 63.0, "peer_residual": 0.02, "ratio": 3.5}]))
    top 5 (MNIST): 18.0 s, residual 1.0e-06, 17 products; other 1.0 63.0 s, residual 2.0e-02: 3.5x
    >>> print(table([row | {"peer_seconds": None, "peer_residual": None, "ratio": None}]))
    top 5 (MNIST): 18.0 s, residual 1.0e-06, 17 products; other 1.0 not installed
    """
    lines: list[str] = []
    for row in rows:
        ours = f"{row['seconds']:.1f} s, residual {row['residual']:.1e}, {row['products']} products"
        peer = "not installed"
        if row["ratio"] is not None:
            peer = f"{row['peer_seconds']:.1f} s, residual {row['peer_residual']:.1e}: {row['ratio']:.1f}x"
        lines.append(f"{row['name']} ({row['data']}): {ours}; {row['peer']} {peer}")
    return "\n".join(lines)


def _images(images: int | None, inputs: int, classes: int) -> tuple[Any, Any, str]:
    """Images in [0, 1], labels, and what they are."""
    import torch

    from gradlab.task import MNIST
    from gradlab.task.data import build_data

    if (inputs, classes) == (784, 10) and os.environ.get(
        "GRADLAB_DATA"
    ):  # nothing is fetched for a benchmark
        found = build_data(MNIST(), {"data": 0}, 0.0)
        x = torch.from_numpy(np.asarray(found.x, np.float32)).reshape(len(found.x), -1)[:images]
        return x, torch.from_numpy(np.asarray(found.y, np.int64))[:images], "MNIST"
    generator, count = np.random.default_rng(0), images or 60_000
    labels = generator.integers(0, classes, count)
    x = generator.random((classes, inputs), np.float32)[labels] + generator.random(
        (count, inputs), np.float32
    )
    return torch.from_numpy(x / 2), torch.from_numpy(labels), "synthetic images"


def _trained(widths: tuple[int, ...], x: Any, y: Any, epochs: int) -> Any:
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, width in pairwise(widths):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(network(x[chosen]), y[chosen]).backward()
            optimizer.step()
    return network


def _ours(network: Any, x: Any, y: Any) -> dict[str, Any]:
    import torch

    from gradlab.measure.lanczos import top_eigenvalues

    begun = time.process_time()
    found = top_eigenvalues(network, "cross_entropy", x, y, k=COUNT, dtype=torch.float32, vectors=True)
    seconds = time.process_time() - begun
    values, vectors = np.asarray(found["top"].value), np.asarray(found["vectors"].value)
    return {
        "seconds": seconds,
        "residual": _worst(network, x, y, values, vectors),
        "stated": float(found["residual"]),
        "products": int(found.settings["products"]),
    }


def _theirs(network: Any, x: Any, y: Any, seconds: float) -> dict[str, Any]:
    if find_spec("pyhessian") is None:
        return {"peer": PEER, "peer_seconds": None, "peer_residual": None, "ratio": None}
    import torch
    from torch import nn

    torch.manual_seed(1)
    copied = copy.deepcopy(network)
    begun = time.process_time()
    hessian = import_module("pyhessian").hessian(copied, nn.CrossEntropyLoss(), data=(x, y), cuda=False)
    values, pieces = hessian.eigenvalues(top_n=COUNT)
    spent = time.process_time() - begun
    del hessian
    copied.zero_grad(set_to_none=True)  # it leaves the gradient's graph there
    vectors = np.array([torch.cat([piece.detach().reshape(-1) for piece in each]).numpy() for each in pieces])
    return {
        "peer": f"{PEER} {version('pyhessian')}",
        "peer_seconds": spent,
        "peer_residual": _worst(network, x, y, np.array(values), vectors),
        "ratio": spent / seconds,
    }


def _worst(network: Any, x: Any, y: Any, values: Array, vectors: Array) -> float:
    """The worst residual of some pairs over the largest value, by double differentiation in float64."""
    import torch
    from torch.nn import functional

    double = copy.deepcopy(network).double()
    parameters = list(double.parameters())
    unit = torch.from_numpy(vectors.astype(np.float64))
    unit /= torch.linalg.norm(unit, dim=1, keepdim=True)
    total = torch.zeros_like(unit)
    for first in range(0, len(x), 2048):
        inputs, targets = x[first : first + 2048].double(), y[first : first + 2048]
        loss = functional.cross_entropy(double(inputs), targets, reduction="sum") / len(x)
        slope = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters, create_graph=True)])
        for place, vector in enumerate(unit):
            pieces = torch.autograd.grad(slope @ vector, parameters, retain_graph=True)
            total[place] += torch.cat([piece.reshape(-1) for piece in pieces])
    off = torch.linalg.norm(total - torch.from_numpy(values)[:, None] * unit, dim=1)
    return float(off.max() / np.abs(values).max())
