"""Batches through a network with wide layers, whose weights are updated as soon as their gradient is known."""

from __future__ import annotations

from typing import Any

from gradlab.train.kernel.dense import dense_backward, dense_forward, dense_gradient, dense_panels
from gradlab.train.kernel.layout import MSE, lanes_of
from gradlab.train.kernel.losses import correct, cross_entropy, squared_error
from gradlab.train.kernel.panels import PANEL, copy_row, flip
from gradlab.train.kernel.vector import inlined


@inlined
def _load(net: Any, data: Any, order: Any, first: Any, count: Any, padded: Any, tile: Any) -> None:
    """Gather samples, one after another into panels and then features first into the tile."""
    width, unit = net.widths[0], lanes_of(tile.values)
    span = PANEL * unit
    for column in range(count):
        sample = order[first + column] if order.size else first + column
        copy_row(data.inputs, sample * width, width, tile.inputs, column * span, span * padded)
    for start in range(0, width, span):
        wide = min(span, (width - start + unit - 1) // unit * unit)
        tile.inputs[start * padded + count * wide : (start + wide) * padded] = 0
        for part in range(0, wide, unit):
            for column in range(0, padded, unit):
                flip(
                    tile.inputs, start * padded + column * wide + part, wide, tile.values,
                    (start + part) * tile.stride + column, tile.stride,
                )  # fmt: skip


@inlined
def _forward(net: Any, weights: Any, tile: Any, padded: Any) -> None:
    layers = net.widths.size - 1
    slope = weights.dtype.type(net.slope)
    for layer in range(layers):
        dense_forward(
            weights, net.parameters[layer], net.widths[layer], net.widths[layer + 1], tile.values,
            net.rows[layer] * tile.stride, net.rows[layer + 1] * tile.stride, tile.stride, padded,
            net.activation if layer < layers - 1 else 0, slope,
        )  # fmt: skip


@inlined
def wide_pass(
    net: Any, data: Any, order: Any, first: Any, count: Any, weights: Any, tile: Any, loaded: bool,
    descend_sum: bool, gradient: Any, outputs: Any, hits: Any, keep: bool, stepping: bool, rule: Any, rate: Any,
    left1: Any, left2: Any, slot1: Any, slot2: Any,
) -> float:  # fmt: skip
    """Loss of a batch and, where `gradient` has room, the gradient of what is descended on and a step down it.

    Args:
        net: the network.
        data: the training set.
        order: `int32[n]` sample indices, or empty for the natural order.
        first: where the batch begins in that order.
        count: samples in the batch.
        weights: `[D]`, in place.
        tile: scratch.
        loaded: whether the tile already holds this very batch as its only one.
        descend_sum: take the gradient of the sum of outputs, not of the loss.
        gradient: `[D]`, overwritten; or empty for a forward pass alone.
        outputs: `[out * n]`, overwritten for the samples of the batch; or empty.
        hits: `int64[1]`, to which the number of samples classified correctly is added; or empty.
        keep: whether the gradient is wanted; where it is not, `gradient` means nothing afterwards.
        stepping: take the optimizer's step.
        rule: the optimizer; see `step` for this and what follows.
        rate: the learning rate.
        left1: beta1 to the power of the steps taken.
        left2: beta2 likewise.
        slot1: like the weights.
        slot2: like the weights.

    Returns:
        The loss, reduced to its mean.
    """
    layers = net.widths.size - 1
    width, values, stride, unit = net.widths[layers], tile.values, tile.stride, lanes_of(weights)
    kind = weights.dtype.type
    slope = kind(net.slope)
    terms = count * width if net.loss == MSE else count
    scale = kind((2.0 if net.loss == MSE else 1.0) / terms)
    kept = keep or not stepping or count > tile.columns
    total = 0.0
    for start in range(0, count, tile.columns):
        size = min(tile.columns, count - start)
        padded = (size + unit - 1) // unit * unit
        if not loaded:
            _load(net, data, order, first + start, size, padded, tile)
        _forward(net, weights, tile, padded)
        delta, spare = net.rows[layers + 1] * stride, net.rows[layers + 2] * stride
        if net.loss == MSE:
            total += squared_error(net, data, order, first + start, size, tile, delta, scale)
        else:
            total += cross_entropy(net, data, order, first + start, size, tile, delta, scale)
        if hits.size:
            hits[0] += correct(net, data, order, first + start, size, tile)
        if outputs.size:
            for o in range(width):
                row = (net.rows[layers] + o) * stride
                place = o * data.size + first + start
                # Not as slices: numba would compile what puts their shapes into an error message.
                for column in range(size):
                    outputs[place + column] = values[row + column]
        if gradient.size:
            for o in range(width):
                row = delta + o * stride
                if descend_sum:
                    values[row : row + size] = 1
                values[row + size : row + padded] = 0
            for layer in range(layers - 1, -1, -1):
                inputs, source, place = net.widths[layer], net.rows[layer] * stride, net.parameters[layer]
                if layer:
                    dense_backward(
                        weights, place, inputs, net.widths[layer + 1], tile.zeros, values, delta, spare, source,
                        stride, padded, net.activation, slope,
                    )  # fmt: skip
                    dense_panels(inputs, values, source, stride, padded, tile.hidden)
                dense_gradient(
                    inputs, net.widths[layer + 1], values, delta, stride, tile.hidden if layer else tile.inputs,
                    size, padded, gradient if kept else tile.strip, place if kept else -1, start > 0,
                    stepping and start + size == count, rule, rate, left1, left2, weights, place, slot1, slot2,
                )  # fmt: skip
                delta, spare = spare, delta
    return total / terms
