"""Which hidden units of a network can be permuted together, and where they show in its weights."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd  # pyright: ignore[reportPrivateUsage]

from gradlab.errors import MeasureError
from gradlab.measure.graph import Graph

__all__ = ["Axis", "Group", "hidden_groups", "permuted"]

Permutation = NDArray[np.int64]

_KEEPS: Final = {
    "relu", "ReLU", "relu_", "leaky_relu", "LeakyReLU", "tanh", "Tanh", "sigmoid", "Sigmoid", "gelu",
    "GELU", "silu", "SiLU", "elu", "ELU", "softplus", "Softplus", "Identity", "ReLU6", "relu6",
    "hardtanh", "Hardtanh", "SELU", "selu", "Mish", "mish", "Dropout", "Dropout2d", "dropout",
    "AddressedDropout", "softmax", "Softmax", "log_softmax", "LogSoftmax", "contiguous", "MaxPool1d",
    "MaxPool2d", "max_pool1d", "max_pool2d", "boolean_dispatch", "fn", "AvgPool2d", "avg_pool2d",
    "AdaptiveAvgPool2d", "adaptive_avg_pool2d", "AdaptiveMaxPool2d", "adaptive_max_pool2d",
}  # fmt: skip
"""Operations that treat every unit (channel) by itself and alike."""
_FLATTENS: Final = {"Flatten", "flatten", "view", "reshape", "mean", "squeeze"}
_ADDS: Final = {"add", "add_", "iadd", "sub", "mul"}


class Axis(NamedTuple):
    """Where a group of units lies in a parameter or buffer.

    Attributes:
        tensor: Its name.
        axis: Which of its axes.
        repeat: Places a unit takes there, one after the other: height x width where images are flattened.
    """

    tensor: str
    axis: int
    repeat: int


@dataclass(frozen=True)
class Group:
    """Hidden units that are permuted together.

    Attributes:
        name: The layer that makes them (the first of several).
        units: How many.
        axes: Where they show.
        seen: The operations whose outputs are these units, before and after activations.
    """

    name: str
    units: int
    axes: tuple[Axis, ...]
    seen: tuple[str, ...]


class _Space(NamedTuple):
    group: int
    repeat: int


class _Groups:
    """Groups that may turn out to be one, as residual sums join them."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.sizes: list[int] = []
        self.names: list[str] = []
        self.fixed: set[int] = set()

    def new(self, units: int, name: str, *, fixed: bool = False) -> int:
        self.parents.append(len(self.parents))
        self.sizes.append(units)
        self.names.append(name)
        if fixed:
            self.fixed.add(len(self.parents) - 1)
        return len(self.parents) - 1

    def root(self, group: int) -> int:
        while self.parents[group] != group:
            group = self.parents[group]
        return group

    def join(self, one: int, two: int) -> None:
        one, two = sorted((self.root(one), self.root(two)))
        if one != two:
            self.parents[two] = one
            if two in self.fixed:
                self.fixed.add(one)


def hidden_groups(graph: Graph) -> tuple[Group, ...]:
    """The groups of hidden units of a traced network, in order.

    Fully connected and convolutional layers make units; batch normalisation, activations and pooling keep them;
    flattening repeats each for every place of an image; a sum (of a residual network) joins those of its terms.
    Inputs and outputs stay in their order.

    Args:
        graph: The network.

    Returns:
        The groups.

    Raises:
        MeasureError: An operation is not understood, or a layer is used twice; says which.

    Example:
        >>> graph = Graph(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), torch.zeros(1, 2))
        >>> [(group.name, group.units) for group in hidden_groups(graph)]
        [('0', 3)]
    """
    groups, axes, spaces = _Groups(), list[tuple[int, Axis]](), dict[fx.Node, _Space]()
    used: set[str] = set()
    for node in graph.nodes:
        if node.op == "output":
            for source in graph.before(node):
                groups.fixed.add(groups.root(spaces[source].group))
        elif node.op == "placeholder":
            shape = graph.shape(node)
            spaces[node] = _Space(groups.new(shape[1] if len(shape) > 1 else 1, "input", fixed=True), 1)
        else:
            spaces[node] = _after(graph, node, spaces, groups, axes, used)
    tensors = {name: tuple(t.shape) for name, t in _tensors(graph.module).items()}
    found: list[Group] = []
    for root in sorted({groups.root(k) for k in range(len(groups.parents))}):
        if any(groups.root(k) == root for k in groups.fixed):
            continue
        units = groups.sizes[root]
        own = tuple(dict.fromkeys(axis for group, axis in axes if groups.root(group) == root))
        shared = [a.tensor for a in own if a.tensor not in tensors]
        if shared:
            raise MeasureError(f"{shared[0]} is shared between layers: its units have no order of their own")
        if any(tensors[a.tensor][a.axis] != units * a.repeat for a in own):
            raise MeasureError(f"the units of {groups.names[root]} do not match the layers that take them")
        seen = tuple(n.name for n, s in spaces.items() if groups.root(s.group) == root and s.repeat == 1)
        found.append(Group(groups.names[root], units, own, seen))
    missing = set(tensors) - {a.tensor for _, a in axes} - _counters(graph.module)
    if missing:
        raise MeasureError(f"parameters that no layer was seen to use: {', '.join(sorted(missing)[:4])}")
    return tuple(found)


