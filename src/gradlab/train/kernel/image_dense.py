"""The fully connected layers of a convolutional network, its softmax and its loss, over a group of examples.

Rows are features, columns are examples.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradlab.train.kernel.dense import dense_backward, dense_gradient, dense_panels
from gradlab.train.kernel.image_plan import ACTIVE, CHANNELS_OUT, IN_CHANNELS, SOURCE, START, TARGET
from gradlab.train.kernel.layout import LEAKY_RECTIFIED, RECTIFIED, ROWS, TANH, lanes_of
from gradlab.train.kernel.vector import compiled


@compiled
def derive(net: Any, s: Any, delta: Any, padded: Any) -> None:
    """Multiply gradients by the derivative of the layer's activation, in place.

    Args:
        net: the network and its scratch.
        s: where in the plan the stage is.
        delta: where the gradient by the layer's results begins.
        padded: columns.
    """
    p, values, stride = net.plan, net.scratch, net.stride
    code, slope = p[s + ACTIVE], values.dtype.type(net.slope)
    for unit in range(p[s + CHANNELS_OUT]):
        first, away = p[s + TARGET] + unit * stride, delta + unit * stride
        outputs, line = values[first : first + padded], values[away : away + padded]
        if code == RECTIFIED:
            for k in range(padded):
                line[k] = 0 if outputs[k] <= 0 else line[k]
        elif code == LEAKY_RECTIFIED:
            for k in range(padded):
                line[k] = line[k] if outputs[k] > 0 else line[k] * slope
        elif code == TANH:
            for k in range(padded):
                line[k] -= line[k] * outputs[k] * outputs[k]


@compiled
def layer_back(
    net: Any, s: Any, rule: Any, weights: Any, tiles: Any, count: Any, delta: Any, target: Any, begun: bool,
    gradient: Any,
) -> None:  # fmt: skip
    """One layer backwards.

    Args:
        net: the network and its scratch.
        s: where in the plan the stage is.
        rule: the optimizer, which is not used here.
        weights: `[D]`.
        tiles: in the group.
        count: examples in the group.
        delta: where the gradient by the layer's sums begins.
        target: where that by its inputs goes; negative if it is not wanted.
        begun: whether earlier groups of the batch are in the gradient already.
        gradient: `[D]`.
    """
    p, values, stride = net.plan, net.scratch, net.stride
    inputs, width, start, source = p[s + IN_CHANNELS], p[s + CHANNELS_OUT], p[s + START], p[s + SOURCE]
    columns = tiles * lanes_of(values)
    if target >= 0:
        zeros = values[net.zeros : net.zeros + ROWS]
        dense_backward(
            weights, start, inputs, width, zeros, values, delta, target, source, stride, columns, 0,
            weights.dtype.type(0),
        )  # fmt: skip
    panels = values[net.panels :]
    dense_panels(inputs, values, source, stride, columns, panels)
    dense_gradient(
        inputs, width, values, delta, stride, panels, count, columns, gradient, start, begun, False, rule, 0.0,
        1.0, 1.0, weights, start, weights, weights,
    )  # fmt: skip


@compiled
def softmax(net: Any, count: Any) -> None:
    """Outputs become shares of one, in place."""
    values, stride, width = net.scratch, net.stride, net.outputs
    first = net.output
    for column in range(first, first + count):
        largest = values[column]
        for unit in range(1, width):
            largest = max(largest, values[column + unit * stride])
        mass = values.dtype.type(0)
        for unit in range(width):
            power = math.exp(values[column + unit * stride] - largest)
            values[column + unit * stride] = power
            mass += power
        for unit in range(width):
            values[column + unit * stride] /= mass


@compiled
def softmax_back(net: Any, count: Any, delta: Any) -> None:
    """The gradient before the softmax, in place."""
    values, stride, width = net.scratch, net.stride, net.outputs
    first = net.output
    for column in range(count):
        mean = values.dtype.type(0)
        for unit in range(width):
            mean += values[first + column + unit * stride] * values[delta + column + unit * stride]
        for unit in range(width):
            place = delta + column + unit * stride
            values[place] = values[first + column + unit * stride] * (values[place] - mean)


@compiled
def class_loss(
    net: Any, data: Any, order: Any, first: Any, count: Any, delta: Any, scale: Any
) -> tuple[float, int]:
    """Sum of -log softmax(output)[label] over a group, and its gradient by the outputs.

    Args:
        net: the network and its scratch.
        data: the examples.
        order: `int32[n]` indices, or empty for the natural order.
        first: where the group begins in that order.
        count: examples in the group.
        delta: where the gradient goes.
        scale: of the gradient.

    Returns:
        The sum, and how many examples have their largest output at their label. NaN is larger than any number.
    """
    values, stride, width = net.scratch, net.stride, net.outputs
    output = net.output
    total, hits = 0.0, 0
    for column in range(count):
        example = order[first + column] if order.size else first + column
        label = data.labels[example]
        largest, best = values[output + column], 0
        for unit in range(1, width):
            value = values[output + unit * stride + column]
            if value > largest or (np.isnan(value) and not np.isnan(largest)):
                largest, best = value, unit
        hits += best == label
        mass = values.dtype.type(0)
        for unit in range(width):
            power = math.exp(values[output + unit * stride + column] - largest)
            values[delta + unit * stride + column] = power
            mass += power
        total += math.log(mass) - (values[output + label * stride + column] - largest)
        for unit in range(width):
            place = delta + unit * stride + column
            values[place] = scale * (values[place] / mass - (1 if unit == label else 0))
    return total, hits
