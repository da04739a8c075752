"""The emitted pieces, where a network would only show that something somewhere is wrong."""

import numpy as np
import pytest
from numba import njit

from gradlab.train.kernel.blocks import outer, product, row_sums
from gradlab.train.kernel.vector import BLOCK, FASTMATH, GROUP, STRIP, lanes

ITEMS = [np.float32, np.float64]


def test_fast_math_leaves_nan_alone():
    assert not FASTMATH & {"nnan", "ninf", "fast"}


@njit
def _product(rows, weights, bias, tile, terms, stride, columns, target):
    product(
        rows, weights, 0, terms, 1, bias, 0, tile, 0, target, 0, terms, stride, columns, 0, tile.dtype.type(0)
    )  # fmt: skip


@njit
def _outer(rows, inputs, tile, stride, columns, source, gradient):
    outer(rows, inputs, tile, 0, source, stride, columns, gradient, 0, inputs)


@njit
def _row_sums(rows, tile, stride, columns, gradient):
    row_sums(rows, tile, 0, stride, columns, gradient, 0)


def whole_numbers(shape, dtype):
    """Small integers, for which every order of additions gives the same sum."""
    return np.random.default_rng(0).integers(-8, 9, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ITEMS)
@pytest.mark.parametrize("rows", range(1, BLOCK + 1))
@pytest.mark.parametrize("vectors", range(1, 2 * GROUP + 2))
def test_product(rows, vectors, dtype):
    columns, terms = vectors * lanes(np.dtype(dtype).itemsize), 7
    stride = columns + 3
    tile = whole_numbers((terms + BLOCK, stride), dtype)
    weights, bias = whole_numbers((rows, terms), dtype), whole_numbers(rows, dtype)
    before = tile.copy()
    _product(rows, weights.ravel(), bias, tile.ravel(), terms, stride, columns, terms * stride)
    expected = before.copy()
    expected[terms : terms + rows, :columns] = weights @ before[:terms, :columns] + bias[:, None]
    np.testing.assert_array_equal(tile, expected)


@pytest.mark.parametrize("dtype", ITEMS)
@pytest.mark.parametrize("rows", range(1, BLOCK + 1))
@pytest.mark.parametrize("inputs", range(1, STRIP + 1))
def test_outer(rows, inputs, dtype):
    columns = 3 * lanes(np.dtype(dtype).itemsize)
    tile = whole_numbers((BLOCK + STRIP, columns), dtype)
    gradient = whole_numbers((rows, inputs), dtype)
    expected = gradient + tile[:rows] @ tile[BLOCK : BLOCK + inputs].T
    _outer(rows, inputs, tile.ravel(), columns, columns, BLOCK * columns, gradient.ravel())
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("dtype", ITEMS)
@pytest.mark.parametrize("rows", range(1, BLOCK + 1))
def test_row_sums(rows, dtype):
    columns = 2 * lanes(np.dtype(dtype).itemsize)
    tile, gradient = whole_numbers((BLOCK, columns), dtype), whole_numbers(BLOCK, dtype)
    expected = gradient.copy()
    expected[:rows] += tile[:rows].sum(axis=1)
    _row_sums(rows, tile.ravel(), columns, columns, gradient)
    np.testing.assert_array_equal(gradient, expected)
