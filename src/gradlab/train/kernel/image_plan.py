"""Where everything lies when a convolutional network is trained: stages, slots and tables as compiled code sees them.

A tile is one vector of examples. Each tile has a slot for the input and for what each convolution or pooling gives,
with the zeros around it that the next convolution reads. A group of tiles goes through the fully connected layers
together: there, rows are features and columns are the group's examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gradlab.model.layers import Conv, Dense, Drop, Layer, Pool, Softmax
from gradlab.train.dropout import threshold
from gradlab.train.kernel.conv import CHANNELS
from gradlab.train.kernel.layout import ACTIVATIONS, ROWS, aligned
from gradlab.train.kernel.vector import lanes

CONV, POOL, DROP, DENSE, SOFTMAX = range(5)
"""Kinds of stages."""

(KIND, ACTIVE, KERNEL, WINDOW, IN_CHANNELS, IN_HEIGHT, IN_WIDTH, CHANNELS_OUT, HEIGHT, WIDTH, SOURCE, TARGET, START,
 MODULE, TABLE, BACK_TABLE, PACK, BACK_PACK, CHOSEN, SPREAD, SPREAD_CORNER, SPREAD_PLANE, SPREAD_LINE, SPREAD_TILE,
 CHUNK, SPATIAL, INDEX, THRESHOLD, SCALE, FIELDS) = range(30)  # fmt: skip
"""Columns of the table of stages. What begins somewhere begins there in the scratch, in that of the first tile.

ACTIVE is the activation that follows, KERNEL the side of the kernels, WINDOW that of the pooled square (1: not pooled).
SOURCE and TARGET are slots, as places in the plan, or where the rows of a fully connected stage begin. START is where
the stage's weights begin among all, MODULE how many layers with weights come before it. TABLE and BACK_TABLE are where
in the plan the offsets of terms begin, forwards and backwards, PACK and BACK_PACK where the repacked weights do, CHOSEN
where a tile keeps which pixel was largest. SPREAD is where the gradient before pooling begins, with zeros around it
from SPREAD_CORNER on; its planes, lines and tiles lie so many numbers apart, and there are CHUNK tiles of it. SPATIAL
tells dropout of pixels from that of features, INDEX which dropout it is; it drops hashes below THRESHOLD, and SCALE is
where its factor is.
"""

BASE, ORIGIN, LINE, PLANE, SLOT = range(5)
"""Columns of the table of slots: where one begins in its tile, its first pixel that is not padding, its strides."""

_GROUP_BYTES = 256
"""Bytes of a row of the fully connected layers: the examples that go through them together."""
_CHUNK_PIXELS = 64
"""Pixels over which a block of weights' gradients should at least be summed at a time."""


class ImageNet(NamedTuple):
    """The network and its scratch as compiled code sees them; few arrays, because each costs time to compile.

    Attributes:
        plan: `int64`: stages, `FIELDS` numbers each; slots, `SLOT` numbers each; offsets of terms.
        scratch: everything that is computed, at the places that follow.
        chosen: `uint8`, which pixel of a window was largest, for each tile.
        bounds: `int64[M, 3]`, where weights and biases of each layer begin in the flat vector, and where they end.
        slope: of the leaky rectifier.
        stages: how many there are.
        spatial: how many of them come before the first fully connected one.
        lowest: first stage that has weights.
        channels: of an example.
        height: of an example.
        width: of an example.
        features: numbers that an example has after the spatial stages.
        outputs: number of classes.
        tiles: most tiles in a group.
        tile_size: numbers of a tile's slots; the tiles come first in the scratch.
        chosen_size: bytes of a tile's choices.
        deltas: where the gradients of every tile begin; there are two buffers of them.
        delta_size: numbers of a tile's gradient.
        sums: where the gradients of weights begin, not yet added up over lanes, and behind them those of biases.
        zeros: where biases of a backward pass begin.
        panels: scratch of the gradients of fully connected layers.
        output: where the outputs begin, the first row of them.
        delta: where the gradient by them goes.
        spare: a second place for gradients of rows.
        stride: numbers from one row to the next.
    """

    plan: Any
    scratch: Any
    chosen: Any
    bounds: Any
    slope: float
    stages: int
    spatial: int
    lowest: int
    channels: int
    height: int
    width: int
    features: int
    outputs: int
    tiles: int
    tile_size: int
    chosen_size: int
    deltas: int
    delta_size: int
    sums: int
    zeros: int
    panels: int
    output: int
    delta: int
    spare: int
    stride: int


