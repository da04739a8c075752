"""The stages of a convolutional network over its tiles, forwards and backwards."""

from __future__ import annotations

from typing import Any

from gradlab.train.kernel.blocks import LEAKY, LEAKY_SLOPE, PLAIN, RELU, RELU_SLOPE, TANH_SLOPE, tanh_row
from gradlab.train.kernel.conv import (
    CHANNELS,
    DELTAS,
    PIXELS,
    TERMS,
    convolve,
    convolve_pooled,
    correlate,
    fold,
)
from gradlab.train.kernel.image_plan import (
    ACTIVE,
    BACK_PACK,
    BACK_TABLE,
    BASE,
    CHANNELS_OUT,
    CHOSEN,
    CHUNK,
    CONV,
    FIELDS,
    HEIGHT,
    IN_CHANNELS,
    IN_HEIGHT,
    IN_WIDTH,
    KERNEL,
    KIND,
    LINE,
    MODULE,
    ORIGIN,
    PACK,
    PLANE,
    SOURCE,
    SPREAD,
    SPREAD_CORNER,
    SPREAD_LINE,
    SPREAD_PLANE,
    SPREAD_TILE,
    START,
    TABLE,
    TARGET,
    WIDTH,
    WINDOW,
)
from gradlab.train.kernel.layout import LEAKY_RECTIFIED, RECTIFIED, TANH, lanes_of
from gradlab.train.kernel.pool import pool_line, spread, unpool_line
from gradlab.train.kernel.vector import compiled, inlined

_BAND = 64
"""Pixels of a band of lines whose gradients stay in the nearest cache while they meet every input channel."""


@compiled
def epilogue_of(activation: int) -> int:
    """What the loops do to sums before they store them."""
    if activation == RECTIFIED:
        return RELU
    return LEAKY if activation == LEAKY_RECTIFIED else PLAIN


@compiled
def slope_of(activation: int) -> int:
    """What the loops do to gradients by an activation."""
    if activation == RECTIFIED:
        return RELU_SLOPE
    if activation == LEAKY_RECTIFIED:
        return LEAKY_SLOPE
    return TANH_SLOPE if activation == TANH else PLAIN


@inlined
def pack(net: Any, weights: Any, backward: bool) -> None:
    """Copy the weights of convolutions into the order in which the loops read them."""
    p = net.plan
    for stage in range(net.spatial):
        s = stage * FIELDS
        if p[s + KIND] == CONV:
            out, channels, area = p[s + CHANNELS_OUT], p[s + IN_CHANNELS], p[s + KERNEL] * p[s + KERNEL]
            _pack_rows(
                net.scratch, p[s + PACK], weights, p[s + START], out, channels * area, channels, area, area, 1
            )
            if backward and stage > net.lowest:
                _pack_rows(
                    net.scratch, p[s + BACK_PACK], weights, p[s + START] + area - 1, channels, area, out,
                    channels * area, area, -1,
                )  # fmt: skip


@compiled
def _pack_rows(
    packed: Any, target: Any, weights: Any, start: Any, rows: Any, row_step: Any, summed: Any, summed_step: Any,
    area: Any, place_step: Any,
) -> None:  # fmt: skip
    """Blocks of rows, in each block term by term; the terms are each summed channel's kernel places."""
    blocks = (rows + CHANNELS - 1) // CHANNELS
    row = 0
    for block in range(blocks):
        size = rows // blocks + (1 if block < rows % blocks else 0)
        for channel in range(summed):
            for place in range(area):
                term = start + channel * summed_step + place * place_step
                for q in range(size):
                    packed[target] = weights[term + (row + q) * row_step]
                    target += 1
        row += size


@compiled
def convolve_tile(net: Any, s: Any, weights: Any, tile: Any, chosen: Any) -> None:
    """A convolution of one tile, its activation and its pooling.

    Args:
        net: the network and its scratch.
        s: where in the plan the stage is.
        weights: `[D]`.
        tile: where in the scratch the tile begins.
        chosen: where in `net.chosen` the tile's choices begin.
    """
    p, values = net.plan, net.scratch
    unit = lanes_of(values)
    source, target = p[s + SOURCE], p[s + TARGET]
    out, terms = p[s + CHANNELS_OUT], p[s + IN_CHANNELS] * p[s + KERNEL] * p[s + KERNEL]
    height, width, window, line = p[s + HEIGHT], p[s + WIDTH], p[s + WINDOW], p[source + LINE]
    plane = p[target + PLANE]
    bias = p[s + START] + out * terms
    slope = weights.dtype.type(net.slope)
    epilogue = epilogue_of(p[s + ACTIVE])
    blocks = (out + CHANNELS - 1) // CHANNELS
    for y in range(height):
        begin = tile + p[source + BASE] + y * window * line
        result = tile + p[target + ORIGIN] + y * p[target + LINE]
        row = 0
        for block in range(blocks):
            size = out // blocks + (1 if block < out % blocks else 0)
            if window == 2:
                convolve_pooled(
                    size, values, p[s + PACK] + row * terms, weights, bias + row, p, p[s + TABLE], terms, values, begin,
                    line, result + row * plane, plane, net.chosen,
                    chosen + p[s + CHOSEN] + (row * height + y) * width * unit, height * width * unit, width, epilogue,
                    slope,
                )  # fmt: skip
            else:
                _line(
                    p, values, size, p[s + PACK] + row * terms, weights, bias + row, p[s + TABLE], terms, begin,
                    result + row * plane, plane, width, epilogue, slope,
                )  # fmt: skip
            row += size
        if p[s + ACTIVE] == TANH:
            for channel in range(out):
                tanh_row(values, result + channel * plane, width * unit)


