"""Plain networks recognised in any module, so that the fused kernel can evaluate them."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.graph import Graph
from gradlab.model.layers import Conv, Dense, Layer, Pool, multiplications

__all__ = ["KernelScores", "Plain", "plain"]

Activation = Literal["identity", "relu", "leaky_relu", "tanh"]

_ACTIVATIONS: Final[dict[str, Activation]] = {"ReLU": "relu", "relu": "relu", "Tanh": "tanh", "tanh": "tanh"}
_SILENT: Final = {
    "Flatten",
    "flatten",
    "view",
    "reshape",
    "Identity",
    "Dropout",
    "AddressedDropout",
    "dropout",
}


@dataclass(frozen=True)
class Plain:
    """A row of convolutions, maxima and fully connected layers.

    Attributes:
        layers: From the input on.
        activation: The one that follows every active layer.
        names: The module of each layer with weights, in order.
    """

    layers: tuple[Layer, ...]
    activation: Activation
    names: tuple[str, ...]

    @property
    def multiplications(self) -> int:
        """Of a forward pass of one example."""
        return multiplications(self.layers)

    def flat(self, state: Mapping[str, torch.Tensor]) -> np.ndarray[tuple[int], np.dtype[np.floating]]:
        """Weights and biases one after the other, as the kernel takes them."""
        parts = [
            state[f"{name}.{part}"].detach().reshape(-1) for name in self.names for part in ("weight", "bias")
        ]
        return torch.cat(parts).cpu().numpy()


def plain(network: nn.Module, x: torch.Tensor) -> Plain | None:
    """What row of layers a network is, if it is one that the fused kernel has.

    Args:
        network: Any module.
        x: A few inputs `[n, ...]`.

    Returns:
        The row; None for anything else, such as a network with batch normalisation, strides or residuals.

    Example:
        >>> found = plain(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)), torch.zeros(1, 2))
        >>> found.activation, found.names
        ('relu', ('0', '2'))
    """
    try:
        graph = Graph(network, x)
    except MeasureError:
        return None
    layers: list[Layer] = []
    names: list[str] = []
    used: set[Activation] = set()
    for previous, node in zip(graph.nodes, graph.nodes[1:], strict=False):
        if node.op == "output":
            break
        if graph.before(node) != [previous]:
            return None
        layer, word = graph.layer(node), graph.word(node)
        shape, after = graph.shape(previous)[1:], graph.shape(node)[1:]
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            found = _product(layer, f"layer{len(names)}", shape, after)
            if found is None:
                return None
            layers.append(found)
            names.append(str(node.target))
        elif isinstance(layer, nn.MaxPool2d) and len(shape) == 3:
            size = _square(layer)
            if size is None:
                return None
            layers.append(Pool(f"pool{len(layers)}", shape, size))
        elif word in _ACTIVATIONS:
            place = max((k for k, each in enumerate(layers) if isinstance(each, Conv | Dense)), default=-1)
            if place < 0 or layers[place].active:  # pyright: ignore[reportAttributeAccessIssue]
                return None
            used.add(_ACTIVATIONS[word])
            layers[place] = replace(layers[place], active=True)  # before a maximum or after is the same
        elif word not in _SILENT or (math.prod(shape) != math.prod(after)):
            return None
    last = layers[-1] if layers else None
    if len(used) > 1 or len(set(names)) < len(names) or not isinstance(last, Dense) or last.active:
        return None
    return Plain(tuple(layers), used.pop() if used else "identity", tuple(names))


class KernelScores:
    """Evaluates a plain network that classifies by the cross-entropy.

    Args:
        row: From `plain`.
        dtype: Of weights and arithmetic.
    """

    def __init__(self, row: Plain, dtype: torch.dtype) -> None:
        from gradlab.train.kernel.image_program import ImageProgram
        from gradlab.train.kernel.images import ImageKernel

        self._row = row
        self._dtype = np.float32 if dtype == torch.float32 else np.float64
        program = ImageProgram(row.layers, activation=row.activation)
        self._kernel = ImageKernel(program, self._dtype, 64)

    def __call__(
        self, state: Mapping[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> tuple[float, float]:
        """The mean loss over examples, and the share classified correctly."""
        labels = y.numpy()
        weights = self._row.flat(state).astype(self._dtype)
        loss, _, outputs = self._kernel.evaluate(weights, x.numpy(), labels, outputs=True)
        return loss, float((outputs.argmax(axis=1) == labels).mean())


def _product(
    layer: nn.Conv2d | nn.Linear, name: str, shape: tuple[int, ...], after: tuple[int, ...]
) -> Conv | Dense | None:
    if isinstance(layer, nn.Linear):
        return Dense(name, shape, after, active=False) if len(shape) == 1 else None
    (high, wide), pad = layer.kernel_size, layer.padding
    plainly = layer.groups == 1 and layer.padding_mode == "zeros" and set(layer.dilation) == {1}
    if not plainly or high != wide or set(layer.stride) != {1} or isinstance(pad, str) or pad[0] != pad[1]:
        return None
    return Conv(name, shape, after, int(high), int(pad[0]), 1, active=False) if pad[0] < high else None


def _square(pool: nn.MaxPool2d) -> int | None:
    size = pool.kernel_size
    kept = pool.padding in {0, (0, 0)} and pool.dilation in {1, (1, 1)} and not pool.ceil_mode
    return size if isinstance(size, int) and size <= 16 and pool.stride == size and kept else None
