"""The losses and their gradients by the network's outputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradlab.train.kernel.layout import MSE
from gradlab.train.kernel.vector import compiled


@compiled
def squared_error(
    net: Any, data: Any, order: Any, first: Any, count: Any, tile: Any, delta: Any, scale: Any
) -> float:
    """Sum of squared errors over a tile, and its gradient by the outputs.

    Args:
        net: the network.
        data: the training set.
        order: `int32[n]` sample indices, or empty for the natural order.
        first: where the tile begins in that order.
        count: samples in the tile.
        tile: scratch that holds the outputs.
        delta: where in it the gradient goes, a row an output.
        scale: of the gradient, one over what the mean divides by (twice that for squares).

    Returns:
        The loss summed over the tile, not yet divided.
    """
    layers = net.widths.size - 1
    width = net.widths[layers]
    values, stride = tile.values, tile.stride
    total = 0.0
    # Slices, because an index that may be negative keeps a loop from being vectorised.
    for unit in range(width):
        start = (net.rows[layers] + unit) * stride
        outputs = values[start : start + count]
        errors = values[delta + unit * stride : delta + unit * stride + count]
        if order.size:
            samples = order[first : first + count]
            for column in range(count):
                errors[column] = data.targets[samples[column] * width + unit]
        else:
            targets = data.targets[first * width + unit : (first + count) * width]
            for column in range(count):
                errors[column] = targets[column * width]
        for column in range(count):
            errors[column] = outputs[column] - errors[column]
        for column in range(count):
            total += errors[column] * errors[column]
        for column in range(count):
            errors[column] *= scale
    return total


@compiled
def cross_entropy(
    net: Any, data: Any, order: Any, first: Any, count: Any, tile: Any, delta: Any, scale: Any
) -> float:
    """Sum of -log softmax(output)[label] over a tile, and its gradient by the outputs.

    Args:
        net: the network.
        data: the training set.
        order: `int32[n]` sample indices, or empty for the natural order.
        first: where the tile begins in that order.
        count: samples in the tile.
        tile: scratch that holds the outputs.
        delta: where in it the gradient goes, a row an output.
        scale: of the gradient, one over what the mean divides by (twice that for squares).

    Returns:
        The loss summed over the tile, not yet divided.
    """
    layers = net.widths.size - 1
    width = net.widths[layers]
    values, stride = tile.values, tile.stride
    output = net.rows[layers] * stride
    total = 0.0
    for column in range(count):
        sample = order[first + column] if order.size else first + column
        label = data.labels[sample]
        largest = values[output + column]
        for unit in range(1, width):
            largest = max(largest, values[output + unit * stride + column])
        mass = values.dtype.type(0)
        for unit in range(width):
            power = math.exp(values[output + unit * stride + column] - largest)
            values[delta + unit * stride + column] = power
            mass += power
        total += math.log(mass) - (values[output + label * stride + column] - largest)
        for unit in range(width):
            place = delta + unit * stride + column
            values[place] = scale * (values[place] / mass - (1 if unit == label else 0))
    return total


@compiled
def correct(net: Any, data: Any, order: Any, first: Any, count: Any, tile: Any) -> int:
    """How many samples of a tile have their largest output, the first of equals, at their label.

    Args:
        net: the network.
        data: the training set, with labels.
        order: `int32[n]` sample indices, or empty for the natural order.
        first: where the tile begins in that order.
        count: samples in the tile.
        tile: scratch that holds the outputs.

    Returns:
        The number. As in NumPy and PyTorch, NaN is larger than any number.
    """
    layers = net.widths.size - 1
    hits = 0
    for column in range(count):
        sample = order[first + column] if order.size else first + column
        outputs = tile.values[net.rows[layers] * tile.stride + column :: tile.stride]
        hits += _largest(outputs, net.widths[layers]) == data.labels[sample]
    return hits


@compiled
def _largest(outputs: Any, width: Any) -> int:
    best, most = 0, outputs[0]
    for unit in range(1, width):
        value = outputs[unit]
        if value > most or (np.isnan(value) and not np.isnan(most)):
            best, most = unit, value
    return best


@compiled
def sample_correct(net: Any, data: Any, sample: Any, row: Any) -> int:
    """1 if the largest output of the sample whose activations `row` holds is at its label, else 0."""
    layers = net.widths.size - 1
    outputs = row.values[row.places[layers] : row.places[layers + 1]]
    return 1 if _largest(outputs, net.widths[layers]) == data.labels[sample] else 0


@compiled
def sample_loss(net: Any, data: Any, sample: Any, output: Any, delta: Any, width: Any) -> float:
    """Loss of one sample, and its gradient by the outputs into `delta`."""
    kind = output.dtype.type
    if net.loss == MSE:
        total = 0.0
        scale = kind(2.0 / width)
        targets = data.targets[sample * width : (sample + 1) * width]
        for unit in range(width):
            error = output[unit] - targets[unit]
            total += error * error
            delta[unit] = scale * error
        return total / width
    label = data.labels[sample]
    largest = output[0]
    for unit in range(1, width):
        largest = max(largest, output[unit])
    mass = kind(0)
    for unit in range(width):
        delta[unit] = math.exp(output[unit] - largest)
        mass += delta[unit]
    loss = math.log(mass) - (output[label] - largest)
    for unit in range(width):
        delta[unit] = delta[unit] / mass - (1 if unit == label else 0)
    return loss
