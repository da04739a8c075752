"""Images from memory into a tile, the batch last: transposed, and on the way cropped and mirrored."""

from __future__ import annotations

from typing import Any

from gradlab.train.kernel.image_plan import FIELDS, LINE, ORIGIN, PLANE
from gradlab.train.kernel.layout import lanes_of
from gradlab.train.kernel.vector import compiled


@compiled
def _source(place: Any, side: Any, reflect: bool) -> int:
    """Where a place on a line of `side` pixels with a border around it is read from; -1 is a zero."""
    if 0 <= place < side:
        return place
    if not reflect:
        return -1
    return -place if place < 0 else 2 * (side - 1) - place


@compiled
def gather(net: Any, data: Any, order: Any, first: Any, count: Any, tile: Any) -> None:
    """Load one tile's images into its first slot.

    Args:
        net: the network and its scratch.
        data: the images.
        order: `int32[n]` indices of examples, or empty for the natural order.
        first: where the tile begins in that order.
        count: examples in the tile; the lanes behind them become zero.
        tile: where in the scratch the tile begins.
    """
    values, slot = net.scratch, net.stages * FIELDS
    unit = lanes_of(values)
    channels, height, width = net.channels, net.height, net.width
    origin, line_step, plane = tile + net.plan[slot + ORIGIN], net.plan[slot + LINE], net.plan[slot + PLANE]
    size = channels * height * width
    for channel in range(channels):
        for line in range(height):
            target = origin + channel * plane + line * line_step
            row = values[target : target + width * unit]
            for lane in range(count):
                example = order[first + lane] if order.size else first + lane
                image = data.images[example * size : (example + 1) * size]
                if data.moves.size == 0:
                    source = image[(channel * height + line) * width : (channel * height + line + 1) * width]
                    for x in range(width):
                        row[x * unit + lane] = source[x]
                    continue
                down, across, mirrored = data.moves[example]
                y = _source(line + down - data.padding, height, data.reflect)
                for x in range(width):
                    place = width - 1 - x if mirrored else x
                    place = _source(place + across - data.padding, width, data.reflect)
                    inside = y >= 0 and place >= 0
                    row[x * unit + lane] = image[(channel * height + y) * width + place] if inside else 0
            for lane in range(count, unit):
                for x in range(width):
                    row[x * unit + lane] = 0
