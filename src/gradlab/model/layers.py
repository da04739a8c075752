"""Layers of a network with their shapes: what a declaration comes to once the size of an example is known.

Every declared network, fully connected or convolutional, is a row of these layers, one after the other; its
weights, its counts and what trains it follow from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "Conv",
    "Dense",
    "Drop",
    "Layer",
    "Norm",
    "Pool",
    "Shape",
    "Softmax",
    "Tensor",
    "count",
    "hidden_units",
    "multiplications",
    "tensors",
]

Shape = tuple[int, ...]
"""Shape of what one example is at a place in a network: (channels, height, width), or (features,)."""


@dataclass(frozen=True)
class Conv:
    """A convolution by square kernels, with biases.

    Attributes:
        name: What it is called in the network, such as `conv1`; every layer has a name of its own.
        inputs: Shape of one example before it, (channels, height, width).
        outputs: Shape of one example after it.
        kernel: Height and width of the kernels.
        pad: Rows and columns of zeros on each side.
        stride: Step between places of the kernel.
        active: Whether the network's activation follows at once.
    """

    name: str
    inputs: Shape
    outputs: Shape
    kernel: int
    pad: int = 0
    stride: int = 1
    active: bool = True

    @property
    def fan_in(self) -> int:
        """Inputs of one output: channels x kernel x kernel."""
        return self.inputs[0] * self.kernel**2


@dataclass(frozen=True)
class Norm:
    """Batch normalisation over the examples (and places) of each channel or feature, with scale and shift.

    Attributes:
        name: What it is called in the network.
        inputs: Shape of one example, which it leaves as it is.
        active: Whether the network's activation follows at once.
    """

    name: str
    inputs: Shape
    active: bool = True

    @property
    def outputs(self) -> Shape:
        """Shape of one example after it."""
        return self.inputs


@dataclass(frozen=True)
class Pool:
    """The largest value of each square of `size` x `size`; squares do not overlap, an incomplete one is left out.

    Attributes:
        name: What it is called in the network.
        inputs: Shape of one example before it, (channels, height, width).
        size: Height and width of a square.
    """

    name: str
    inputs: Shape
    size: int

    @property
    def outputs(self) -> Shape:
        """Shape of one example after it."""
        channels, height, width = self.inputs
        return (channels, height // self.size, width // self.size)


@dataclass(frozen=True)
class Drop:
    """Dropout: in training each value is zero with a probability, and scaled up by 1/(1 - p) otherwise.

    Attributes:
        name: What it is called in the network.
        inputs: Shape of one example, which it leaves as it is.
        probability: Of being zero; at least 0 and less than 1.
        index: Which of the network's dropout layers it is, from 0.
    """

    name: str
    inputs: Shape
    probability: float
    index: int

    @property
    def outputs(self) -> Shape:
        """Shape of one example after it."""
        return self.inputs


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with biases; examples of more than one dimension are flattened before it.

    Attributes:
        name: What it is called in the network.
        inputs: Shape of one example before it, flat: (features,).
        outputs: Shape of one example after it, (features,).
        active: Whether the network's activation follows at once.
    """

    name: str
    inputs: Shape
    outputs: Shape
    active: bool = True

    @property
    def fan_in(self) -> int:
        """Inputs of one output."""
        return self.inputs[0]


@dataclass(frozen=True)
class Softmax:
    """Outputs as shares of one; the cross-entropy that follows takes them for logits, as some reports did.

    Attributes:
        name: What it is called in the network.
        inputs: Shape of one example, (classes,), which it leaves as it is.
    """

    name: str
    inputs: Shape

    @property
    def outputs(self) -> Shape:
        """Shape of one example after it."""
        return self.inputs


Layer = Conv | Norm | Pool | Drop | Dense | Softmax
"""Any layer."""


class Tensor(NamedTuple):
    """One array of trainable values.

    Attributes:
        name: As in the network's state dict: `conv1.weight`.
        shape: Its shape in PyTorch's order.
        fan_in: Inputs of one output, which scale its first values; 0 where none are drawn (a norm starts with
            scale 1 and shift 0).
    """

    name: str
    shape: Shape
    fan_in: int

    @property
    def size(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)


def tensors(layers: Iterable[Layer]) -> list[Tensor]:
    """The trainable arrays of a network in the order in which they are built, which is that of flat weights.

    Args:
        layers: The network.

    Returns:
        For each convolution the weight `[out, in, k, k]` and bias `[out]`, for each dense layer the weight
        `[out, in]` and bias `[out]`, for each norm weight and bias `[channels]`.

    Example:
        >>> [(t.name, t.shape) for t in tensors([Dense("fc1", (4,), (2,))])]
        [('fc1.weight', (2, 4)), ('fc1.bias', (2,))]
    """
    found: list[Tensor] = []
    for layer in layers:
        if isinstance(layer, Conv):
            shape = (layer.outputs[0], layer.inputs[0], layer.kernel, layer.kernel)
        elif isinstance(layer, Dense):
            shape = (layer.outputs[0], layer.inputs[0])
        elif isinstance(layer, Norm):
            shape = (layer.inputs[0],)
        else:
            continue
        fan_in = 0 if isinstance(layer, Norm) else layer.fan_in
        found.append(Tensor(f"{layer.name}.weight", shape, fan_in))
        found.append(Tensor(f"{layer.name}.bias", shape[:1], fan_in))
    return found


def count(layers: Iterable[Layer]) -> int:
    """Number of trainable values, biases included."""
    return sum(tensor.size for tensor in tensors(layers))


def multiplications(layers: Iterable[Layer]) -> int:
    """Multiplications in the products of weights and activations of a forward pass of one example.

    Example:
        >>> multiplications([Conv("conv1", (1, 28, 28), (10, 26, 26), kernel=3)])
        60840
    """
    products = (layer for layer in layers if isinstance(layer, Conv | Dense))
    return sum(layer.fan_in * math.prod(layer.outputs) for layer in products)


def hidden_units(layers: Sequence[Layer]) -> int:
    """Outputs of all convolutions and fully connected layers for one example, the output layer's left out."""
    units = [math.prod(layer.outputs) for layer in layers if isinstance(layer, Conv | Dense)]
    return sum(units[:-1])
