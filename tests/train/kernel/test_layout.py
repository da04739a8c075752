import numpy as np
import pytest

from gradlab.train.kernel.layout import aligned, make_row, make_tile, tile_columns
from gradlab.train.kernel.vector import lanes


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize(
    "widths", [(1, 1), (1, 5, 10, 10, 5, 1), (1, 190, 1), (784, 256, 128, 10), (4, 5000, 1)]
)
@pytest.mark.parametrize("batch", [1, 2, 31, 500, 60_000])
def test_tiles_are_whole_vectors_and_no_larger_than_needed(widths, itemsize, batch):
    columns = tile_columns(widths, itemsize, batch)
    assert columns % lanes(itemsize) == 0
    assert 0 < columns < batch + lanes(itemsize)


def test_a_wide_layer_makes_the_tile_narrow():
    assert tile_columns((1, 190, 1), 4, 500) < tile_columns((1, 10, 1), 4, 500)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scratch_begins_a_cache_line(dtype):
    for size in (1, 7, 1000):
        room = aligned(size, np.dtype(dtype))
        assert room.shape == (size,)
        assert room.ctypes.data % 64 == 0
    assert make_tile((1, 5, 1), np.dtype(dtype), 100).values.ctypes.data % 64 == 0
    assert make_row((1, 5, 1), np.dtype(dtype)).values.ctypes.data % 64 == 0
