"""A torch network whose weights lie in one flat array, as a state holds them, and their gradients in another.

Every optimizer here works on each number by itself, so that it needs no more than these two arrays.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.train.network import trainable, untrained
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FlatNetwork", "FlatOptimizer"]


class FlatNetwork:
    """A network on flat arrays; loading weights or zeroing gradients is one copy.

    Args:
        network: Any module; its trainable parameters become views.
        channels_last: Whether the weights of convolutions lie pixel by pixel, as PyTorch's memory format of that
            name has them. A state holds them channel by channel all the same.

    Attributes:
        network: The module.
        weights: `[D]`, its trainable parameters in its own order.
        gradient: `[D]`, into which backward passes add.
        layers: Number of layers: modules with parameters of their own.
    """

    def __init__(self, network: nn.Module, *, channels_last: bool = False) -> None:
        self.network = network
        parameters = trainable(network)
        self.weights = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
        self.gradient = torch.zeros_like(self.weights)
        places: list[torch.Tensor] = []
        first = 0
        for parameter in parameters:
            region = slice(first, first + parameter.numel())
            own = torch.arange(region.start, region.stop).view(parameter.shape)
            if channels_last and parameter.dim() == 4:
                own = own.permute(0, 2, 3, 1)
                parameter.data = self.weights[region].view(own.shape).permute(0, 3, 1, 2)
                parameter.grad = self.gradient[region].view(own.shape).permute(0, 3, 1, 2)
            else:
                parameter.data = self.weights[region].view(own.shape)
                parameter.grad = self.gradient[region].view(own.shape)
            places.append(own.reshape(-1))
            first = region.stop
        self._places = torch.cat(places) if channels_last else None
        if self._places is not None:
            self.weights.copy_(self.weights[self._places])
        owners: dict[str, int] = {}
        self._parts: list[tuple[int, int, int, int]] = []
        first = 0
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                owner, _, own_name = name.rpartition(".")
                part = (owners.setdefault(owner, len(owners)), int(not own_name.startswith("weight")))
                self._parts.append((*part, first, first + parameter.numel()))
                first += parameter.numel()
        self.layers = len(owners)

    def load(self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]) -> None:
        """Take other weights, and those buffers and frozen parameters that are named."""
        with torch.no_grad():
            self.weights.copy_(self.laid_out(weights))
            for name, tensor in untrained(self.network):
                if name in buffers:
                    tensor.copy_(torch.from_numpy(buffers[name].copy()).reshape(tensor.shape))

    def laid_out(self, values: NDArray[Any]) -> torch.Tensor:
        """A copy of one number a weight, from the order of a state to that of `weights`."""
        given = torch.from_numpy(values.copy())
        return given if self._places is None else given[self._places]

    def as_state(self, values: torch.Tensor) -> NDArray[Any]:
        """A copy of one number a weight, from the order of `weights` to that of a state."""
        if self._places is None:
            return values.detach().numpy().copy()
        return torch.empty_like(values).index_copy_(0, self._places, values.detach()).numpy()

    def buffers(self) -> dict[str, NDArray[Any]]:
        """Copies of the buffers and frozen parameters, by name."""
        return {name: tensor.detach().numpy().copy() for name, tensor in untrained(self.network)}

    def finite(self) -> bool:
        """Whether every weight is finite."""
        return bool(self.weights.isfinite().all())

    def squares(self) -> NDArray[np.float64]:
        """`[L, 2]`, squared norms of the gradients of each layer's `weight` and of its other parameters."""
        table = np.zeros((self.layers, 2))
        for layer, part, first, last in self._parts:
            table[layer, part] += float(self.gradient[first:last].double().square().sum())
        return table

    def mean_tensor_norm(self) -> float:
        """The mean over the parameter tensors of the norm of each one's gradient; a layer may lack a bias."""
        norms = [self.gradient[first:last].double().norm() for _, _, first, last in self._parts]
        return float(torch.stack(norms).mean())


class FlatOptimizer:
    """One of the `torch.optim` optimizers on flat weights, fused where PyTorch has it fused.

    Args:
        rule: The update rule.
        flat: Weights and gradient.
        state: Where the optimizer stands; its slots are copied.
    """

    def __init__(self, rule: SGD | Adam | AdamW | RMSprop, flat: FlatNetwork, state: State) -> None:
        self._flat = flat
        self._parameter = nn.Parameter(flat.weights)
        self._parameter.grad = flat.gradient
        self._optimizer = _made(rule, self._parameter)
        if state.updates:  # an optimizer that has taken no step makes its own zeros
            own = self._optimizer.state[self._parameter]
            if not isinstance(rule, SGD):
                own["step"] = torch.tensor(float(state.updates), dtype=torch.float32)
            for name, slot in state.slots.items():
                own[name] = flat.laid_out(slot)

    def rate(self, rate: float) -> None:
        """Set the learning rate."""
        self._optimizer.param_groups[0]["lr"] = rate

    def step(self) -> None:
        """Take one step down the gradient that is there."""
        self._optimizer.step()

    def slot(self, name: str) -> NDArray[Any]:
        """A copy of what is kept for each weight under a name; zeros before the first step."""
        found = self._optimizer.state[self._parameter].get(name)
        return self._flat.as_state(torch.zeros_like(self._flat.weights) if found is None else found)


def _made(rule: SGD | Adam | AdamW | RMSprop, parameter: nn.Parameter) -> torch.optim.Optimizer:
    shared: dict[str, Any] = {"lr": rule.lr, "weight_decay": rule.weight_decay}
    if isinstance(rule, SGD):
        return torch.optim.SGD(
            [parameter], momentum=rule.momentum, nesterov=rule.nesterov, fused=True, **shared
        )
    if isinstance(rule, RMSprop):
        return torch.optim.RMSprop(
            [parameter], alpha=rule.alpha, eps=rule.eps, momentum=rule.momentum, foreach=False, **shared
        )
    kind = torch.optim.AdamW if isinstance(rule, AdamW) else torch.optim.Adam
    return kind([parameter], betas=(rule.beta1, rule.beta2), eps=rule.eps, fused=True, **shared)