class _Planner:
    """Lays a network out, stage by stage."""

    def __init__(self, shape: tuple[int, ...], unit: int) -> None:
        self.unit = unit
        self.stages: list[dict[int, int]] = []
        self.slots: list[tuple[int, ...]] = []
        self.table: list[int] = []
        self.bounds: list[tuple[int, int, int]] = []
        self.drops: dict[int, float] = {}
        self.size = self.chosen = self.spread = self.sums = self.packed = self.parameters = self.units = 0
        self.rows: list[int] = [0]
        self.shape = shape

    def slot(self, shape: tuple[int, ...], pad: int) -> int:
        """Room for pixels with `pad` zeros around them."""
        channels, height, width = shape
        line = (width + 2 * pad) * self.unit
        plane = (height + 2 * pad) * line
        self.slots.append((self.size, self.size + pad * (line + self.unit), line, plane))
        # A vector between slots, so that they do not all begin in the same cache set.
        self.size += channels * plane + self.unit
        self.units = max(self.units, channels * height * width)
        return len(self.slots) - 1

    def convolution(self, layer: Conv, window: int, activation: int, pad: int, *, lowest: bool) -> None:
        """A convolution with what follows at once, into a slot with `pad` zeros around it."""
        unit, source = self.unit, len(self.slots) - 1
        (channels, height, width), (out, *places) = layer.inputs, layer.outputs
        k, terms = layer.kernel, channels * layer.kernel**2
        _, _, line, plane = self.slots[source]
        rim = 0 if lowest else k - 1 - layer.pad
        # One vector more where there is no rim, so that planes do not all begin in the same cache set.
        wide = (places[1] + max(2 * rim, 1)) * unit
        tall = (places[0] + 2 * rim) * wide
        chunk = max(1, _CHUNK_PIXELS // (places[0] * places[1]))
        stage = {
            KIND: CONV, ACTIVE: activation if layer.active else 0, KERNEL: k, WINDOW: window,
            IN_CHANNELS: channels, IN_HEIGHT: height, IN_WIDTH: width, CHANNELS_OUT: out,
            HEIGHT: places[0] // window, WIDTH: places[1] // window, SOURCE: source, TARGET: source + 1,
            START: self.parameters, TABLE: len(self.table), BACK_TABLE: len(self.table) + terms,
            PACK: self.packed, BACK_PACK: self.packed + out * terms, CHOSEN: self.chosen,
            SPREAD: self.spread + rim * (wide + unit), SPREAD_CORNER: self.spread, SPREAD_PLANE: tall,
            SPREAD_LINE: wide, SPREAD_TILE: out * tall + unit, CHUNK: chunk, SPATIAL: 1, MODULE: len(self.bounds),
        }  # fmt: skip
        self.stages.append(stage)
        self.table += _offsets(channels, k, plane, line, unit) + _offsets(out, k, tall, wide, unit)
        self.packed += 2 * out * terms
        self.spread += chunk * (out * tall + unit)
        self.sums = max(self.sums, (out * terms + out) * unit)
        self._weights(out * terms, out)
        self.slot((out, stage[HEIGHT], stage[WIDTH]), pad)
        self.chosen += out * stage[HEIGHT] * stage[WIDTH] * unit if window > 1 else 0

    def pooling(self, layer: Pool, pad: int) -> None:
        """A pooling that does not follow a convolution at once."""
        source = len(self.slots) - 1
        (channels, height, width), (_, *places) = layer.inputs, layer.outputs
        self.stages.append({
            KIND: POOL, KERNEL: layer.size, WINDOW: layer.size, IN_CHANNELS: channels, IN_HEIGHT: height,
            IN_WIDTH: width, CHANNELS_OUT: channels, HEIGHT: places[0], WIDTH: places[1], SOURCE: source,
            TARGET: source + 1, CHOSEN: self.chosen, SPATIAL: 1,
        })  # fmt: skip
        self.slot((channels, *places), pad)
        self.chosen += math.prod(layer.outputs) * self.unit

    def dropout(self, layer: Drop, activation: int, *, spatial: bool) -> None:
        """Dropout in place; a smooth activation before it must be restored on the way back."""
        shape = layer.inputs if spatial else (math.prod(layer.inputs), 1, 1)
        self.drops[len(self.stages)] = layer.probability
        self.stages.append({
            KIND: DROP, ACTIVE: activation, CHANNELS_OUT: shape[0], HEIGHT: shape[1], WIDTH: shape[2],
            SOURCE: len(self.slots) - 1 if spatial else self.rows[-1], SPATIAL: int(spatial), INDEX: layer.index,
        })  # fmt: skip

    def dense(self, layer: Dense, activation: int) -> None:
        """A fully connected layer."""
        (inputs,), (width,) = layer.inputs, layer.outputs
        self.rows.append(self.rows[-1] + inputs)
        self.stages.append({
            KIND: DENSE, ACTIVE: activation if layer.active else 0, IN_CHANNELS: inputs, CHANNELS_OUT: width,
            SOURCE: self.rows[-2], TARGET: self.rows[-1], START: self.parameters, MODULE: len(self.bounds),
        })  # fmt: skip
        self._weights(inputs * width, width)

    def _weights(self, weights: int, biases: int) -> None:
        middle = self.parameters + weights
        self.bounds.append((self.parameters, middle, middle + biases))
        self.parameters = middle + biases


def _offsets(channels: int, kernel: int, plane: int, line: int, unit: int) -> list[int]:
    side = range(kernel)
    return [c * plane + i * line + j * unit for c in range(channels) for i in side for j in side]


def _pad_after(layers: Sequence[Layer]) -> int:
    """Zeros that the next convolution wants around its input, unless pooling or flattening comes first."""
    for layer in layers:
        if isinstance(layer, Conv):
            return layer.pad
        if not isinstance(layer, Drop):
            return 0
    return 0


def make_net(
    layers: Sequence[Layer],
    activation: str,
    slope: float,
    dtype: np.dtype[Any],
    batch: int,
    *,
    fused: bool = True,
) -> ImageNet:
    """Lay a network out and allocate its scratch.

    Args:
        layers: from the input on, with their shapes.
        activation: what follows active layers.
        slope: of the leaky rectifier.
        dtype: of all arithmetic.
        batch: most examples in a batch.
        fused: pool as part of the convolution before. Otherwise every layer's values can be looked at.

    Returns:
        The network.
    """
    unit, code = lanes(dtype.itemsize), ACTIVATIONS.index(activation)
    shape = layers[0].inputs if len(layers[0].inputs) == 3 else (layers[0].inputs[0], 1, 1)
    plan = _Planner(shape, unit)
    plan.slot(shape, _pad_after(layers))
    spatial, before, skip = 0, 0, False
    for index, layer in enumerate(layers):
        after = layers[index + 1 :]
        flat = any(isinstance(earlier, Dense) for earlier in layers[:index])
        if isinstance(layer, Conv):
            pooled = fused and bool(after) and isinstance(after[0], Pool) and after[0].size == 2
            lowest = not any(isinstance(earlier, Conv) for earlier in layers[:index])
            pad = _pad_after(after[1:] if pooled else after)
            plan.convolution(layer, 2 if pooled else 1, code, pad, lowest=lowest)
            skip = pooled
        elif isinstance(layer, Pool):
            if not skip:
                plan.pooling(layer, _pad_after(after))
            skip = False
        elif isinstance(layer, Drop):
            plan.dropout(layer, before, spatial=not flat)
        elif isinstance(layer, Dense):
            plan.dense(layer, code)
        else:
            assert isinstance(layer, Softmax)
            plan.stages.append({KIND: SOFTMAX})
        if not flat and not isinstance(layer, Dense | Softmax):
            spatial = len(plan.stages)
        if isinstance(layer, Conv | Dense):
            before = code if layer.active else 0
    return _allocated(plan, slope, spatial, dtype, batch)


def _allocated(plan: _Planner, slope: float, spatial: int, dtype: np.dtype[Any], batch: int) -> ImageNet:
    stages = np.zeros((len(plan.stages), FIELDS), np.int64)
    for row, stage in zip(stages, plan.stages, strict=True):
        for field, value in stage.items():
            row[field] = value
    kinds = stages[:, KIND]
    dense = stages[kinds == DENSE]
    outputs = int(dense[-1, CHANNELS_OUT])
    widest = int(dense[:, (IN_CHANNELS, CHANNELS_OUT)].max())
    tiles = min(max(_GROUP_BYTES // dtype.itemsize // plan.unit, 1), -(-batch // plan.unit))
    stages[:, CHUNK] = np.minimum(stages[:, CHUNK], tiles)
    # One vector more than the columns, so that rows do not all begin in the same cache set.
    stride = (tiles + 1) * plan.unit

    parts = {
        "values": tiles * plan.size,
        "deltas": 2 * tiles * plan.units * plan.unit,
        "spread": plan.spread,
        "sums": plan.sums,
        "packed": plan.packed,
        "rows": (plan.rows[-1] + outputs + 2 * widest + plan.unit) * stride,
        "zeros": max(CHANNELS, ROWS),
        "panels": tiles * plan.unit * -(-widest // plan.unit) * plan.unit,
        "scales": len(stages),
    }
    places, total = dict[str, int](), 0
    for name, size in parts.items():
        places[name] = total
        total += -(-size // plan.unit) * plan.unit
    scratch = aligned(total + plan.unit, dtype)

    stages[:, (SPREAD, SPREAD_CORNER)] += places["spread"]
    stages[:, (PACK, BACK_PACK)] += places["packed"]
    slots = stages.size
    table = slots + len(plan.slots) * SLOT
    stages[:, (TABLE, BACK_TABLE)] += table
    in_rows = (kinds == DENSE) | ((kinds == DROP) & (stages[:, SPATIAL] == 0))
    for field in (SOURCE, TARGET):
        at = stages[:, field]
        stages[:, field] = np.where(in_rows, places["rows"] + at * stride, slots + at * SLOT)
    for index, probability in plan.drops.items():
        stages[index, THRESHOLD] = threshold(probability)
        stages[index, SCALE] = places["scales"] + index
        scratch[places["scales"] + index] = 1 / (1 - probability)
    trained = np.flatnonzero(np.isin(kinds, (CONV, DENSE)))
    output = places["rows"] + plan.rows[-1] * stride
    return ImageNet(
        plan=np.concatenate([
            stages.ravel(),
            np.array(plan.slots, np.int64).ravel(),
            np.array(plan.table, np.int64),
        ]),
        scratch=scratch,
        chosen=np.zeros(tiles * plan.chosen + 64, np.uint8),
        bounds=np.array(plan.bounds, np.int64),
        slope=float(slope),
        stages=len(stages),
        spatial=spatial,
        lowest=int(trained[0]),
        channels=plan.shape[0],
        height=plan.shape[1],
        width=plan.shape[2],
        features=int(dense[0, IN_CHANNELS]),
        outputs=outputs,
        tiles=tiles,
        tile_size=plan.size,
        chosen_size=plan.chosen,
        deltas=places["deltas"],
        delta_size=plan.units * plan.unit,
        sums=places["sums"],
        zeros=places["zeros"],
        panels=places["panels"],
        output=output,
        delta=output + outputs * stride,
        spare=output + (outputs + widest) * stride,
        stride=stride,
    )
