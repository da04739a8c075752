"""Forward and backward passes over a batch, one cache-sized tile of samples at a time."""

from __future__ import annotations

from typing import Any

from gradlab.train.kernel.blocks import (
    LEAKY,
    LEAKY_SLOPE,
    PLAIN,
    RELU,
    RELU_SLOPE,
    TANH_SLOPE,
    outer,
    product,
    row_sums,
    tanh_row,
)
from gradlab.train.kernel.layout import LEAKY_RECTIFIED, MSE, RECTIFIED, TANH, lanes_of
from gradlab.train.kernel.losses import correct, cross_entropy, squared_error
from gradlab.train.kernel.vector import BLOCK, STRIP, inlined


@inlined
def _load(net: Any, data: Any, order: Any, first: Any, count: Any, padded: Any, tile: Any) -> None:
    width = net.widths[0]
    # Sample by sample: reading is what misses the cache when there are many inputs.
    for column in range(count):
        sample = order[first + column] if order.size else first + column
        inputs = data.inputs[sample * width : (sample + 1) * width]
        for i in range(width):
            tile.values[i * tile.stride + column] = inputs[i]
    for i in range(width):
        for column in range(count, padded):
            tile.values[i * tile.stride + column] = 0


@inlined
def _forward(net: Any, weights: Any, tile: Any, padded: Any) -> None:
    layers = net.widths.size - 1
    slope = weights.dtype.type(net.slope)
    for layer in range(layers):
        inputs, width = net.widths[layer], net.widths[layer + 1]
        start = net.parameters[layer]
        source, target = net.rows[layer] * tile.stride, net.rows[layer + 1] * tile.stride
        epilogue = PLAIN
        if layer < layers - 1:
            if net.activation == RECTIFIED:
                epilogue = RELU
            elif net.activation == LEAKY_RECTIFIED:
                epilogue = LEAKY
        blocks = (width + BLOCK - 1) // BLOCK
        row = 0
        for block in range(blocks):
            size = width // blocks + (1 if block < width % blocks else 0)
            product(
                size, weights, start + row * inputs, inputs, 1, weights, start + inputs * width + row, tile.values,
                source, target + row * tile.stride, 0, inputs, tile.stride, padded, epilogue, slope,
            )  # fmt: skip
            row += size
        if layer < layers - 1 and net.activation == TANH:
            for unit in range(width):
                tanh_row(tile.values, target + unit * tile.stride, padded)


@inlined
def _backward(net: Any, weights: Any, tile: Any, padded: Any, delta: Any, spare: Any, gradient: Any) -> None:
    layers = net.widths.size - 1
    stride = tile.stride
    slope = weights.dtype.type(net.slope)
    epilogue = PLAIN
    if net.activation == RECTIFIED:
        epilogue = RELU_SLOPE
    elif net.activation == LEAKY_RECTIFIED:
        epilogue = LEAKY_SLOPE
    elif net.activation == TANH:
        epilogue = TANH_SLOPE
    for layer in range(layers - 1, -1, -1):
        inputs, width = net.widths[layer], net.widths[layer + 1]
        start = net.parameters[layer]
        source = net.rows[layer] * stride
        strips = (inputs + STRIP - 1) // STRIP
        blocks = (width + BLOCK - 1) // BLOCK
        row = 0
        for block in range(blocks):
            size = width // blocks + (1 if block < width % blocks else 0)
            row_sums(
                size,
                tile.values,
                delta + row * stride,
                stride,
                padded,
                gradient,
                start + inputs * width + row,
            )
            column = 0
            for strip in range(strips):
                some = inputs // strips + (1 if strip < inputs % strips else 0)
                outer(
                    size, some, tile.values, delta + row * stride, source + column * stride, stride, padded,
                    gradient, start + row * inputs + column, inputs,
                )  # fmt: skip
                column += some
            row += size
        if layer:
            across = (inputs + BLOCK - 1) // BLOCK
            column = 0
            for part in range(across):
                some = inputs // across + (1 if part < inputs % across else 0)
                product(
                    some, weights, start + column, 1, inputs, tile.zeros, 0, tile.values, delta,
                    spare + column * stride, source + column * stride, width, stride, padded, epilogue, slope,
                )  # fmt: skip
                column += some
            delta, spare = spare, delta


@inlined
def batch_pass(
    net: Any, data: Any, order: Any, first: Any, count: Any, weights: Any, tile: Any, loaded: bool,
    descend_sum: bool, gradient: Any, outputs: Any, hits: Any, keep: bool, stepping: bool, rule: Any, rate: Any,
    left1: Any, left2: Any, slot1: Any, slot2: Any,
) -> float:  # fmt: skip
    """Loss of a batch and, where `gradient` has room, the gradient of what is descended on.

    Args:
        net: the network.
        data: the training set.
        order: `int32[n]` sample indices, or empty for the natural order.
        first: where the batch begins in that order.
        count: samples in the batch.
        weights: `[D]`.
        tile: scratch.
        loaded: whether the tile already holds this very batch as its only one.
        descend_sum: take the gradient of the sum of outputs, not of the loss.
        gradient: `[D]`, overwritten; or empty for a forward pass alone.
        outputs: `[out * n]`, overwritten for the samples of the batch; or empty.
        hits: `int64[1]`, to which the number of samples classified correctly is added; or empty.
        keep: taken, as what follows, for the sake of `wide_pass`.
        stepping: not used.
        rule: not used.
        rate: not used.
        left1: not used.
        left2: not used.
        slot1: not used.
        slot2: not used.

    Returns:
        The loss, reduced to its mean.
    """
    layers = net.widths.size - 1
    width = net.widths[layers]
    stride = tile.stride
    delta = net.rows[layers + 1] * stride
    spare = net.rows[layers + 2] * stride
    unit = lanes_of(weights)
    kind = weights.dtype.type
    terms = count * width if net.loss == MSE else count
    scale = kind((2.0 if net.loss == MSE else 1.0) / terms)
    gradient[:] = 0
    total = 0.0
    for start in range(0, count, tile.columns):
        size = min(tile.columns, count - start)
        padded = (size + unit - 1) // unit * unit
        if not loaded:
            _load(net, data, order, first + start, size, padded, tile)
        _forward(net, weights, tile, padded)
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
                for column in range(size):
                    outputs[place + column] = tile.values[row + column]
        if gradient.size:
            for o in range(width):
                row = delta + o * stride
                if descend_sum:
                    tile.values[row : row + size] = 1
                tile.values[row + size : row + padded] = 0
            _backward(net, weights, tile, padded, delta, spare, gradient)
    return total / terms