@compiled
def _line(
    plan: Any, values: Any, size: Any, packed: Any, bias: Any, bias_first: Any, table: Any, terms: Any, source: Any,
    target: Any, plane: Any, width: Any, epilogue: Any, slope: Any,
) -> None:  # fmt: skip
    """One line of outputs, in groups of pixels as equal as can be."""
    unit = lanes_of(values)
    groups = (width + PIXELS - 1) // PIXELS
    vectors, count = width // groups + 1, width % groups
    for _ in range(2):
        convolve(
            size, vectors, values, packed, bias, bias_first, plan, table, terms, values, source, values, target, plane,
            count, epilogue, slope,
        )  # fmt: skip
        source += count * vectors * unit
        target += count * vectors * unit
        vectors, count = vectors - 1, groups - count


@compiled
def pool_tile(net: Any, s: Any, tile: Any, chosen: Any) -> None:
    """A pooling of one tile that does not follow a convolution at once."""
    p, values = net.plan, net.scratch
    unit = lanes_of(values)
    source, target, window = p[s + SOURCE], p[s + TARGET], p[s + WINDOW]
    for channel in range(p[s + CHANNELS_OUT]):
        begin = tile + p[source + ORIGIN] + channel * p[source + PLANE]
        result = tile + p[target + ORIGIN] + channel * p[target + PLANE]
        for y in range(p[s + HEIGHT]):
            pool_line(
                window, values, begin + y * window * p[source + LINE], p[source + LINE], result + y * p[target + LINE],
                net.chosen, chosen + p[s + CHOSEN] + (channel * p[s + HEIGHT] + y) * p[s + WIDTH] * unit, p[s + WIDTH],
            )  # fmt: skip


@compiled
def unpool_tile(net: Any, s: Any, delta: Any, target: Any, chosen: Any) -> None:
    """The gradient before such a pooling, from `delta` to `target`."""
    p, values = net.plan, net.scratch
    unit = lanes_of(values)
    line, window = p[s + IN_WIDTH] * unit, p[s + WINDOW]
    values[target : target + p[s + CHANNELS_OUT] * p[s + IN_HEIGHT] * line] = 0
    for channel in range(p[s + CHANNELS_OUT]):
        for y in range(p[s + HEIGHT]):
            row = (channel * p[s + HEIGHT] + y) * p[s + WIDTH] * unit
            unpool_line(
                window, values, delta + row, net.chosen, chosen + p[s + CHOSEN] + row,
                target + (channel * p[s + IN_HEIGHT] + y * window) * line, line, p[s + WIDTH],
            )  # fmt: skip


@compiled
def convolve_back(
    net: Any, stage: Any, weights: Any, tiles: Any, delta: Any, target: Any, gradient: Any
) -> None:
    """Gradients of a convolution's weights, biases and inputs, summed over a group of tiles.

    Args:
        net: the network and its scratch.
        stage: which stage.
        weights: `[D]`.
        tiles: in the group.
        delta: where the gradient by the stage's results begins.
        target: where the gradient by its inputs goes.
        gradient: `[D]`, added to.
    """
    p, values, s = net.plan, net.scratch, stage * FIELDS
    unit = lanes_of(values)
    out, area = p[s + CHANNELS_OUT], p[s + KERNEL] * p[s + KERNEL]
    terms = p[s + IN_CHANNELS] * area
    values[net.sums : net.sums + (out * terms + out) * unit] = 0
    for tile in range(0, tiles, p[s + CHUNK]):
        count = min(p[s + CHUNK], tiles - tile)
        for k in range(count):
            _spread_tile(net, s, weights, tile + k, k, delta)
            if stage > net.lowest:
                _carry_back(net, s, weights, k, target + (tile + k) * net.delta_size)
        _correlate_tiles(net, s, tile, count)
    blocks = (out + DELTAS - 1) // DELTAS
    parts = (area + TERMS - 1) // TERMS
    row = 0
    for block in range(blocks):
        size = out // blocks + (1 if block < out % blocks else 0)
        term = 0
        for part in range(p[s + IN_CHANNELS] * parts):
            width = area // parts + (1 if part % parts < area % parts else 0)
            fold(
                size, width, values, net.sums + (row * terms + size * term) * unit, gradient,
                p[s + START] + row * terms + term, terms,
            )  # fmt: skip
            term += width
        row += size
    bias = net.bounds[p[s + MODULE], 1]
    for channel in range(out):
        fold(1, 1, values, net.sums + (out * terms + channel) * unit, gradient, bias + channel, 0)


