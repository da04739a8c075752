"""A network whose loss is a quadratic with a Hessian of one's choice, so that every answer has a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def bowl(hessian: NDArray[Any], minimum: Any, at: Any, floor: float = 0.0) -> tuple[nn.Module, Any, Any]:
    """A network with weights `at`, and data on which its mean squared error is floor + (w - m) H (w - m) / 2.

    The Hessian must be positive semidefinite.
    """
    values, vectors = np.linalg.eigh(hessian)
    size = len(values)
    root = (vectors * np.sqrt(np.maximum(values, 0) * size / 2)) @ vectors.T
    x, y = np.concatenate([root, -root]), np.concatenate([root @ minimum, -root @ minimum])
    # two examples of opposite inputs: what they are off by in common is no slope, and adds its square
    network = nn.Linear(size, 1, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor(at, dtype=torch.float64)[None])
    return network, x, (y + np.sqrt(floor))[:, None]


def random_hessian(size: int, seed: int) -> NDArray[np.float64]:
    """A dense positive definite matrix."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, size))
    return factor @ factor.T / size


def ball_maximum(hessian: NDArray[Any], slope: NDArray[Any], rho: float) -> float:
    """The largest slope e + e H e / 2 over |e| <= rho for positive definite H, by the secular equation."""
    values, vectors = np.linalg.eigh(hessian)
    g = vectors.T @ slope
    # on the sphere (mu - H) e = g with mu >= the largest eigenvalue; |e| falls with mu
    low, high = values[-1] * (1 + 1e-15) + 1e-300, values[-1] + np.linalg.norm(g) / rho + 1.0
    for _ in range(500):
        middle = (low + high) / 2
        longer = np.linalg.norm(g / (middle - values)) > rho
        low, high = (middle, high) if longer else (low, middle)
    e = g / (high - values)
    if abs(np.linalg.norm(e) - rho) > 1e-6 * rho:  # the hard case: add of the top eigenvector what is missing
        e[-1] = np.sqrt(max(rho**2 - (e[:-1] ** 2).sum(), 0.0))
    return float(g @ e + (values * e**2).sum() / 2)
