"""Dropout whose masks are addressed: a hash of (seed, epoch, step, layer, unit, example) decides, in any order.

The bits are those of `gradlab.train.dropout`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.train.kernel.image_plan import (
    ACTIVE,
    CHANNELS_OUT,
    HEIGHT,
    LINE,
    ORIGIN,
    PLANE,
    SCALE,
    SOURCE,
    THRESHOLD,
    WIDTH,
)
from gradlab.train.kernel.layout import TANH, lanes_of
from gradlab.train.kernel.vector import compiled

_GOLD = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@compiled
def mixed(z: Any) -> Any:
    """Scramble 64 bits, one to one."""
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@compiled
def address(key: Any, epoch: Any, step: Any, layer: Any) -> Any:
    """Where the hashes of one layer begin in one step of training."""
    place = (np.uint64(epoch) << _32) + (np.uint64(step) << np.uint64(8)) + np.uint64(layer)
    return mixed(key + _GOLD * place)


@compiled
def drop_line(
    values: Any, first: Any, count: Any, begin: Any, start: Any, threshold: Any, scale: Any
) -> None:
    """Dropout in place of `count` numbers, the examples of one unit; `start` is the number of the first among all."""
    line = values[first : first + count]
    origin = begin + _GOLD * np.uint64(start + 1)
    for k in range(count):
        kept = (mixed(origin + _GOLD * np.uint64(k)) >> _32) >= np.uint64(threshold)
        line[k] = line[k] * scale if kept else 0


@compiled
def drop_tile(net: Any, s: Any, tile: Any, begin: Any, column: Any, count: Any, size: Any) -> None:
    """Dropout of the pixels of one tile, in place.

    Args:
        net: the network and its scratch.
        s: where in the plan the stage is.
        tile: where in the scratch the tile begins.
        begin: address of the layer's hashes.
        column: number of the tile's first example in the batch.
        count: examples in the tile.
        size: examples in the batch.
    """
    p, values = net.plan, net.scratch
    unit, source = lanes_of(values), p[s + SOURCE]
    scale = values[p[s + SCALE]]
    k = 0
    for channel in range(p[s + CHANNELS_OUT]):
        for y in range(p[s + HEIGHT]):
            line = tile + p[source + ORIGIN] + channel * p[source + PLANE] + y * p[source + LINE]
            for x in range(p[s + WIDTH]):
                drop_line(values, line + x * unit, count, begin, k * size + column, p[s + THRESHOLD], scale)
                k += 1


@compiled
def undrop_tile(
    net: Any, s: Any, tile: Any, delta: Any, begin: Any, column: Any, count: Any, size: Any
) -> None:
    """The gradient before dropout, in place; a smooth activation becomes what it was before it."""
    p, values = net.plan, net.scratch
    unit, source = lanes_of(values), p[s + SOURCE]
    scale = values[p[s + SCALE]]
    for k in range(p[s + CHANNELS_OUT] * p[s + HEIGHT] * p[s + WIDTH]):
        drop_line(values, delta + k * unit, count, begin, k * size + column, p[s + THRESHOLD], scale)
    if p[s + ACTIVE] == TANH:
        for channel in range(p[s + CHANNELS_OUT]):
            for y in range(p[s + HEIGHT]):
                first = tile + p[source + ORIGIN] + channel * p[source + PLANE] + y * p[source + LINE]
                for k in range(first, first + p[s + WIDTH] * unit):
                    values[k] /= scale


@compiled
def drop_rows(net: Any, s: Any, first: Any, begin: Any, column: Any, count: Any, size: Any) -> None:
    """Dropout of rows that begin at `first`, in place."""
    p = net.plan
    for k in range(p[s + CHANNELS_OUT]):
        drop_line(
            net.scratch, first + k * net.stride, count, begin, k * size + column, p[s + THRESHOLD],
            net.scratch[p[s + SCALE]],
        )  # fmt: skip
