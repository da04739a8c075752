"""Symmetric matrices of chosen eigenvalues, and the Hessian of a network by the definition: slow, obvious."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.func import functional_call

Array = NDArray[np.float64]


def with_spectrum(eigenvalues: Array, seed: int = 0) -> Array:
    """A matrix with these eigenvalues and random eigenvectors."""
    count = len(eigenvalues)
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((count, count)))[0]
    whole = vectors * eigenvalues @ vectors.T
    return (whole + whole.T) / 2


def bulk_and_outliers(count: int = 300) -> Array:
    """The shape that networks have: most near zero, of both signs, and a few far out. Rising."""
    bulk = np.random.default_rng(1).normal(0.0, 0.1, count - 8)
    return np.sort(np.concatenate([[100.0, 50.0, 49.9, 20.0, 10.0], bulk, [-3.0, -5.0, -5.5]]))


def hessian_of(network: nn.Module, criterion: nn.Module, x: Array, y: NDArray[np.generic]) -> Array:
    """All second derivatives of the mean loss by the parameters in their order, float64."""
    network = network.double()
    names = [name for name, _ in network.named_parameters()]
    shapes = [parameter.shape for parameter in network.parameters()]
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in network.parameters()])
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def loss(weights: torch.Tensor) -> torch.Tensor:
        pieces = weights.split([shape.numel() for shape in shapes])
        tensors = {name: piece.view(shape) for name, piece, shape in zip(names, pieces, shapes, strict=True)}
        return criterion(functional_call(network, tensors, (inputs,)), targets)

    return torch.autograd.functional.hessian(loss, flat).numpy()


def plain_lanczos(matrix: Array, start: Array, steps: int) -> tuple[Array, Array]:
    """Diagonal and off-diagonal of the three-term recurrence without re-orthogonalisation."""
    diagonal, beside = np.zeros(steps), np.zeros(steps - 1)
    now, before = start / np.linalg.norm(start), np.zeros_like(start)
    for step in range(steps):
        image = matrix @ now - (beside[step - 1] * before if step else 0.0)
        diagonal[step] = image @ now
        image -= diagonal[step] * now
        if step + 1 < steps:
            beside[step] = np.linalg.norm(image)
            before, now = now, image / beside[step]
    return diagonal, beside
