"""A plain stack of layers as a list: what can be called without the machinery for arbitrary modules."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

__all__ = ["Dense", "Step", "chain_of", "dense_layers", "run"]

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)

ELEMENTWISE = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardtanh, nn.Identity, nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.ReLU, nn.ReLU6,
    nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Tanh, nn.Tanhshrink,
)  # fmt: skip
"""Activations without weights that look at one number at a time."""


@dataclass(frozen=True)
class Step:
    """One layer of a stack.

    Attributes:
        module: The layer.
        tensors: Its own name for each of its parameters and buffers, and that in the whole network.
    """

    module: nn.Module
    tensors: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Dense:
    """A linear layer of a multilayer perceptron, and the activations behind it.

    Attributes:
        weight: Name of its weight `[out, in]`.
        bias: Name of its bias `[out]`, or empty.
        activations: Elementwise; none after the last layer.
    """

    weight: str
    bias: str
    activations: tuple[nn.Module, ...]


def chain_of(network: nn.Module) -> tuple[Step, ...] | None:
    """The layers of a network that does nothing but call one after the other.

    Args:
        network: Any module.

    Returns:
        Its layers in order, or `None` for what is not a stack: own `forward` functions, hooks, parametrisations.

    Example:
        >>> [type(step.module).__name__ for step in chain_of(nn.Sequential(nn.Linear(1, 2), nn.Tanh()))]
        ['Linear', 'Tanh']
    """
    if any(getattr(module, hooks) for module in network.modules() for hooks in _HOOKS):
        return None
    names: dict[int, str] = {}
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        names.setdefault(id(tensor), name)
    return tuple(
        Step(leaf, tuple((own, names[id(tensor)]) for own, tensor in _tensors(leaf)))
        for leaf in _leaves(network)
    )


def run(steps: Sequence[Step], tensors: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Call the layers of a stack with the given parameters and buffers.

    Args:
        steps: From `chain_of`.
        tensors: Parameters and buffers by their names in the whole network.
        x: Inputs `[n, ...]`.

    Returns:
        Outputs.
    """
    for step in steps:
        if not step.tensors:
            x = step.module(x)
        elif _is_linear(step):
            x = functional.linear(x, *(tensors[name] for _, name in step.tensors))
        else:
            x = functional_call(step.module, {own: tensors[name] for own, name in step.tensors}, (x,))
    return x


def dense_layers(steps: Sequence[Step]) -> tuple[list[Dense], tuple[Step, ...]] | None:
    """A stack as a multilayer perceptron, if it is one.

    Args:
        steps: From `chain_of`.

    Returns:
        Its linear layers, each with the activations behind it, and the layers after the last linear one, which may
        be anything without weights. `None` if there are other layers with weights, layers that share weights, or
        something between the linear ones that is not elementwise.
    """
    last = max((place for place, step in enumerate(steps) if _is_linear(step)), default=-1)
    layers: list[Dense] = []
    for place, step in enumerate(steps[: last + 1]):
        module = step.module
        if _is_linear(step):
            own = dict(step.tensors)
            layers.append(Dense(own["weight"], own.get("bias", ""), ()))
        elif not layers and type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
            continue
        elif layers and place < last and (isinstance(module, nn.Dropout) or type(module) in ELEMENTWISE):
            if not isinstance(module, nn.Dropout):  # which does nothing in evaluation mode
                layers[-1] = Dense(layers[-1].weight, layers[-1].bias, (*layers[-1].activations, module))
        else:
            return None
    tail = tuple(steps[last + 1 :])
    names = [name for layer in layers for name in (layer.weight, layer.bias) if name]
    if not layers or len(set(names)) < len(names) or any(step.tensors for step in tail):
        return None
    return layers, tail


def _is_linear(step: Step) -> bool:
    """Whether it is a linear layer and nothing more: a user may have given one further tensors."""
    return type(step.module) is nn.Linear and [own for own, _ in step.tensors] in (
        ["weight"],
        ["weight", "bias"],
    )


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) is nn.Sequential:
        for child in module:
            yield from _leaves(child)
    else:
        yield module


def _tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers by the module's own names; a shared one under each of its names."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)