def permuted(
    state: Mapping[str, torch.Tensor], groups: Sequence[Group], permutations: Sequence[Permutation]
) -> dict[str, torch.Tensor]:
    """Weights with hidden units in another order: unit k is what unit permutation[k] was.

    Args:
        state: Parameters and buffers by name.
        groups: The groups of hidden units.
        permutations: `int64[units]` for each.

    Returns:
        The same function's weights in the new order.
    """
    found = dict(state)
    for group, order in zip(groups, permutations, strict=True):
        for axis in group.axes:
            places = (order[:, None] * axis.repeat + np.arange(axis.repeat)).reshape(-1)
            tensor = found[axis.tensor]
            found[axis.tensor] = tensor.index_select(axis.axis, torch.from_numpy(places).to(tensor.device))
    return found


def _after(
    graph: Graph, node: fx.Node, spaces: dict[fx.Node, _Space], groups: _Groups, axes: list[tuple[int, Axis]],
    used: set[str],
) -> _Space:  # fmt: skip
    sources, layer, word = graph.before(node), graph.layer(node), graph.word(node)
    name = str(node.target)
    before = [spaces[source] for source in sources]
    if layer is not None and next(layer.parameters(), None) is not None:
        if name in used:
            raise MeasureError(f"layer {name} is used twice in a pass: its units cannot be followed")
        used.add(name)
    if (
        isinstance(layer, nn.Linear | _ConvNd)
        and not isinstance(layer, _ConvTransposeNd)
        and len(before) == 1
    ):
        return _product(layer, name, graph.shape(sources[0]), before[0], groups, axes)
    if isinstance(layer, _BatchNorm) and before[0].repeat == 1:
        for part in ("weight", "bias", "running_mean", "running_var"):
            if getattr(layer, part) is not None:
                axes.append((before[0].group, Axis(f"{name}.{part}", 0, 1)))
        return before[0]
    if word in _FLATTENS and len(before) == 1:
        shape, after = graph.shape(sources[0]), graph.shape(node)
        if len(after) >= 2 and after[1] == shape[1]:
            return before[0]
        if len(after) == 2 and after[1] == math.prod(shape[1:]):
            return _Space(before[0].group, before[0].repeat * math.prod(shape[2:]))
    alike = len(before) == 2 and len({graph.shape(each) for each in sources}) == 1
    if word in _ADDS and alike and before[0].repeat == before[1].repeat:
        groups.join(before[0].group, before[1].group)
        return _Space(groups.root(before[0].group), before[0].repeat)
    if word in _KEEPS and len(before) == 1 and graph.shape(node)[:2] == graph.shape(sources[0])[:2]:
        return before[0]
    raise MeasureError(
        f"operation {node.name!r} ({word}) is not understood by alignment: it knows fully connected and convolutional "
        "layers, batch normalisation, activations, pooling, flattening and residual sums"
    )


def _product(
    layer: nn.Linear | _ConvNd, name: str, shape: tuple[int, ...], before: _Space, groups: _Groups,
    axes: list[tuple[int, Axis]],
) -> _Space:  # fmt: skip
    linear = isinstance(layer, nn.Linear)
    if linear and len(shape) != 2:
        raise MeasureError(
            f"layer {name} is applied along the last of {len(shape)} axes: its units cannot be followed"
        )
    split = 1 if isinstance(layer, nn.Linear) else layer.groups
    units = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    if split == 1:
        axes.append((before.group, Axis(f"{name}.weight", 1, before.repeat)))
        made = groups.new(units, name)
    elif split == units == shape[1]:  # each channel by itself
        made = before.group
    else:
        raise MeasureError(
            f"layer {name} is a convolution in {split} groups: its units cannot be permuted freely"
        )
    axes.append((made, Axis(f"{name}.weight", 0, 1)))
    if layer.bias is not None:
        axes.append((made, Axis(f"{name}.bias", 0, 1)))
    return _Space(made, 1)


def _tensors(module: nn.Module) -> dict[str, Any]:
    return dict([*module.named_parameters(), *module.named_buffers()])


def _counters(module: nn.Module) -> set[str]:
    return {name for name, tensor in module.named_buffers() if tensor.dim() == 0}
