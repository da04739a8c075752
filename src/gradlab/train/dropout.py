"""Dropout masks by address: which values are dropped follows from seed, epoch, step and layer, on any backend.

A mask is a hash of each value's place, SplitMix64 (Steele, Lea and Flood 2014), so that it can be computed in any
order and by anything that multiplies 64-bit integers. PyTorch's own dropout depends on what its generator drew
before and on the kernel that it runs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gradlab.randomness import key_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EVALUATION_STEP", "keep_mask", "mask_base", "mask_key", "threshold"]

EVALUATION_STEP = 2**22
"""Masks of the batches of an evaluation in training mode begin at this step; no epoch has as many updates."""

_GOLD = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 2**64 - 1

_BLOCK = 1 << 14
"""Values that are hashed at once, few enough to stay in cache."""


@lru_cache(maxsize=64)
def mask_key(seed: int) -> int:
    """The 64-bit key of a run's masks from its `dropout` seed."""
    return int(key_of(seed, "dropout")[0])


def mask_base(key: int, epoch: int, step: int, layer: int) -> int:
    """Where the hash of one layer's mask in one update begins.

    Args:
        key: From `mask_key`.
        epoch: Completed epochs when the epoch began.
        step: Index of the batch in the epoch.
        layer: Index among the network's dropout layers.

    Returns:
        A 64-bit integer.
    """
    return _mixed((key + _GOLD * ((epoch << 32) + (step << 8) + layer)) & _WORD)


def threshold(probability: float) -> int:
    """A value is kept if the upper 32 bits of its hash reach this number."""
    return int(probability * 2.0**32)


def keep_mask(base: int, probability: float, units: int, rows: int) -> NDArray[np.bool_]:
    """Which values are kept.

    Args:
        base: From `mask_base`.
        probability: Of being dropped.
        units: Values of one example, in C order of its shape.
        rows: Examples in the batch.

    Returns:
        `bool[units, rows]`; kept values are to be multiplied by 1/(1 - probability).

    Example:
        >>> keep_mask(mask_base(mask_key(0), epoch=0, step=0, layer=0), 0.5, units=2, rows=4).shape
        (2, 4)
    """
    size = units * rows
    kept = np.empty(size, np.bool_)
    places = np.arange(1, min(size, _BLOCK) + 1, dtype=np.uint64) * np.uint64(_GOLD)
    hashed, shifted = np.empty_like(places), np.empty_like(places)
    least = np.uint64(threshold(probability) << 32)
    for first in range(0, size, _BLOCK):
        count = min(_BLOCK, size - first)
        z, t = hashed[:count], shifted[:count]
        np.add(places[:count], np.uint64((base + _GOLD * first) & _WORD), out=z)
        for shift, factor in ((30, _FIRST), (27, _SECOND)):
            np.right_shift(z, np.uint64(shift), out=t)
            np.bitwise_xor(z, t, out=z)
            np.multiply(z, np.uint64(factor), out=z)
        np.right_shift(z, np.uint64(31), out=t)
        np.bitwise_xor(z, t, out=z)
        np.greater_equal(z, least, out=kept[first : first + count])
    return kept.reshape(units, rows)


def _mixed(z: int) -> int:
    z = (z ^ (z >> 30)) * _FIRST & _WORD
    z = (z ^ (z >> 27)) * _SECOND & _WORD
    return z ^ (z >> 31)
