"""A declared network as a pure function of flat weights, which `torch.func` can map over a fleet of them."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn import functional

from gradlab.model.cnn import CNN
from gradlab.model.layers import Conv, Dense, Drop, Norm, Pool, Shape
from gradlab.model.mlp import MLP
from gradlab.study.spec import Spec
from gradlab.train.dropout import mask_key, threshold

__all__ = ["PureNetwork", "loss_of", "mask_bases", "mask_keys"]

Buffers = Mapping[str, torch.Tensor]

_MOMENTUM, _EPSILON = 0.1, 1e-5
"""Of batch normalisation, as in PyTorch."""

_GOLD = 0x9E3779B97F4A7C15 - 2**64
_FACTORS = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))
"""Unsigned constants as signed 64-bit integers, whose products wrap around to the same bits."""


class PureNetwork:
    """A multilayer perceptron or convolutional network without state of its own.

    Args:
        model: The declaration.
        shape: Shape of one example.
        outputs: Numbers that it gives for an example.

    Attributes:
        size: D, the number of weights.
        parts: For each layer with weights where its weight begins, where its bias does, and where that ends.
        drops: Number of dropout layers.
        numbers: Activations of one example, all layers together.
    """

    def __init__(self, model: MLP | CNN, shape: Shape, outputs: int) -> None:
        self._layers = model.resolved(shape, outputs)
        self._active = _activation(model)
        self.parts: list[tuple[int, int, int]] = []
        self._shapes: list[tuple[int, ...]] = []
        first = 0
        for layer in self._layers:
            if isinstance(layer, Conv | Dense | Norm):
                weight = _weight_shape(layer)
                bias = first + math.prod(weight)
                self.parts.append((first, bias, bias + weight[0]))
                self._shapes.append(weight)
                first = bias + weight[0]
        self.size = first
        self.drops = sum(isinstance(layer, Drop) for layer in self._layers)
        self.numbers = math.prod(shape) + 2 * sum(math.prod(layer.outputs) for layer in self._layers)

    def __call__(
        self,
        weights: torch.Tensor,
        x: torch.Tensor,
        buffers: Buffers,
        bases: torch.Tensor | None = None,
        *,
        training: bool = False,
        seen: Callable[[torch.Tensor], object] | None = None,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Outputs of a batch.

        Args:
            weights: `[D]`.
            x: `[b, *shape]`.
            buffers: Running statistics of norms.
            bases: `int64[drops]` from `mask_bases`; None keeps all units.
            training: Whether norms take the statistics of the batch.
            seen: Gets what each activation gives.

        Returns:
            `[b, outputs]`, and the buffers after this batch.
        """
        h, after, place = x, dict(buffers), 0
        for layer in self._layers:
            if isinstance(layer, Conv | Dense | Norm):
                first, bias, last = self.parts[place]
                weight, shift = weights[first:bias].view(self._shapes[place]), weights[bias:last]
                place += 1
                if isinstance(layer, Conv):
                    h = functional.conv2d(h, weight, shift, stride=layer.stride, padding=layer.pad)
                elif isinstance(layer, Dense):
                    h = functional.linear(h.flatten(1), weight, shift)
                else:
                    h = _normalised(h, weight, shift, layer.name, after, training=training)
                if layer.active:
                    h = self._active(h)
                    if seen is not None:
                        seen(h)
            elif isinstance(layer, Pool):
                h = functional.max_pool2d(h, layer.size)
            elif isinstance(layer, Drop):
                if bases is not None:
                    h = h * _kept(bases[layer.index], layer.probability, h)
            else:
                h = torch.softmax(h, dim=1)
        return h.flatten(1), after


def loss_of(spec: Spec, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean loss of a batch."""
    if spec.loss == "cross_entropy":
        return functional.cross_entropy(outputs, targets)
    return functional.mse_loss(outputs, targets)


def mask_keys(seeds: Sequence[int], device: torch.device) -> torch.Tensor:
    """The keys of dropout masks from `dropout` seeds: `int64[members]`, with the bits of `mask_key`."""
    keys = [mask_key(seed) for seed in seeds]
    return torch.tensor([key - 2**64 if key >= 2**63 else key for key in keys], device=device)


def mask_bases(keys: torch.Tensor, epoch: int, first: int, steps: int, drops: int) -> torch.Tensor:
    """Where the hashes of dropout masks begin, as `dropout.mask_base` says.

    Args:
        keys: `int64[members]` from `mask_keys`.
        epoch: Completed epochs.
        first: The first step.
        steps: How many follow one another.
        drops: Number of dropout layers.

    Returns:
        `int64[steps, members, drops]`.
    """
    step = torch.arange(first, first + steps, device=keys.device).view(-1, 1, 1)
    layer = torch.arange(drops, device=keys.device).view(1, 1, -1)
    return _mixed(keys.view(1, -1, 1) + _GOLD * ((epoch << 32) + (step << 8) + layer))


def _weight_shape(layer: Conv | Dense | Norm) -> tuple[int, ...]:
    if isinstance(layer, Conv):
        return (layer.outputs[0], layer.inputs[0], layer.kernel, layer.kernel)
    if isinstance(layer, Dense):
        return (layer.outputs[0], layer.inputs[0])
    return (layer.inputs[0],)


def _activation(model: MLP | CNN) -> Callable[[torch.Tensor], torch.Tensor]:
    match model.activation:
        case "relu":
            return torch.relu
        case "leaky_relu":
            return lambda h: functional.leaky_relu(h, model.slope)
        case "tanh":
            return torch.tanh
        case "identity":
            return lambda h: h


def _normalised(
    h: torch.Tensor,
    weight: torch.Tensor,
    shift: torch.Tensor,
    name: str,
    buffers: dict[str, torch.Tensor],
    *,
    training: bool,
) -> torch.Tensor:
    """Batch normalisation over all axes but the second; in training it moves the running statistics on."""
    axes = [0, *range(2, h.dim())]
    across = (1, -1, *[1] * (h.dim() - 2))
    mean, variance = buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"]
    if training:
        own_mean, own_variance = h.mean(axes), h.var(axes, correction=0)
        count = h.numel() // h.shape[1]
        unbiased = own_variance.detach() * (count / (count - 1))
        buffers[f"{name}.running_mean"] = mean + _MOMENTUM * (own_mean.detach() - mean)
        buffers[f"{name}.running_var"] = variance + _MOMENTUM * (unbiased - variance)
        tracked = f"{name}.num_batches_tracked"
        buffers[tracked] = buffers[tracked] + 1
        mean, variance = own_mean, own_variance
    scale = weight / torch.sqrt(variance + _EPSILON)
    return (h - mean.view(across)) * scale.view(across) + shift.view(across)


def _kept(base: torch.Tensor, probability: float, h: torch.Tensor) -> torch.Tensor:
    """Factors of a batch's values: 0 where dropped, 1/(1 - p) where kept."""
    rows = h.shape[0]
    units = h[0].numel()
    places = torch.arange(1, units * rows + 1, device=h.device)
    upper = (_mixed(base + _GOLD * places) >> 32) & 0xFFFFFFFF
    kept = (upper >= threshold(probability)).view(units, rows).t()
    return (kept.to(h.dtype) * (1 / (1 - probability))).reshape(h.shape)


def _mixed(z: torch.Tensor) -> torch.Tensor:
    """SplitMix64's finaliser; right shifts of signed integers are made logical."""
    for shift, factor in _FACTORS:
        z = (z ^ ((z >> shift) & (2 ** (64 - shift) - 1))) * factor
    return z ^ ((z >> 31) & (2**33 - 1))