@inlined
def _spread_tile(net: Any, s: Any, weights: Any, tile: Any, k: Any, delta: Any) -> None:
    """The gradient by a convolution's sums of one tile, before pooling and activation, into place k."""
    p, values = net.plan, net.scratch
    unit = lanes_of(values)
    target = p[s + TARGET]
    area = p[s + HEIGHT] * p[s + WIDTH] * unit
    bias = net.sums + p[s + CHANNELS_OUT] * p[s + IN_CHANNELS] * p[s + KERNEL] * p[s + KERNEL] * unit
    slope, code = weights.dtype.type(net.slope), slope_of(p[s + ACTIVE])
    for channel in range(p[s + CHANNELS_OUT]):
        spread(
            p[s + WINDOW], values, delta + tile * net.delta_size + channel * area, net.chosen,
            tile * net.chosen_size + p[s + CHOSEN] + channel * area, values,
            tile * net.tile_size + p[target + ORIGIN] + channel * p[target + PLANE], p[target + LINE], values,
            p[s + SPREAD] + k * p[s + SPREAD_TILE] + channel * p[s + SPREAD_PLANE], p[s + SPREAD_LINE], p[s + HEIGHT],
            p[s + WIDTH], values, bias + channel * unit, code, slope,
        )  # fmt: skip


@inlined
def _carry_back(net: Any, s: Any, weights: Any, k: Any, target: Any) -> None:
    """The gradient by a convolution's inputs: a convolution by the flipped kernels, from the corner of the zeros."""
    p, values = net.plan, net.scratch
    channels, height, line = p[s + IN_CHANNELS], p[s + IN_HEIGHT], p[s + IN_WIDTH] * lanes_of(values)
    terms = p[s + CHANNELS_OUT] * p[s + KERNEL] * p[s + KERNEL]
    corner = p[s + SPREAD_CORNER] + k * p[s + SPREAD_TILE]
    blocks = (channels + CHANNELS - 1) // CHANNELS
    for y in range(height):
        row = 0
        for block in range(blocks):
            size = channels // blocks + (1 if block < channels % blocks else 0)
            _line(
                p, values, size, p[s + BACK_PACK] + row * terms, values, net.zeros, p[s + BACK_TABLE], terms,
                corner + y * p[s + SPREAD_LINE], target + (row * height + y) * line, height * line, p[s + IN_WIDTH],
                PLAIN, weights.dtype.type(0),
            )  # fmt: skip
            row += size


@inlined
def _correlate_tiles(net: Any, s: Any, tile: Any, count: Any) -> None:
    """Sums for the weights' gradients over `count` tiles, a band of lines at a time."""
    p, values = net.plan, net.scratch
    unit = lanes_of(values)
    source = p[s + SOURCE]
    out, channels, area = p[s + CHANNELS_OUT], p[s + IN_CHANNELS], p[s + KERNEL] * p[s + KERNEL]
    height, width = p[s + HEIGHT] * p[s + WINDOW], p[s + WIDTH] * p[s + WINDOW]
    terms = channels * area
    blocks = (out + DELTAS - 1) // DELTAS
    parts = (area + TERMS - 1) // TERMS
    band = max(1, _BAND // width)
    begin = tile * net.tile_size + p[source + BASE]
    row = 0
    for block in range(blocks):
        size = out // blocks + (1 if block < out % blocks else 0)
        for y in range(0, height, band):
            term = 0
            for part in range(channels * parts):
                across = area // parts + (1 if part % parts < area % parts else 0)
                correlate(
                    size, across, values, p[s + SPREAD] + row * p[s + SPREAD_PLANE] + y * p[s + SPREAD_LINE],
                    p[s + SPREAD_PLANE], p[s + SPREAD_LINE], p[s + SPREAD_TILE], values,
                    begin + y * p[source + LINE], p, p[s + TABLE] + term, p[source + LINE], net.tile_size, count,
                    min(band, height - y), width, values, net.sums + (row * terms + size * term) * unit,
                )  # fmt: skip
                term += across
        row += size
