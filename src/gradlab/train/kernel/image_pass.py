"""Forward and backward passes of a convolutional network over a batch, one group of tiles at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradlab.train.kernel.dense import dense_forward
from gradlab.train.kernel.drop import address, drop_rows, drop_tile, undrop_tile
from gradlab.train.kernel.gather import gather
from gradlab.train.kernel.image_dense import class_loss, derive, layer_back, softmax, softmax_back
from gradlab.train.kernel.image_plan import (
    ACTIVE,
    BASE,
    CHANNELS_OUT,
    CONV,
    DENSE,
    DROP,
    FIELDS,
    HEIGHT,
    IN_CHANNELS,
    INDEX,
    KIND,
    LINE,
    ORIGIN,
    PLANE,
    POOL,
    SCALE,
    SOFTMAX,
    SOURCE,
    START,
    TARGET,
    WIDTH,
)
from gradlab.train.kernel.layout import RECTIFIED, TANH, lanes_of
from gradlab.train.kernel.stages import (
    convolve_back,
    convolve_tile,
    pack,
    pool_tile,
    unpool_tile,
)
from gradlab.train.kernel.vector import compiled, inlined


class Images(NamedTuple):
    """Examples as compiled code sees them.

    Attributes:
        images: `[n * channels * height * width]`.
        labels: `int64[n]`.
        moves: `int8[n, 3]` for augmentation: pixels down, pixels across, mirrored or not; or `[0, 3]`.
        padding: pixels that were added on each side before the crop.
        reflect: whether they mirror the image, or are zeros.
        size: n.
    """

    images: Any
    labels: Any
    moves: Any
    padding: int
    reflect: bool
    size: int


class Masks(NamedTuple):
    """Which masks dropout takes.

    Attributes:
        active: whether there is dropout.
        key: of the run.
        epoch: completed epochs.
        step: index in the epoch of the first batch.
    """

    active: bool
    key: Any
    epoch: Any
    step: Any


@inlined
def image_pass(
    net: Any, rule: Any, data: Any, order: Any, first: Any, count: Any, weights: Any, masks: Any, step: Any,
    gradient: Any, outputs: Any, alive: Any,
) -> tuple[float, int]:  # fmt: skip
    """Loss of a batch and, where `gradient` has room, its gradient.

    Args:
        net: the network and its scratch.
        rule: the optimizer.
        data: the examples.
        order: `int32[n]` indices of examples, or empty for the natural order.
        first: where the batch begins in that order.
        count: examples in the batch.
        weights: `[D]`.
        masks: of dropout.
        step: index of the batch.
        gradient: `[D]`, overwritten; or empty for a forward pass alone.
        outputs: `[n * out]`, overwritten for the examples of the batch; or empty.
        alive: `uint8`, a place for each unit that an activation follows, 1 where it is above zero; or empty.

    Returns:
        The loss summed over examples, and how many are classified correctly.
    """
    unit = lanes_of(weights)
    scale = weights.dtype.type(1.0 / count)
    gradient[:] = 0
    pack(net, weights, gradient.size > 0)
    total, hits = 0.0, 0
    for start in range(0, count, net.tiles * unit):
        size = min(net.tiles * unit, count - start)
        tiles = (size + unit - 1) // unit
        padded = tiles * unit
        for tile in range(tiles):
            _forward_tile(net, data, order, first, start, count, tile, size, weights, masks, step, alive)
        _forward_rows(net, weights, masks, step, start, size, count, padded, alive)
        loss, right = class_loss(net, data, order, first + start, size, net.delta, scale)
        total += loss
        hits += right
        if outputs.size:
            for column in range(size):
                for o in range(net.outputs):
                    place = (first + start + column) * net.outputs + o
                    outputs[place] = net.scratch[net.output + o * net.stride + column]
        if gradient.size:
            _backward(net, rule, weights, masks, step, start, size, count, tiles, gradient)
    return total, hits


@inlined
def _forward_tile(
    net: Any, data: Any, order: Any, first: Any, start: Any, batch: Any, tile: Any, size: Any, weights: Any, masks: Any,
    step: Any, alive: Any,
) -> None:  # fmt: skip
    """Load a tile, take it through the spatial stages, and put what comes out into the rows."""
    p = net.plan
    unit = lanes_of(weights)
    values, chosen = tile * net.tile_size, tile * net.chosen_size
    column = start + tile * unit
    count = min(unit, size - tile * unit)
    gather(net, data, order, first + column, count, values)
    seen, last = 0, net.stages * FIELDS
    for stage in range(net.spatial):
        s = stage * FIELDS
        if p[s + KIND] == CONV:
            convolve_tile(net, s, weights, values, chosen)
            last = p[s + TARGET]
            if alive.size and p[s + ACTIVE] == RECTIFIED:
                _look(net, s, values, count, alive, seen)
                seen += p[s + CHANNELS_OUT] * p[s + HEIGHT] * p[s + WIDTH]
        elif p[s + KIND] == POOL:
            pool_tile(net, s, values, chosen)
            last = p[s + TARGET]
        elif masks.active:
            begin = address(masks.key, masks.epoch, step, p[s + INDEX])
            drop_tile(net, s, values, begin, column, count, batch)
    rows = p[net.spatial * FIELDS + SOURCE] + tile * unit
    _copy(net.scratch, values + p[last + BASE], unit, rows, net.stride, net.features)


@compiled
def _copy(values: Any, source: Any, source_step: Any, target: Any, target_step: Any, count: Any) -> None:
    """Copy vectors that lie so far apart."""
    unit = lanes_of(values)
    for k in range(count):
        for lane in range(unit):
            values[target + k * target_step + lane] = values[source + k * source_step + lane]


@compiled
def _look(net: Any, s: Any, tile: Any, count: Any, alive: Any, seen: Any) -> None:
    """Mark the units of a convolution that are above zero in a tile, from place `seen` on."""
    p, values = net.plan, net.scratch
    unit, target = lanes_of(values), p[s + TARGET]
    for channel in range(p[s + CHANNELS_OUT]):
        for y in range(p[s + HEIGHT]):
            line = tile + p[target + ORIGIN] + channel * p[target + PLANE] + y * p[target + LINE]
            for x in range(p[s + WIDTH]):
                for lane in range(count):
                    if values[line + x * unit + lane] > 0:
                        alive[seen] = 1
                seen += 1


@compiled
def _look_rows(net: Any, s: Any, size: Any, alive: Any, seen: Any) -> None:
    """Mark the units of a fully connected layer that are above zero in a group."""
    for u in range(net.plan[s + CHANNELS_OUT]):
        first = net.plan[s + TARGET] + u * net.stride
        for column in range(first, first + size):
            if net.scratch[column] > 0:
                alive[seen + u] = 1


@inlined
def _forward_rows(
    net: Any, weights: Any, masks: Any, step: Any, start: Any, size: Any, batch: Any, padded: Any, alive: Any
) -> None:
    """The stages from the first fully connected layer on."""
    p = net.plan
    seen = 0
    for stage in range(net.stages):
        s = stage * FIELDS
        if p[s + KIND] == DENSE:
            dense_forward(
                weights, p[s + START], p[s + IN_CHANNELS], p[s + CHANNELS_OUT], net.scratch, p[s + SOURCE],
                p[s + TARGET], net.stride, padded, p[s + ACTIVE], weights.dtype.type(net.slope),
            )  # fmt: skip
            if alive.size and p[s + ACTIVE] == RECTIFIED:
                _look_rows(net, s, size, alive, seen)
        elif p[s + KIND] == DROP and stage > net.spatial and masks.active:
            begin = address(masks.key, masks.epoch, step, p[s + INDEX])
            drop_rows(net, s, p[s + SOURCE], begin, start, size, batch)
        elif p[s + KIND] == SOFTMAX:
            softmax(net, size)
        if p[s + KIND] != DROP and p[s + ACTIVE] == RECTIFIED:
            seen += p[s + CHANNELS_OUT] * max(p[s + HEIGHT] * p[s + WIDTH], 1)


@inlined
def _backward(
    net: Any,
    rule: Any,
    weights: Any,
    masks: Any,
    step: Any,
    start: Any,
    size: Any,
    batch: Any,
    tiles: Any,
    gradient: Any,
) -> None:
    """The gradient of a group's loss, added to `gradient`; the gradient by the outputs is in its place."""
    p, values = net.plan, net.scratch
    unit = lanes_of(weights)
    padded = tiles * unit
    delta, spare = net.delta, net.spare
    for o in range(net.outputs):
        for column in range(size, padded):
            values[delta + o * net.stride + column] = 0
    for k in range(net.stages - net.spatial):
        stage = net.stages - 1 - k
        s = stage * FIELDS
        if p[s + KIND] == SOFTMAX:
            softmax_back(net, size, delta)
        elif p[s + KIND] == DENSE:
            derive(net, s, delta, padded)
            layer_back(
                net,
                s,
                rule,
                weights,
                tiles,
                size,
                delta,
                spare if stage > net.lowest else -1,
                start > 0,
                gradient,
            )
            delta, spare = spare, delta
        elif masks.active:
            begin = address(masks.key, masks.epoch, step, p[s + INDEX])
            drop_rows(net, s, delta, begin, start, size, batch)
            if p[s + ACTIVE] == TANH:  # what it was before dropout, which its derivative needs
                first = p[s + SOURCE]
                for column in range(first, first + p[s + CHANNELS_OUT] * net.stride):
                    values[column] /= values[p[s + SCALE]]
    here, there = net.deltas, net.deltas + net.tiles * net.delta_size
    for tile in range(tiles):
        _copy(values, delta + tile * unit, net.stride, here + tile * net.delta_size, unit, net.features)
    for k in range(net.spatial - net.lowest):
        stage = net.spatial - 1 - k
        s = stage * FIELDS
        if p[s + KIND] == CONV:
            convolve_back(net, stage, weights, tiles, here, there, gradient)
            here, there = there, here
        elif p[s + KIND] == POOL:
            for tile in range(tiles):
                move = tile * net.delta_size
                unpool_tile(net, s, here + move, there + move, tile * net.chosen_size)
            here, there = there, here
        elif masks.active:
            begin = address(masks.key, masks.epoch, step, p[s + INDEX])
            for tile in range(tiles):
                undrop_tile(
                    net, s, tile * net.tile_size, here + tile * net.delta_size, begin, start + tile * unit,
                    min(unit, size - tile * unit), batch,
                )  # fmt: skip
