"""Crops, flips and resizing one pixel at a time, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import floor

import numpy as np


def moved(image: np.ndarray, padding: int, mode: str, dy: int, dx: int, flip: int) -> np.ndarray:
    """One image `[channels, height, width]`, padded, cropped at (dy, dx), then flipped."""
    channels, height, width = image.shape
    result = np.empty_like(image)
    for channel in range(channels):
        for row in range(height):
            for column in range(width):
                y = row + dy - padding
                x = (width - 1 - column if flip else column) + dx - padding
                result[channel, row, column] = _pixel(image[channel], y, x, mode)
    return result


def _pixel(plane: np.ndarray, y: int, x: int, mode: str) -> float:
    height, width = plane.shape
    if mode == "zeros":
        return plane[y, x] if 0 <= y < height and 0 <= x < width else 0
    return plane[_mirrored(y, height), _mirrored(x, width)]


def _mirrored(at: int, size: int) -> int:
    """The border pixel is the mirror and is not repeated: 2 1 | 0 1 2 | 1 0."""
    if at < 0:
        return -at
    return 2 * (size - 1) - at if at >= size else at


def resized(plane: np.ndarray, side: int) -> np.ndarray:
    """One byte plane with a triangle filter, columns first, each pass rounded to whole levels."""
    wide = np.stack([_line(row, side) for row in plane])
    return np.stack([_line(column, side) for column in wide.T]).T


def _line(values: np.ndarray, side: int) -> np.ndarray:
    out = []
    for at in range(side):
        weights = _weights(len(values), side, at)
        level = sum(weight * int(value) for weight, value in zip(weights, values, strict=True))
        out.append(min(255, (level + 2**21) >> 22))
    return np.array(out, np.uint8)


@cache
def _weights(size: int, side: int, at: int) -> tuple[int, ...]:
    """The weights of one new pixel, as whole multiples of 2**-22."""
    scale = Fraction(size, side)
    reach = max(scale, Fraction(1))
    center = (at + Fraction(1, 2)) * scale
    weights = [max(Fraction(0), 1 - abs(pixel + Fraction(1, 2) - center) / reach) for pixel in range(size)]
    return tuple(floor(weight / sum(weights) * 2**22 + Fraction(1, 2)) for weight in weights)
