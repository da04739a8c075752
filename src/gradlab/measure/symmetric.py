"""A symmetric matrix that is known by its products with vectors, and those of a network's loss."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import NETWORK, Loss, Objective
from gradlab.measure.products import Curvature, product
from gradlab.randomness import generator

__all__ = [
    "Symmetric",
    "columns_of",
    "curvatures_of",
    "dense",
    "gaussian",
    "objective_of",
    "rademacher",
]

_SMALL = 20_000
_TOGETHER = 128


@dataclass(frozen=True)
class Symmetric:
    """A symmetric matrix A, as a function that multiplies by it.

    Attributes:
        apply: Takes `[n]` or a block `[n, k]` and gives A times it, in the same shape.
        size: n.
        dtype: The type that `apply` takes.
        gradients: What a product with one vector counts as, in full-batch gradients.
        setup: What was spent before the first product, likewise.

    Example:
        >>> matrix = dense(np.diag([1.0, 2.0]))
        >>> matrix.columns(torch.eye(2, dtype=torch.float64)).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """

    apply: Callable[[torch.Tensor], torch.Tensor]
    size: int
    dtype: torch.dtype = torch.float64
    gradients: float = 0.0
    setup: float = 0.0

    def cost(self, products: int) -> float:
        """What so many products and what came before them count as, in full-batch gradients."""
        return self.setup + products * self.gradients

    def columns(self, block: torch.Tensor) -> torch.Tensor:
        """A times a float64 block `[n, k]`, as float64 whatever the type of the products.

        Raises:
            MeasureError: A product is not finite.
        """
        found = self.apply(block.to(self.dtype)).to(torch.float64)
        if not bool(torch.isfinite(found).all()):
            raise MeasureError(
                "a product with the matrix is not finite: the weights, the data or the loss hold infinities or NaN, "
                "or the network diverged"
            )
        return found


def dense(matrix: NDArray[np.float64]) -> Symmetric:
    """A matrix of numbers as a `Symmetric`, with which estimators are checked."""
    tensor = torch.from_numpy(np.ascontiguousarray(matrix, np.float64))
    return Symmetric(lambda block: tensor @ block, len(matrix))


def columns_of(matrix: Symmetric) -> NDArray[np.float64]:
    """The whole matrix `[n, n]`, from its products with the unit vectors; not symmetrised."""
    parts = torch.eye(matrix.size, dtype=torch.float64).split(_TOGETHER, dim=1)
    return torch.cat([matrix.columns(part) for part in parts], dim=1).numpy()


def curvatures_of(objective: Objective, part: str = NETWORK, of: Curvature = "loss") -> Iterator[Symmetric]:
    """The curvature of each network of an objective at its weights, one after another.

    Args:
        objective: One network, or several.
        part: "network", the name of a parameter tensor or of a layer: the diagonal block that belongs to it.
        of: The Hessian of the "loss", or its "gauss_newton" part.

    Yields:
        A matrix for each network; its graphs are kept while it is in use.
    """
    for alone in objective.alone():
        apply = product(alone, alone.weights, of=of, part=part)
        yield Symmetric(apply, apply.size, alone.dtype, apply.gradients, apply.setup)


def objective_of(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    dtype: torch.dtype | None = None,
) -> Objective:
    """A user's network as an objective: in float64 under 20,000 parameters, else float32, unless a type is given.

    Raises:
        MeasureError: The network, the loss or the data cannot be measured.
    """
    if dtype is None:
        small = sum(p.numel() for p in network.parameters() if p.requires_grad) < _SMALL
        dtype = torch.float64 if small else torch.float32
    return Objective(network, loss, x, y, dtype=dtype)


def gaussian(size: int, columns: int, seed: int, name: str, index: int = 0) -> torch.Tensor:
    """Standard normal numbers `[size, columns]` at an address, float64."""
    return torch.from_numpy(generator(seed, "probe", name, index=index).standard_normal((size, columns)))


def rademacher(size: int, columns: int, seed: int, name: str, index: int = 0) -> torch.Tensor:
    """Signs `[size, columns]` at an address, float64; a column does not depend on how many there are."""
    signs = generator(seed, "probe", name, index=index).integers(0, 2, (columns, size), np.int8)
    return torch.from_numpy((2.0 * signs - 1.0).T.copy())
