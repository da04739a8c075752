"""Forward and backward passes over one sample, for batch size 1."""

from __future__ import annotations

from typing import Any

from gradlab.train.kernel.blocks import LEAKY, LEAKY_SLOPE, PLAIN, RELU, RELU_SLOPE, TANH_SLOPE, tanh_row
from gradlab.train.kernel.layout import LEAKY_RECTIFIED, RECTIFIED, TANH, lanes_of
from gradlab.train.kernel.losses import sample_loss
from gradlab.train.kernel.rows import backward_rows, forward_rows, outer_rows
from gradlab.train.kernel.vector import inlined


@inlined
def sample_pass(
    net: Any, data: Any, sample: Any, weights: Any, row: Any, descend_sum: bool, gradient: Any
) -> float:
    """Loss of one sample, and the gradient of what is descended on.

    Args:
        net: the network.
        data: the training set.
        sample: index of the sample.
        weights: `[D]` and a vector of room.
        row: scratch.
        descend_sum: take the gradient of the sum of outputs, not of the loss.
        gradient: `[D]` and a vector of room, overwritten.

    Returns:
        The loss.
    """
    layers = net.widths.size - 1
    values, places = row.values, row.places
    slope = weights.dtype.type(net.slope)
    unit = lanes_of(weights)
    width = net.widths[0]
    inputs = data.inputs[sample * width : (sample + 1) * width]
    for i in range(width):
        values[i] = inputs[i]
    forward, backward = PLAIN, PLAIN
    if net.activation == RECTIFIED:
        forward, backward = RELU, RELU_SLOPE
    elif net.activation == LEAKY_RECTIFIED:
        forward, backward = LEAKY, LEAKY_SLOPE
    elif net.activation == TANH:
        backward = TANH_SLOPE
    for layer in range(layers):
        across, width = net.widths[layer], net.widths[layer + 1]
        start = net.parameters[layer]
        blocks = (width + unit - 1) // unit
        first = 0
        for block in range(blocks):
            size = width // blocks + (1 if block < width % blocks else 0)
            forward_rows(
                size, weights, start + first * across, start + across * width + first, values, places[layer],
                places[layer + 1] + first, across, forward if layer < layers - 1 else PLAIN, slope,
            )  # fmt: skip
            first += size
        if layer < layers - 1 and net.activation == TANH:
            tanh_row(values, places[layer + 1], blocks * unit)
    away = places[layers + 1]
    width = net.widths[layers]
    output = values[places[layers] : places[layers] + width]
    delta = values[away + places[layers] : away + places[layers] + width]
    loss = sample_loss(net, data, sample, output, delta, width)
    if descend_sum:
        delta[:] = 1
    for layer in range(layers - 1, 0, -1):
        across, width = net.widths[layer], net.widths[layer + 1]
        blocks = (width + unit - 1) // unit
        first = 0
        for block in range(blocks):
            size = width // blocks + (1 if block < width % blocks else 0)
            backward_rows(
                size, weights, net.parameters[layer] + first * across, values, away + places[layer + 1] + first,
                away + places[layer], places[layer], across, block > 0,
                backward if block == blocks - 1 else PLAIN, slope,
            )  # fmt: skip
            first += size
    for layer in range(layers):
        outer_rows(
            net.widths[layer + 1], values, away + places[layer + 1], places[layer], net.widths[layer], gradient,
            net.parameters[layer],
        )  # fmt: skip
    return loss
