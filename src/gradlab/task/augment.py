"""Random crops and flips of a batch: drawn for a whole epoch at once, so that no batch order changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gradlab.randomness import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.task.images import CropFlip

__all__ = ["apply", "moves"]


def moves(augment: CropFlip, seed: int, epoch: int, n: int, purpose: str = "augment") -> NDArray[np.int8]:
    """What happens to each example in the epoch that starts at index `epoch`.

    Args:
        augment: What may happen.
        seed: The run's `order` seed.
        epoch: Number of completed epochs.
        n: Number of examples.
        purpose: "augment" for training; other purposes draw independently of it.

    Returns:
        `int8[n, 3]`: the row and the column of the padded image at which the crop begins, each from 0 to twice the
        padding, and 1 for a flip or 0.

    Example:
        >>> from gradlab.task.images import CropFlip
        >>> table = moves(CropFlip(padding=2), seed=0, epoch=3, n=1000)
        >>> table.shape, table.min(axis=0).tolist(), table.max(axis=0).tolist()
        ((1000, 3), [0, 0, 0], [4, 4, 1])
    """
    draw = generator(seed, purpose, epoch=epoch)
    table = np.empty((n, 3), np.int8)
    table[:, :2] = draw.integers(2 * augment.padding + 1, size=(n, 2), dtype=np.int8)
    table[:, 2] = draw.integers(2, size=n, dtype=np.int8) if augment.flip else 0
    return table


def apply(augment: CropFlip, x: NDArray[Any], moved: NDArray[np.int8]) -> NDArray[Any]:
    """Examples after their moves: padded, cropped to their size again, then flipped left to right.

    Args:
        augment: How to pad.
        x: Examples `[b, channels, height, width]`.
        moved: Their rows of `moves`, `int8[b, 3]`.

    Returns:
        A new array of the same shape and type.

    Example:
        >>> from gradlab.task.images import CropFlip
        >>> image = np.array([[[[1.0, 2.0, 3.0]] * 3]])
        >>> apply(CropFlip(padding=1), image, np.array([[1, 0, 0]], np.int8))[0, 0, 0].tolist()
        [2.0, 1.0, 2.0]
    """
    height, width = x.shape[2:]
    pad = augment.padding
    result = x
    if pad:
        sides = ((0, 0), (0, 0), (pad, pad), (pad, pad))
        padded = np.pad(x, sides, mode="reflect" if augment.mode == "reflect" else "constant")
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        result = windows[np.arange(len(x)), :, moved[:, 0], moved[:, 1]]
    flipped = moved[:, 2] == 1
    return np.ascontiguousarray(np.where(flipped[:, None, None, None], result[..., ::-1], result))
