"""Forward and backward passes over a batch, one cache-sized tile of samples at a time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

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
from gradlab.train.kernel.vector import BLOCK, VECTOR_BYTES, compiled, inlined, lanes

ACTIVATIONS = ("identity", "relu", "leaky_relu", "tanh")
IDENTITY, RECTIFIED, LEAKY_RECTIFIED, TANH = range(4)
LOSSES = ("mse", "cross_entropy")
MSE, CROSS_ENTROPY = range(2)

_CACHE = 400_000
"""Bytes of activations that a tile may take: well inside a core's second-level cache."""
_MOST_COLUMNS = 512


class Net(NamedTuple):
    """The network as compiled code sees it; L layers.

    Attributes:
        widths: `int64[L + 1]`, inputs first.
        parameters: `int64[L + 1]`, where each layer's weights begin in the flat vector; last, its length.
        rows: `int64[L + 3]`, the first row in the tile of each layer's activations, then of the two buffers of deltas.
        activation: index into `ACTIVATIONS`.
        loss: index into `LOSSES`.
        slope: of the leaky rectifier.
    """

    widths: Any
    parameters: Any
    rows: Any
    activation: int
    loss: int
    slope: float


class Samples(NamedTuple):
    """A training set as compiled code sees it, flat and one sample after another.

    Attributes:
        inputs: `[n * in]`.
        targets: `[n * out]`, or empty.
        labels: `int64[n]`, or empty.
        count: n.
    """

    inputs: Any
    targets: Any
    labels: Any
    count: int


class Tile(NamedTuple):
    """Scratch for one tile: every layer's activations, then two buffers of deltas.

    Attributes:
        values: the numbers, rows `stride` apart.
        zeros: `[BLOCK]` zeros, the bias of a backward product.
        stride: numbers from one row to the next.
        columns: most samples in a tile, a multiple of the vector's lanes.
    """

    values: Any
    zeros: Any
    stride: int
    columns: int


def tile_columns(widths: tuple[int, ...], itemsize: int, batch: int) -> int:
    """How many samples a tile holds: all of the batch if its activations fit the cache.

    >>> tile_columns((1, 5, 5, 1), 4, 500)
    512
    """
    unit = lanes(itemsize)
    rows = sum(widths) + 2 * max(widths[1:])
    fit = max(_CACHE // (rows * itemsize) // (4 * unit) * (4 * unit), 4 * unit)
    return min(fit, _MOST_COLUMNS, -(-batch // unit) * unit)


def make_tile(widths: tuple[int, ...], dtype: np.dtype[Any], batch: int) -> Tile:
    """Allocate the scratch for batches of `batch` samples."""
    columns = tile_columns(widths, dtype.itemsize, batch)
    # One vector more than the columns, so that rows do not all start in the same cache set.
    stride = columns + lanes(dtype.itemsize)
    rows = sum(widths) + 2 * max(widths[1:])
    return Tile(aligned(rows * stride, dtype), np.zeros(BLOCK, dtype), stride, columns)


def aligned(size: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Zeros whose first number begins a cache line."""
    line = 64 // dtype.itemsize
    room = np.zeros(size + line, dtype)
    skip = (-room.ctypes.data % 64) // dtype.itemsize
    return room[skip : skip + size]


@compiled
def lanes_of(values: Any) -> int:
    """Lanes of a vector of this array's numbers."""
    return VECTOR_BYTES // values.itemsize


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


@compiled
def _squared_error(net: Any, data: Any, order: Any, first: Any, count: Any, tile: Any, delta: Any, scale: Any) -> float:
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
def _cross_entropy(net: Any, data: Any, order: Any, first: Any, count: Any, tile: Any, delta: Any, scale: Any) -> float:
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
        across = (inputs + BLOCK - 1) // BLOCK
        blocks = (width + BLOCK - 1) // BLOCK
        row = 0
        for block in range(blocks):
            size = width // blocks + (1 if block < width % blocks else 0)
            row_sums(size, tile.values, delta + row * stride, stride, padded, gradient, start + inputs * width + row)
            column = 0
            for part in range(across):
                some = inputs // across + (1 if part < inputs % across else 0)
                outer(
                    size, some, tile.values, delta + row * stride, source + column * stride, stride, padded,
                    gradient, start + row * inputs + column, inputs,
                )  # fmt: skip
                column += some
            row += size
        if layer:
            column = 0
            for part in range(across):
                some = inputs // across + (1 if part < inputs % across else 0)
                product(
                    some, weights, start + column, 1, inputs, tile.zeros, 0, tile.values, delta,
                    spare + column * stride, source + column * stride, width, stride, padded, epilogue, slope,
                )  # fmt: skip
                column += some
            delta, spare = spare, delta


@compiled
def batch_pass(
    net: Any, data: Any, order: Any, first: Any, count: Any, weights: Any, tile: Any, loaded: bool,
    descend_sum: bool, gradient: Any, outputs: Any,
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
            total += _squared_error(net, data, order, first + start, size, tile, delta, scale)
        else:
            total += _cross_entropy(net, data, order, first + start, size, tile, delta, scale)
        if outputs.size:
            for o in range(width):
                row = (net.rows[layers] + o) * stride
                place = o * data.count + first + start
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
