"""One fully connected layer, wide or narrow: forwards, backwards, and a step down its gradient.

The weights of a wide layer, its gradient and the optimizer's slots do not fit the cache together. A few rows of the
gradient are computed at a time, and the step over them is taken while they are at hand: weights and slots are read and
written once a step, and the gradient is never written to memory.
"""

from __future__ import annotations

from typing import Any

from gradlab.train.kernel.blocks import LEAKY, LEAKY_SLOPE, RELU, RELU_SLOPE, TANH_SLOPE, row_sums, tanh_row
from gradlab.train.kernel.layout import LEAKY_RECTIFIED, RECTIFIED, ROWS, TANH, lanes_of
from gradlab.train.kernel.panels import PANEL, finish_rows, flip, panel_outer, wide_product
from gradlab.train.kernel.update import step
from gradlab.train.kernel.vector import BLOCK, inlined


@inlined
def dense_forward(
    weights: Any, first: Any, inputs: Any, width: Any, values: Any, source: Any, target: Any, stride: Any,
    columns: Any, activation: Any, slope: Any,
) -> None:  # fmt: skip
    """Make target = activation(W source + bias), features first and the batch last.

    Args:
        weights: flat; `W[width, inputs]` begins at `first`, its bias behind it.
        first: see `weights`.
        inputs: features of `source`.
        width: features of `target`.
        values: holds both, rows `stride` apart.
        source: where row 0 of the inputs begins in `values`.
        target: where row 0 of the outputs begins.
        stride: numbers from one row to the next.
        columns: samples, a multiple of the vector's lanes.
        activation: index into `ACTIVATIONS`; 0 for none.
        slope: of the leaky rectifier, of the weights' dtype.
    """
    blocks = (width + ROWS - 1) // ROWS
    row = 0
    for block in range(blocks):
        size = width // blocks + (1 if block < width % blocks else 0)
        wide_product(
            size, weights, first + row * inputs, inputs, 1, weights, first + inputs * width + row, values,
            source, target + row * stride, inputs, stride, columns,
        )  # fmt: skip
        row += size
    if activation == TANH:
        for unit in range(width):
            tanh_row(values, target + unit * stride, columns)
    elif activation:
        code = RELU if activation == RECTIFIED else LEAKY
        finish_rows(code, values, target, target, width, stride, columns, slope)


@inlined
def dense_backward(
    weights: Any, first: Any, inputs: Any, width: Any, zeros: Any, values: Any, delta: Any, target: Any,
    outputs: Any, stride: Any, columns: Any, activation: Any, slope: Any,
) -> None:  # fmt: skip
    """Make target = (W^T delta) * activation'(outputs), the gradient by what went into the activation below.

    Args:
        weights: flat; `W[width, inputs]` begins at `first`.
        first: see `weights`.
        inputs: features of `target`.
        width: features of `delta`.
        zeros: at least `ROWS` zeros.
        values: holds all of them, rows `stride` apart.
        delta: where the gradient by this layer's outputs begins in `values`.
        target: where the gradient by its inputs goes.
        outputs: where its inputs begin, the activations that the layer below gave.
        stride: numbers from one row to the next.
        columns: samples, a multiple of the vector's lanes.
        activation: of the layer below; 0 for none.
        slope: of the leaky rectifier, of the weights' dtype.
    """
    blocks = (inputs + ROWS - 1) // ROWS
    row = 0
    for block in range(blocks):
        size = inputs // blocks + (1 if block < inputs % blocks else 0)
        wide_product(
            size, weights, first + row, 1, inputs, zeros, 0, values, delta, target + row * stride, width, stride,
            columns,
        )  # fmt: skip
        row += size
    if activation:
        code = TANH_SLOPE
        if activation == RECTIFIED:
            code = RELU_SLOPE
        elif activation == LEAKY_RECTIFIED:
            code = LEAKY_SLOPE
        finish_rows(code, values, target, outputs, inputs, stride, columns, slope)


@inlined
def dense_panels(inputs: Any, values: Any, source: Any, stride: Any, columns: Any, panels: Any) -> None:
    """Copy a layer's inputs, features first, into panels: one sample after another, for `dense_gradient`.

    Args:
        inputs: features; up to a vector's lanes less one of rows behind them are read, but mean nothing.
        values: holds them, rows `stride` apart.
        source: where row 0 begins.
        stride: numbers from one row to the next.
        columns: samples, a multiple of the vector's lanes.
        panels: scratch of `columns` times `inputs`, rounded up to whole vectors.
    """
    unit = lanes_of(values)
    for first in range(0, inputs, PANEL * unit):
        width = min(PANEL * unit, (inputs - first + unit - 1) // unit * unit)
        for part in range(0, width, unit):
            for column in range(0, columns, unit):
                flip(
                    values, source + (first + part) * stride + column, stride, panels,
                    first * columns + column * width + part, width,
                )  # fmt: skip


@inlined
def dense_gradient(
    inputs: Any, width: Any, values: Any, delta: Any, stride: Any, panels: Any, count: Any, columns: Any,
    gradient: Any, place: Any, begun: Any, stepping: Any, rule: Any, rate: Any, left1: Any, left2: Any,
    weights: Any, first: Any, slot1: Any, slot2: Any,
) -> None:  # fmt: skip
    """The gradient of a layer's weights and bias over a tile, and the optimizer's step over them.

    Args:
        inputs: of the layer.
        width: its outputs.
        values: holds the deltas, rows `stride` apart.
        delta: where the gradient by the layer's outputs begins; zero from column `count` to `columns`.
        stride: numbers from one row to the next.
        panels: the layer's inputs, from `dense_panels`.
        count: samples.
        columns: samples in the panels, a multiple of the vector's lanes.
        gradient: where the gradient goes, or, where `place` is negative, scratch for `ROWS` rows of it and the bias.
        place: where in it the layer's begins, or -1 not to keep it.
        begun: add to what is there; needs a place.
        stepping: take the step.
        rule: the optimizer; see `step` for this and what follows.
        rate: the learning rate.
        left1: beta1 to the power of the steps taken.
        left2: beta2 likewise.
        weights: flat, in place.
        first: where the layer's begin in weights and slots.
        slot1: like the weights.
        slot2: like the weights.
    """
    unit = lanes_of(values)
    blocks = (width + ROWS - 1) // ROWS
    bias = place + inputs * width if place >= 0 else ROWS * inputs
    if not begun:
        gradient[bias : bias + width] = 0
    row = 0
    for block in range(blocks):
        size = width // blocks + (1 if block < width % blocks else 0)
        corner = place + row * inputs if place >= 0 else 0
        deltas = delta + row * stride
        for start in range(0, inputs, PANEL * unit):
            rest = min(PANEL * unit, inputs - start)
            vectors = (rest + unit - 1) // unit
            panel_outer(
                size, vectors, rest - (vectors - 1) * unit, values, deltas, stride, panels, start * columns, count,
                gradient, corner + start, inputs, begun,
            )  # fmt: skip
        if stepping:
            low, many = first + row * inputs, size * inputs
            step(
                rule, rate, many, left1, left2, weights[low : low + many], gradient[corner : corner + many],
                slot1[low : low + many], slot2[low : low + many],
            )  # fmt: skip
        row += size
    for row in range(0, width, BLOCK):
        size = min(BLOCK, width - row)
        row_sums(size, values, delta + row * stride, stride, columns, gradient, bias + row)
    if stepping:
        low = first + inputs * width
        step(
            rule, rate, width, left1, left2, weights[low : low + width], gradient[bias : bias + width],
            slot1[low : low + width], slot2[low : low + width],
        )  # fmt: skip
