"""The loss of a network as a function of its flat weights: what every instrument of curvature looks at."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from gradlab.errors import MeasureError, nearest
from gradlab.measure.chain import chain_of, run
from gradlab.measure.data import as_tensor
from gradlab.measure.losses import Loss, criterion_of
from gradlab.measure.pieces import pieces
from gradlab.measure.preconditions import examine, private_copy, same_architecture
from gradlab.measure.rowwise import rowwise

__all__ = ["NETWORK", "Loss", "Objective", "Part"]

NETWORK = "network"
"""The part that is all of it."""
_AT_ONCE = 4096
"""Examples of a full pass that are in memory together, unless it is said otherwise."""
_NORMS = nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm  # pyright: ignore[reportPrivateUsage]
_DROPOUTS = nn.modules.dropout._DropoutNd  # pyright: ignore[reportPrivateUsage]


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
    r"""The mean loss of a network on fixed data, as a function of flat weights.

    The network is copied, set to evaluation mode and never changed: dropout is off and batch normalisation uses its
    running statistics. Frozen parameters and buffers stay as they are; a parameter that several layers share counts
    once; one that the loss does not depend on has a gradient of zero. Full passes go through the data in chunks whose
    losses are weighted by their size, so that a short last chunk counts for no more than its examples.

    Args:
        networks: A module, or several of one architecture, which are then looked at together.
        loss: "cross_entropy" (integer classes), "mse" (mean over all elements), or a function of outputs and
            targets that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets `[n]` or `[n, out]`.
        dtype: The type of weights and arithmetic.
        at_once: Examples in memory together in a full pass.
        weight_decay: \(\lambda\): adds \(\frac{\lambda}{2} \lVert \theta \rVert^2\) to the loss, over all trainable
            parameters.

    Attributes:
        weights: `[D]`, or `[M, D]` for several networks.
        parts: Where each parameter tensor lies in them.
        size: D.
        examples: n.
        settings: What any measurement of it should say: data, loss, dtype, mode, parameters.
        chain: The layers of a plain stack, `None` for other networks.
        known: What was found out about it once and holds for all weights, such as the memory that a pass takes.

    Raises:
        MeasureError: The network, the loss or the data cannot be measured; the text says why: a network that gives two
            answers to one input or mixes examples, a loss that is a sum, outputs that do not fit the targets,
            complex weights, nothing to train, networks of several architectures.

    Example:
        >>> import numpy as np
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
        weight_decay: float = 0.0,
    ) -> None:
        self.several = isinstance(networks, Sequence)
        every = list(networks) if isinstance(networks, Sequence) else [networks]
        same_architecture(every, dtype)
        self.network = private_copy(every[0], dtype)
        self.dtype, self.at_once, self.weight_decay = dtype, at_once, weight_decay
        self.parts = tuple(_parts(self.network))
        self.size = self.parts[-1].last if self.parts else 0
        if not self.size:
            raise MeasureError("the network has no trainable parameters: nothing to measure")
        device = next(self.network.parameters()).device
        self.x, self.y = as_tensor(x, dtype, device), as_tensor(y, dtype, device)
        if loss == "mse":  # whole numbers are targets as others are
            self.y = self.y.to(dtype)
        self.examples = len(self.x)
        self.criterion = criterion_of(loss)
        stacked = [_flat(network, self.parts, dtype) for network in every]
        self.weights = torch.stack(stacked) if self.several else stacked[0]
        fixed = [_fixed(network, dtype) for network in every]
        self._fixed = (
            {name: torch.stack([each[name] for each in fixed]) for name in fixed[0]}
            if self.several
            else fixed[0]
        )
        self.chain = chain_of(self.network)
        self._attends = any(isinstance(each, nn.MultiheadAttention) for each in self.network.modules())
        self.known: dict[str, float] = {}
        examine(self, every)
        self.settings = _settings(self, loss)

    def outputs(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """What the network gives: `[n, out]`, or `[M, n, out]` for weights `[M, D]`."""
        if weights.dim() == 2:
            return rowwise(self._one, (0, 0 if self.several else None, None), weights, self._fixed, x)
        if self.several and self._fixed:
            raise MeasureError(
                "one row of weights does not say which network's buffers belong to it: take one of `alone()`"
            )
        return self._one(weights, self._fixed, x)

    def loss(self, weights: torch.Tensor, chunk: slice | torch.Tensor | None = None) -> torch.Tensor:
        """The mean loss over some examples (a slice, or rows), or over all, differentiable: a scalar, or `[M]`."""
        x, y = (self.x, self.y) if chunk is None else (self.x[chunk], self.y[chunk])
        outputs = self.outputs(weights, x)
        found = (
            self.criterion(outputs, y)
            if weights.dim() == 1
            else rowwise(self.criterion, (0, None), outputs, y)
        )
        return found + self.weight_decay / 2 * (weights * weights).sum(dim=-1) if self.weight_decay else found

    def chunks(self) -> Iterator[tuple[slice, float]]:
        """The data in pieces, each with its share of the examples."""
        for chunk in pieces(self.examples, self.at_once):
            yield chunk, (chunk.stop - chunk.start) / self.examples

    def value(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean loss over all examples, without a graph: a scalar, or `[M]`."""
        total = weights.new_zeros(weights.shape[:-1])
        with torch.no_grad():
            for chunk, share in self.chunks():
                total += self.loss(weights, chunk) * share
        return total

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        """The gradient of the mean loss over all examples: `[D]`, or `[M, D]`; zero where the loss does not depend."""
        total = torch.zeros_like(weights)
        for chunk, share in self.chunks():
            at = weights.detach().requires_grad_()
            loss = self.loss(at, chunk).sum()
            if loss.requires_grad:
                total += torch.autograd.grad(loss, at)[0] * share
        return total

    def split(self, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        """Flat weights `[D]` as the network's parameters, by name."""
        return {part.name: weights[part.first : part.last].view(part.shape) for part in self.parts}

    def span(self, part: str = NETWORK) -> slice:
        """Where a part lies in flat weights.

        Args:
            part: "network", the name of a parameter tensor ("2.weight"), or of a layer with all of its own ("2").

        Returns:
            Its place.

        Raises:
            MeasureError: There is no such part.
        """
        if part == NETWORK:
            return slice(0, self.size)
        own = [each for each in self.parts if each.name == part or each.name.startswith(f"{part}.")]
        if own and own[-1].last - own[0].first == sum(each.last - each.first for each in own):
            return slice(own[0].first, own[-1].last)
        names = [each.name for each in self.parts]
        near = nearest(part, names)
        raise MeasureError(
            f"the network has no part {part!r}; allowed: {NETWORK}, {', '.join(names)}, or a layer's name"
            + (f"; did you mean {near!r}?" if near else "")
        )

    def alone(self) -> list[Objective]:
        """Each network as an objective of its own, on the same data."""
        if not self.several:
            return [self]
        found: list[Objective] = []
        for place, weights in enumerate(self.weights):
            other = copy.copy(self)
            other.several, other.weights = False, weights
            other._fixed = {name: tensor[place] for name, tensor in self._fixed.items()}
            found.append(other)
        return found

    def on(self, network: nn.Module) -> Objective:
        """The same loss on the same data, of another network."""
        return Objective(
            network, self.criterion, self.x, self.y,
            dtype=self.dtype, at_once=self.at_once, weight_decay=self.weight_decay,
        )  # fmt: skip

    def module(self, place: int = 0) -> nn.Module:
        """A copy of the network as it is measured, or of one of several: weights, buffers and mode."""
        weights = self.weights[place] if self.several else self.weights
        fixed = {name: tensor[place] for name, tensor in self._fixed.items()} if self.several else self._fixed
        network = copy.deepcopy(self.network)
        network.load_state_dict(self.split(weights) | fixed, strict=False)
        return network

    def _one(self, weights: torch.Tensor, fixed: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        tensors = self.split(weights) | fixed
        if self.chain is not None and not self._attends:
            return run(self.chain, tensors, x)
        with sdpa_kernel(SDPBackend.MATH):  # the other kernels of attention have no second derivative
            return functional_call(self.network, tensors, (x,))


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


def _settings(objective: Objective, loss: Loss) -> dict[str, str | int | float]:
    modules = list(objective.network.modules())
    settings: dict[str, str | int | float] = {
        "parameters": objective.size,
        "examples": objective.examples,
        "loss": loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__),
        "dtype": str(objective.dtype).removeprefix("torch."),
        "mode": "evaluation",
    }
    frozen = sum(p.numel() for p in objective.network.parameters() if not p.requires_grad)
    if frozen:
        settings["frozen"] = frozen
    if any(isinstance(module, _NORMS) for module in modules):
        settings["batch_norm"] = "running statistics"
    if any(isinstance(module, _DROPOUTS) for module in modules):
        settings["dropout"] = "off"
    if objective.weight_decay:
        settings["weight_decay"] = objective.weight_decay
    return settings
