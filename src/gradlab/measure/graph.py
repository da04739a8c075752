"""A network as a row of named operations with shapes, by tracing: what alignment and fast evaluation read."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from gradlab.errors import MeasureError

__all__ = ["Graph", "Tracer"]

_LEAVES = (
    nn.Linear,
    nn.modules.conv._ConvNd,  # pyright: ignore[reportPrivateUsage]
    nn.modules.batchnorm._BatchNorm,  # pyright: ignore[reportPrivateUsage]
    nn.modules.dropout._DropoutNd,  # pyright: ignore[reportPrivateUsage]
)
"""Kinds of modules that are looked at whole, subclasses of the user's included."""


class Tracer(fx.Tracer):
    """Traces a module down to layers, subclasses of PyTorch's layers included."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one operation."""
        return isinstance(m, _LEAVES) or super().is_leaf_module(m, module_qualified_name)


class Graph:
    """What a network does with an input, operation by operation.

    The network is copied, set to evaluation mode and never changed.

    Args:
        network: Any module of one input whose path does not depend on its data.
        x: A few inputs `[n, ...]`, from which shapes are known.

    Attributes:
        module: The copy, which runs the traced operations.
        nodes: Operations in order, `torch.fx` nodes.

    Raises:
        MeasureError: The network cannot be traced.

    Example:
        >>> graph = Graph(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.zeros(1, 2))
        >>> [graph.word(node) for node in graph.nodes], graph.shape(graph.nodes[1])
        (['input', 'Linear', 'ReLU', 'output'], (1, 3))
    """

    def __init__(self, network: nn.Module, x: torch.Tensor) -> None:
        private = copy.deepcopy(network).eval()
        try:
            graph = Tracer().trace(private)
            self.module = fx.GraphModule(private, graph)
            with torch.no_grad():
                ShapeProp(self.module).propagate(x)
        except Exception as error:
            raise MeasureError(
                f"the network cannot be followed operation by operation ({type(error).__name__}: {error}); a forward "
                "method must not branch on its data"
            ) from error
        self.nodes: list[fx.Node] = [
            node for node in self.module.graph.nodes if "tensor_meta" in node.meta or node.op == "output"
        ]

    def layer(self, node: fx.Node) -> nn.Module | None:
        """The module that an operation calls; None if it is a function."""
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else None

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """Shape of what an operation gives, the examples first."""
        meta: Any = node.meta["tensor_meta"]
        if not hasattr(meta, "shape"):
            raise MeasureError(f"{self.word(node)} gives several tensors: the network cannot be followed")
        return tuple(meta.shape)

    def word(self, node: fx.Node) -> str:
        """What an operation is called: the class of a layer, or the function's name."""
        if node.op == "placeholder":
            return "input"
        layer = self.layer(node)
        if layer is not None:
            return type(layer).__name__
        return getattr(node.target, "__name__", str(node.target))

    def before(self, node: fx.Node) -> list[fx.Node]:
        """The operations whose tensors an operation takes."""
        return [each for each in node.all_input_nodes if "tensor_meta" in each.meta]
