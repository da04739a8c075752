"""Networks, samples and scratch memory as compiled code sees them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gradlab.train.kernel.vector import VECTOR_BYTES, compiled, lanes

ACTIVATIONS = ("identity", "relu", "leaky_relu", "tanh")
IDENTITY, RECTIFIED, LEAKY_RECTIFIED, TANH = range(4)
LOSSES = ("mse", "cross_entropy")
MSE, CROSS_ENTROPY = range(2)

_CACHE = 400_000
"""Bytes of activations that a tile may take: well inside a core's second-level cache."""
_MOST_COLUMNS = 512
_WIDE_COLUMNS = 128
_MANY, _MANY_WEIGHTS = 64, 1 << 14

ROWS = 6
"""Rows of a wide layer's weights that one block keeps in registers together, with `GROUP` vectors of each."""


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
        size: n.
    """

    inputs: Any
    targets: Any
    labels: Any
    size: int


class Tile(NamedTuple):
    """Scratch for one tile: every layer's activations, then two buffers of deltas.

    Attributes:
        values: the numbers, rows `stride` apart.
        zeros: `[BLOCK]` zeros, the bias of a backward product.
        stride: numbers from one row to the next.
        columns: most samples in a tile, a multiple of the vector's lanes.
        inputs: of a wide network, the samples once more, in panels; see `dense_panels`.
        hidden: of a wide network, room for one hidden layer's panels.
        strip: of a wide network, room for a few rows of a gradient.
    """

    values: Any
    zeros: Any
    stride: int
    columns: int
    inputs: Any
    hidden: Any
    strip: Any


def tile_columns(widths: tuple[int, ...], itemsize: int, batch: int) -> int:
    """How many samples a tile holds: all of the batch if its activations fit the cache.

    >>> tile_columns((1, 5, 5, 1), 4, 500)
    512
    """
    unit = lanes(itemsize)
    rows = sum(widths) + 2 * max(widths[1:])
    fit = max(_CACHE // (rows * itemsize) // (4 * unit) * (4 * unit), 4 * unit)
    return min(fit, _MOST_COLUMNS, -(-batch // unit) * unit)


def is_wide(widths: tuple[int, ...]) -> bool:
    """Whether a network has a layer so wide that the weights' traffic matters, or so many inputs.

    >>> is_wide((784, 20, 8, 10)), is_wide((1, 10, 18, 15, 4, 1))
    (True, False)
    """
    return widths[0] >= _MANY or any(a >= _MANY and a * b >= _MANY_WEIGHTS for a, b in pairwise(widths))


def make_tile(widths: tuple[int, ...], dtype: np.dtype[Any], batch: int) -> Tile:
    """Allocate the scratch for batches of `batch` samples."""
    unit, rows = lanes(dtype.itemsize), sum(widths) + 2 * max(widths[1:])
    nothing = np.zeros(0, dtype)
    if not is_wide(widths):
        columns = tile_columns(widths, dtype.itemsize, batch)
        # One vector more than the columns, so that rows do not all start in the same cache set.
        stride = columns + unit
        values = aligned(rows * stride, dtype)
        return Tile(values, np.zeros(ROWS, dtype), stride, columns, nothing, nothing, nothing)
    columns = wide_columns(dtype.itemsize, batch)
    # An odd number of vectors, for the same reason; and rows to spare, as whole squares of a tile are turned over.
    stride = columns + unit * (1 + columns // unit % 2)
    values = aligned((rows + unit) * stride, dtype)
    panels, hidden = (columns * -(-width // unit) * unit for width in (widths[0], max(widths[1:])))
    strip = ROWS * max(widths[:-1]) + max(widths[1:])
    return Tile(
        values, np.zeros(ROWS, dtype), stride, columns, *(aligned(n, dtype) for n in (panels, hidden, strip))
    )


def wide_columns(itemsize: int, batch: int) -> int:
    """How many samples a tile of a wide network holds.

    >>> wide_columns(4, 5000) % lanes(4)
    0
    """
    unit = lanes(itemsize)
    return min(_WIDE_COLUMNS, -(-batch // unit) * unit)


def aligned(size: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Zeros whose first number begins a cache line."""
    line = 64 // dtype.itemsize
    room = np.zeros(size + line, dtype)
    skip = (-room.ctypes.data % 64) // dtype.itemsize
    return room[skip : skip + size]


class Row(NamedTuple):
    """Scratch for one sample: every layer's activations, then every layer's deltas, padded with zeros.

    Attributes:
        values: the numbers.
        places: `int64[L + 2]`, where each layer's activations begin; last, where the deltas do.
    """

    values: Any
    places: Any


def make_row(widths: tuple[int, ...], dtype: np.dtype[Any]) -> Row:
    """Allocate the scratch for one sample."""
    unit = lanes(dtype.itemsize)
    places = np.zeros(len(widths) + 1, np.int64)
    places[1:] = np.cumsum([-(-width // unit) * unit for width in widths])
    return Row(aligned(2 * int(places[-1]), dtype), places)


@compiled
def lanes_of(values: Any) -> int:
    """Lanes of a vector of this array's numbers."""
    return VECTOR_BYTES // values.itemsize
