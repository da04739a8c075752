"""BatchNorm in evaluation mode as what it is there: a scale and a shift that belong to the layer before it."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
import itertools

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from gradlab.errors import MeasureError

__all__ = ["folded"]


def folded(network: nn.Module) -> tuple[nn.Module, int]:
    """A copy of a network in which every BatchNorm is part of the layer before it; the function is the same.

    Args:
        network: Any module; it is taken in evaluation mode and not changed.

    Returns:
        The copy, and how many were folded.

    Raises:
        MeasureError: A BatchNorm does not directly follow a linear layer or a convolution in an `nn.Sequential`, or
            has no running statistics.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU())
        >>> [type(layer).__name__ for layer in folded(network)[0]]
        ['Linear', 'Identity', 'ReLU']
    """
    found = copy.deepcopy(network).eval()
    count = 0
    for parent in [module for module in found.modules() if isinstance(module, nn.Sequential)]:
        names = list(parent._modules)  # pyright: ignore[reportPrivateUsage]
        for name, following in itertools.pairwise(names):
            layer, norm = parent.get_submodule(name), parent.get_submodule(following)
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d) and isinstance(
                norm, _BatchNorm
            ):
                _fold(layer, norm)
                parent.set_submodule(following, nn.Identity())
                count += 1
    left = [name for name, module in found.named_modules() if isinstance(module, _BatchNorm)]
    if left:
        raise MeasureError(
            f"BatchNorm {left[0]!r} does not directly follow a linear layer or a convolution in an nn.Sequential, so "
            "that it cannot be folded; noise on weights whose scale it undoes says nothing"
        )
    return found, count


def _fold(layer: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d, norm: _BatchNorm) -> None:
    if norm.running_mean is None or norm.running_var is None:
        raise MeasureError("BatchNorm without running statistics is no function of one example")
    with torch.no_grad():
        scale = (norm.running_var + norm.eps).rsqrt()
        shift = -norm.running_mean * scale
        if norm.affine:
            scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
        if layer.bias is not None:
            shift = shift + layer.bias * scale
        layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.dim() - 1)))
        layer.bias = nn.Parameter(shift.clone())
