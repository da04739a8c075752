"""The loss of a network as a function of its flat weights: what every instrument of curvature looks at."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.func import functional_call, vmap
from torch.nn import functional

from gradlab.errors import MeasureError

__all__ = ["Loss", "Objective", "Part"]

Loss = Literal["cross_entropy", "mse"] | Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A mean over examples: by name, or a function of outputs and targets."""

_AT_ONCE = 4096
"""Examples of a full pass that are in memory together, unless it is said otherwise."""


@dataclass(frozen=True)
class Part:
    """Where one parameter tensor lies in flat weights.

    Attributes:
        name: As in the network's `named_parameters()`.
        first: Where it begins.
        last: Where it ends (exclusive).
        shape: Its shape.
        bias: Whether it is a vector (a bias, or the scale and shift of a normalisation).
    """

    name: str
    first: int
    last: int
    shape: tuple[int, ...]
    bias: bool


class Objective:
    """The mean loss of a network on fixed data, as a function of flat weights.

    The network is copied, set to evaluation mode and never changed. Frozen parameters and buffers stay as they
    are. Full passes go through the data in chunks whose losses are weighted by their size, so that a short last
    chunk counts for no more than its examples.

    Args:
        networks: A module, or several of one architecture, which are then looked at together.
        loss: "cross_entropy" (integer classes), "mse" (mean over all elements), or a function of outputs and
            targets that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets `[n]` or `[n, out]`.
        dtype: The type of weights and arithmetic.
        at_once: Examples in memory together in a full pass.

    Attributes:
        weights: `[D]`, or `[M, D]` for several networks.
        parts: Where each parameter tensor lies in them.
        size: D.
        examples: n.

    Raises:
        MeasureError: The network gives two answers to one input, or the loss is not a mean over examples.

    Example:
        >>> line = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(line, "mse", np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]))
        >>> round(float(objective.loss(torch.tensor([1.0], dtype=torch.float64))), 4)
        2.5
    """

    def __init__(
        self,
        networks: nn.Module | Sequence[nn.Module],
        loss: Loss,
        x: NDArray[Any] | torch.Tensor,
        y: NDArray[Any] | torch.Tensor,
        *,
        dtype: torch.dtype = torch.float64,
        at_once: int = _AT_ONCE,
    ) -> None:
        self.several = not isinstance(networks, nn.Module)
        every = [networks] if isinstance(networks, nn.Module) else list(networks)
        self.network = copy.deepcopy(every[0]).to(dtype).eval()
        self.dtype = dtype
        self.x, self.y = _tensor(x, dtype), _tensor(y, dtype)
        self.criterion = _criterion(loss)
        self.at_once = at_once
        self.parts = tuple(_parts(self.network))
        self.size = self.parts[-1].last if self.parts else 0
        self.examples = len(self.x)
        stacked = [_flat(network, self.parts, dtype) for network in every]
        self.weights = torch.stack(stacked) if self.several else stacked[0]
        fixed = [_fixed(network, dtype) for network in every]
        self._fixed = (
            {name: torch.stack([each[name] for each in fixed]) for name in fixed[0]} if self.several else fixed[0]
        )
        self._examine()

    def outputs(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """What the network gives: `[n, out]`, or `[M, n, out]` for weights `[M, D]`."""
        if weights.dim() == 2:
            return vmap(self._one, in_dims=(0, 0 if self.several else None, None))(weights, self._fixed, x)
        return self._one(weights, self._fixed, x)

    def loss(self, weights: torch.Tensor, chunk: slice | None = None) -> torch.Tensor:
        """The mean loss over the examples of a chunk, or over all: a scalar, or `[M]`; can be differentiated."""
        x, y = (self.x, self.y) if chunk is None else (self.x[chunk], self.y[chunk])
        outputs = self.outputs(weights, x)
        if weights.dim() == 2:
            return vmap(self.criterion, in_dims=(0, None))(outputs, y)
        return self.criterion(outputs, y)

    def chunks(self) -> Iterator[tuple[slice, float]]:
        """The data in pieces, each with its share of the examples."""
        for first in range(0, self.examples, self.at_once):
            last = min(first + self.at_once, self.examples)
            yield slice(first, last), (last - first) / self.examples

    def value(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean loss over all examples, without a graph: a scalar, or `[M]`."""
        with torch.no_grad():
            return sum(  # pyright: ignore[reportReturnType]
                (self.loss(weights, chunk) * share for chunk, share in self.chunks()),
                start=torch.zeros(weights.shape[:-1], dtype=self.dtype),
            )

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        """The gradient of the mean loss over all examples: `[D]`, or `[M, D]`."""
        total = torch.zeros_like(weights)
        for chunk, share in self.chunks():
            at = weights.detach().requires_grad_()
            total += torch.autograd.grad(self.loss(at, chunk).sum(), at)[0] * share
        return total

    def split(self, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        """Flat weights `[D]` as the network's parameters, by name."""
        return {part.name: weights[part.first : part.last].view(part.shape) for part in self.parts}

    def _one(
        self, weights: torch.Tensor, fixed: dict[str, torch.Tensor], x: torch.Tensor
    ) -> torch.Tensor:
        return functional_call(self.network, self.split(weights) | fixed, (x,))

    def _examine(self) -> None:
        """Refuse what no instrument could be right on."""
        if not self.size:
            raise MeasureError("the network has no trainable parameters: nothing to measure")
        few = slice(0, min(self.examples, 64))
        with torch.no_grad():
            one, two = self.loss(self.weights, few), self.loss(self.weights, few)
            half = max(1, (few.stop + 1) // 3)
            parts = [slice(0, half), slice(half, few.stop)] if few.stop > 1 else [few]
            mean = sum(self.loss(self.weights, part) * (part.stop - part.start) / few.stop for part in parts)
        if not torch.equal(one, two):
            raise MeasureError(
                "the loss is not deterministic: two passes over the same examples differ, though the network is in "
                "evaluation mode; take what draws random numbers out of it"
            )
        if not torch.allclose(one, torch.as_tensor(mean), rtol=1e-4, atol=1e-12, equal_nan=True):
            raise MeasureError(
                "the loss is not a mean over examples: the losses of two parts of a batch do not average to that of "
                "the whole; use reduction='mean' and no statistics of the batch"
            )


def _parts(network: nn.Module) -> Iterator[Part]:
    first = 0
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            last = first + math.prod(parameter.shape)
            yield Part(name, first, last, tuple(parameter.shape), parameter.dim() < 2)
            first = last


def _flat(network: nn.Module, parts: Sequence[Part], dtype: torch.dtype) -> torch.Tensor:
    tensors = dict(network.named_parameters())
    return torch.cat([tensors[part.name].detach().reshape(-1).to(dtype) for part in parts])


def _fixed(network: nn.Module, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    frozen = {name: p.detach() for name, p in network.named_parameters() if not p.requires_grad}
    every = {**frozen, **dict(network.named_buffers())}
    return {name: t.clone().to(dtype) if t.is_floating_point() else t.clone() for name, t in every.items()}


def _tensor(values: NDArray[Any] | torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(values)) if isinstance(values, np.ndarray) else values.detach()
    return tensor.to(dtype) if tensor.is_floating_point() else tensor.long()


def _criterion(loss: Loss) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    if loss == "cross_entropy":
        return functional.cross_entropy
    if loss == "mse":
        return functional.mse_loss
    if callable(loss):
        return loss
    raise MeasureError(f"no loss is called {loss!r}; allowed: cross_entropy, mse, or a function of (outputs, targets)")
