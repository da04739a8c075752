"""Statistics of batch normalisation for weights that were not trained with them."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from gradlab.errors import MeasureError
from gradlab.randomness import generator

__all__ = ["POLICIES", "Policy", "batch_norms", "by_channel", "recompute", "subset", "with_statistics"]

Policy = Literal["recompute", "interpolate", "first", "batch"]
POLICIES: Final = ("recompute", "interpolate", "first", "batch")
"""Recomputed on a fixed subset of the training data at every point; interpolated as if they were weights; those
of the first network held; of each batch that is evaluated. They are four different experiments."""

_TWICE: Final = "batch normalisation {} is used twice in a pass: it has no statistics of its own"


def batch_norms(network: nn.Module) -> dict[str, _BatchNorm]:
    """The batch normalisations of a network by name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, _BatchNorm)}


def subset(examples: int, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Which examples statistics are taken over: drawn once without replacement, in their order.

    Args:
        examples: How many there are.
        count: How many are wanted; all if that is more.
        seed: Of the draw.

    Returns:
        Indices `int64[min(count, examples)]`, ascending.

    Example:
        >>> subset(3, 5).tolist()
        [0, 1, 2]
    """
    if count >= examples:
        return np.arange(examples)
    return np.sort(generator(seed, "probe", "batch_norm").permutation(examples)[:count])


def with_statistics(network: nn.Module, x: NDArray[Any] | torch.Tensor, *, at_once: int = 2048) -> nn.Module:
    """A copy of a network whose batch-norm statistics are those of the given inputs, exactly.

    Every layer's mean and variance are taken over all inputs at once, with the layers before it already
    normalised by their own: no momentum, no average of batches' variances, float64 sums. The variance is
    unbiased, as PyTorch keeps it. (Izmailov et al. 2018, section 3.3, with full-batch statistics.)

    Args:
        network: Any module; it is left as it is.
        x: Inputs `[n, ...]`.
        at_once: Inputs in memory together. More inputs than that take one pass for each layer instead of one.

    Returns:
        The copy, in evaluation mode.

    Raises:
        MeasureError: A layer is used twice in a pass, or sees one value for each feature.

    Example:
        >>> net = with_statistics(nn.Sequential(nn.BatchNorm1d(1)), torch.tensor([[1.0], [3.0]]))
        >>> net[0].running_mean.item(), net[0].running_var.item()
        (2.0, 2.0)
    """
    private = copy.deepcopy(network).eval()
    inputs = torch.from_numpy(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x
    recompute(private, inputs.to(next(private.parameters()).dtype), at_once=at_once)
    return private


def recompute(network: nn.Module, x: torch.Tensor, *, at_once: int = 2048) -> int:
    """Replace a network's batch-norm statistics, in place; see `with_statistics`.

    Args:
        network: A network of one's own, in evaluation mode.
        x: Inputs `[n, ...]`, of its type.
        at_once: Inputs in memory together.

    Returns:
        Passes over the inputs that it took.

    Raises:
        MeasureError: As `with_statistics` says.
    """
    layers = batch_norms(network)
    if not layers:
        return 0
    with torch.no_grad():
        if len(x) <= at_once:  # every layer sets its own as its input comes by
            with _watched(layers, network, x):
                network(x)
            return 1
        order = _order(layers, network, x[:2])
        for name in order:
            sums = _Sums()
            handle = layers[name].register_forward_pre_hook(sums.stop_at)
            try:
                for part in x.split(at_once):
                    try:
                        network(part)
                    except _Seen:
                        continue
            finally:
                handle.remove()
            sums.write(name, layers[name])
    return len(order)


class _Seen(Exception):
    """The layer's input is known: what follows is not needed."""


def by_channel(values: torch.Tensor) -> torch.Tensor:
    """The values of each unit or channel, `[units, all else]`, in float64.

    Args:
        values: Of a batch, `[n, units, ...]`.
    """
    return values.transpose(0, 1).reshape(values.shape[1], -1).double()


class _Sums:
    """Sums over all axes but the second, in float64, about the first batch's mean so that no digits cancel."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(0)
        self.squares = torch.zeros(0)

    def add(self, values: torch.Tensor) -> None:
        flat = by_channel(values.detach())
        count, mean = flat.shape[1], flat.mean(1)
        squares = (flat - mean[:, None]).square_().sum(1)
        if not self.count:
            self.count, self.mean, self.squares = count, mean, squares
            return
        together = self.count + count
        shift = mean - self.mean
        self.squares += squares + shift.square() * self.count * count / together
        self.mean = self.mean + shift * count / together
        self.count = together

    def stop_at(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.add(inputs[0])
        raise _Seen

    def write(self, name: str, layer: _BatchNorm) -> None:
        if self.count < 2:
            raise MeasureError(
                f"batch normalisation {name} sees one value for each feature: it has no variance"
            )
        if layer.running_mean is None or layer.running_var is None:
            raise MeasureError(f"batch normalisation {name} keeps no statistics (track_running_stats=False)")
        layer.running_mean.copy_(self.mean)
        layer.running_var.copy_(self.squares / (self.count - 1))


@contextmanager
def _watched(layers: dict[str, _BatchNorm], network: nn.Module, x: torch.Tensor) -> Generator[None]:
    seen: set[str] = set()

    def watch(name: str, layer: _BatchNorm) -> Any:
        def take(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if name in seen:
                raise MeasureError(_TWICE.format(name))
            seen.add(name)
            sums = _Sums()
            sums.add(inputs[0])
            sums.write(name, layer)

        return layer.register_forward_pre_hook(take)

    handles = [watch(name, layer) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _order(layers: dict[str, _BatchNorm], network: nn.Module, few: torch.Tensor) -> list[str]:
    """Names in the order in which layers are used."""
    order: list[str] = []

    def note(name: str) -> Callable[[nn.Module, object], None]:
        def take(module: nn.Module, inputs: object) -> None:
            order.append(name)

        return take

    handles = [layer.register_forward_pre_hook(note(name)) for name, layer in layers.items()]
    try:
        network(few)
    finally:
        for handle in handles:
            handle.remove()
    for name in order:
        if order.count(name) > 1:
            raise MeasureError(_TWICE.format(name))
    return order
