"""REPAIR: restoring means and deviations of hidden units between two networks (Jordan 2023)."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.batch_norm import batch_norms, by_channel
from gradlab.measure.graph import Graph
from gradlab.measure.units import hidden_groups

__all__ = ["Repair"]

_AT_ONCE = 4096


class Repair:
    """Corrects networks on a path so that every hidden unit's mean and deviation lie between those of the ends.

    Averaging two networks' weights shrinks the variance of hidden units. Before each activation, mean and standard
    deviation over the sample are set to (1 - a) times those of network_0 plus a times those of network_1, layer by
    layer, by rescaling the layer's own weights. The ends themselves are not touched.

    Args:
        network_0: The end at 0.
        network_1: The end at 1.
        x: The sample `[n, ...]`, of the networks' type.

    Raises:
        MeasureError: The network has batch normalisation, where recomputed statistics do the same, or cannot be
            followed.
    """

    def __init__(self, network_0: nn.Module, network_1: nn.Module, x: torch.Tensor) -> None:
        if batch_norms(network_0):
            raise MeasureError(
                "repair is for networks without batch normalisation; with it, batch_norm='recompute' does the same"
            )
        self._layers = _hidden(network_0, x[:2])
        self._goals = [_statistics(network, self._layers, x[:_AT_ONCE]) for network in (network_0, network_1)]

    def at(self, alpha: float) -> Callable[[nn.Module, torch.Tensor], None] | None:
        """What corrects the network at a place, from the sample; None at the ends.

        Args:
            alpha: The place in [0, 1].

        Returns:
            A function of a private network and the sample, which changes the network.
        """
        if alpha in {0, 1}:
            return None

        def change(network: nn.Module, x: torch.Tensor) -> None:
            handles = [
                network.get_submodule(name).register_forward_hook(self._correct(name, alpha))
                for name in self._layers
            ]
            try:
                with torch.no_grad():
                    network(x[:_AT_ONCE])
            finally:
                for handle in handles:
                    handle.remove()

        return change

    def _correct(self, name: str, alpha: float) -> Callable[[nn.Module, Any, torch.Tensor], torch.Tensor]:
        (mean_0, deviation_0), (mean_1, deviation_1) = (goal[name] for goal in self._goals)
        goal_mean = (1 - alpha) * mean_0 + alpha * mean_1
        goal_deviation = (1 - alpha) * deviation_0 + alpha * deviation_1

        def correct(layer: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            mean, deviation = _moments(output)
            alive = deviation > 1e-12
            factor = torch.where(alive, goal_deviation / deviation.clamp_min(1e-12), 1.0)
            weight: torch.Tensor = layer.weight  # pyright: ignore[reportAssignmentType]
            bias: torch.Tensor = layer.bias  # pyright: ignore[reportAssignmentType]
            wide = [1] * (weight.dim() - 1)
            weight.copy_(weight.double() * factor.view(-1, *wide))
            bias.copy_((bias.double() - mean) * factor + goal_mean)
            across = [1, -1, *[1] * (output.dim() - 2)]
            repaired = (output.double() - mean.view(across)) * factor.view(across) + goal_mean.view(across)
            return repaired.to(output.dtype)

        return correct


def _hidden(network: nn.Module, x: torch.Tensor) -> tuple[str, ...]:
    """Layers with biases whose outputs are hidden units."""
    groups = hidden_groups(Graph(network, x))
    made = {axis.tensor.rpartition(".")[0] for group in groups for axis in group.axes if axis.axis == 0}
    names = tuple(name for name, _ in network.named_modules() if name in made)
    for name in names:
        if getattr(network.get_submodule(name), "bias", None) is None:
            raise MeasureError(f"layer {name} has no bias to repair")
    return names


def _statistics(
    network: nn.Module, names: tuple[str, ...], x: torch.Tensor
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def take(name: str) -> Callable[[nn.Module, Any, torch.Tensor], None]:
        def hook(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            found[name] = _moments(output)

        return hook

    private = copy.deepcopy(network).eval()
    for name in names:
        private.get_submodule(name).register_forward_hook(take(name))
    with torch.no_grad():
        private(x)
    return found


def _moments(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    flat = by_channel(values)
    return flat.mean(1), flat.std(1, correction=0)
