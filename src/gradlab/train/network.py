"""Declared networks as `torch.nn.Module`s, with dropout whose masks have an address."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gradlab.model.cnn import CNN
from gradlab.model.layers import Conv, Dense, Drop, Layer, Norm, Pool
from gradlab.model.mlp import MLP
from gradlab.train.dropout import keep_mask, mask_base, mask_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AddressedDropout", "build_network", "load", "set_address", "trainable", "untrained"]


class AddressedDropout(nn.Dropout):
    """Dropout that in training draws its mask from (seed, epoch, step), which `set_address` sets.

    Without an address it is `nn.Dropout`.

    Args:
        p: Probability that a value is dropped.
        index: Which of the network's dropout layers it is.
    """

    def __init__(self, p: float, index: int) -> None:
        super().__init__(p)
        self.index = index
        self.address: tuple[int, int, int] | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """The values with some of them zero, if in training; examples lie along the first axis."""
        if not self.training or self.address is None:
            return super().forward(input)
        seed, epoch, step = self.address
        rows = len(input)
        base = mask_base(mask_key(seed), epoch, step, self.index)
        kept = torch.from_numpy(keep_mask(base, self.p, input[0].numel(), rows))
        factors = kept.t().to(device=input.device, dtype=input.dtype).mul_(1 / (1 - self.p))
        return input * factors.reshape(input.shape)


def set_address(network: nn.Module, seed: int, epoch: int, step: int) -> None:
    """Say which masks the dropout layers of a network draw in the next forward pass.

    Args:
        network: From `build_network`; in any other module nothing happens.
        seed: The run's `dropout` seed.
        epoch: Completed epochs when the epoch began.
        step: Index of the batch in the epoch.
    """
    for module in network.modules():
        if isinstance(module, AddressedDropout):
            module.address = (seed, epoch, step)


def build_network(
    model: MLP | CNN, shape: tuple[int, ...], outputs: int, dtype: torch.dtype = torch.float32
) -> nn.Sequential:
    """A declared network; its weights are any, and torch's own generator is left as it was.

    Args:
        model: The declaration.
        shape: Shape of one example.
        outputs: Numbers that the network gives for an example.
        dtype: Of weights and arithmetic.

    Returns:
        Layers named as in the declaration's `tensors` (`conv1`, `norm1`, `fc1`), activations `relu1` and so on. It
        takes `[n, *shape]` and gives `[n, outputs]`.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    layers = model.resolved(shape, outputs)
    at: tuple[int, ...] = tuple(shape)
    with torch.random.fork_rng(devices=[]):
        for layer in layers:
            if isinstance(layer, Dense) and len(at) > 1:
                parts["flatten"] = nn.Flatten()
            parts[layer.name] = _module(layer)
            if isinstance(layer, Conv | Norm | Dense) and layer.active:
                name, activation = _activation(model)
                parts[f"{name}{1 + sum(key.startswith(name) for key in parts)}"] = activation
            at = layer.outputs
        return nn.Sequential(parts).to(dtype)


def _module(layer: Layer) -> nn.Module:
    if isinstance(layer, Conv):
        return nn.Conv2d(
            layer.inputs[0], layer.outputs[0], layer.kernel, stride=layer.stride, padding=layer.pad
        )
    if isinstance(layer, Dense):
        return nn.Linear(layer.inputs[0], layer.outputs[0])
    if isinstance(layer, Norm):
        return nn.BatchNorm2d(layer.inputs[0]) if len(layer.inputs) == 3 else nn.BatchNorm1d(layer.inputs[0])
    if isinstance(layer, Pool):
        return nn.MaxPool2d(layer.size)
    if isinstance(layer, Drop):
        return AddressedDropout(layer.probability, layer.index)
    return nn.Softmax(dim=1)


def _activation(model: MLP | CNN) -> tuple[str, nn.Module]:
    match model.activation:
        case "relu":
            return "relu", nn.ReLU()
        case "leaky_relu":
            return "leaky_relu", nn.LeakyReLU(model.slope)
        case "tanh":
            return "tanh", nn.Tanh()
        case "identity":
            return "identity", nn.Identity()


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """The parameters that training moves, in the order of flat weights."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def untrained(network: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Buffers and frozen parameters by name."""
    frozen = [(name, p.detach()) for name, p in network.named_parameters() if not p.requires_grad]
    return [*network.named_buffers(), *frozen]


def load(network: nn.Module, weights: NDArray[Any], buffers: Mapping[str, NDArray[Any]]) -> nn.Module:
    """Copy flat weights and named buffers into a network.

    Args:
        network: Any module.
        weights: `[D]`, its trainable parameters one after the other.
        buffers: What else it holds, by name; those not named stay as they are.

    Returns:
        The network itself.
    """
    with torch.no_grad():
        first = 0
        for parameter in trainable(network):
            part: NDArray[np.floating[Any]] = weights[first : first + parameter.numel()]
            parameter.copy_(torch.from_numpy(part.copy()).reshape(parameter.shape))
            first += parameter.numel()
        for name, tensor in untrained(network):
            if name in buffers:
                tensor.copy_(torch.from_numpy(buffers[name].copy()).reshape(tensor.shape))
    return network
