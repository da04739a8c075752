"""Bilinear resizing of byte images, to the bit what Pillow (and so torchvision on Pillow images) gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["resized"]

_SCALE = 1 << 22
"""Pillow's weights are whole multiples of 1 / _SCALE, and each of its two passes rounds to whole levels."""

_AT_ONCE = 1 << 16
"""Pixels that are handled together, so that their float64 copies stay in the cache."""


def resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Square images of another size, by a triangle filter that widens when images shrink.

    Columns first, then rows, each rounded to whole levels. The sums are of whole numbers below 2**53, so they are
    exact in float64 and a matrix product may take them in any order.

    Args:
        images: `uint8[n, channels, height, width]`.
        side: Height and width of the result.

    Returns:
        `uint8[n, channels, side, side]`.

    Example:
        >>> resized(np.array([[[[0, 100], [100, 200]]]], np.uint8), 3)[0, 0].tolist()
        [[0, 50, 100], [50, 100, 150], [100, 150, 200]]
    """
    n, channels, height, width = images.shape
    across, down = _weights(width, side), _weights(height, side)
    result = np.empty((n, channels, side, side), np.uint8)
    step = max(1, _AT_ONCE // (channels * max(height * width, side * side)))
    for start in range(0, n, step):
        part = images[start : start + step]
        wide = _rounded(part.reshape(-1, width).astype(np.float64) @ across.T)
        result[start : start + step] = _rounded(down @ wide.reshape(*part.shape[:3], side))
    return result


def _weights(size: int, side: int) -> NDArray[np.float64]:
    """The weight of each of `size` pixels in each of `side` new ones, as whole numbers, `[side, size]`."""
    scale = size / side
    reach = max(scale, 1.0)
    table = np.zeros((side, size))
    for row in range(side):
        center = (row + 0.5) * scale
        first = max(0, int(center - reach + 0.5))
        last = min(size, int(center + reach + 0.5))
        weights = [max(0.0, 1.0 - abs((pixel - center + 0.5) / reach)) for pixel in range(first, last)]
        total = sum(weights)
        table[row, first:last] = [math.floor(0.5 + weight / total * _SCALE) for weight in weights]
    return table


def _rounded(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums in whole levels, in their own memory."""
    sums += _SCALE / 2
    sums /= _SCALE
    np.floor(sums, out=sums)
    return np.clip(sums, 0, 255, out=sums)
