"""Addressed randomness: every draw has a key and a counter, and none depends on which draws came before.

The key is the SHA-256 of (seed, purpose, name), the counter holds (epoch, index). Purposes are those of the
seeds: data, labels, init, order, dropout, probe.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from gradlab.component import canonical_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["counter_of", "generator", "key_of"]


def key_of(seed: int, purpose: str, name: str = "") -> NDArray[np.uint64]:
    """The 128-bit Philox key of a purpose: the first 16 bytes of the hash, little-endian."""
    content = canonical_json([seed, purpose, name]).encode()
    return np.frombuffer(hashlib.sha256(content).digest()[:16], "<u8").astype(np.uint64)


def counter_of(epoch: int = 0, index: int = 0) -> NDArray[np.uint64]:
    """The 256-bit Philox counter of an epoch and an index; the low 128 bits are left to the draw itself."""
    return np.array([0, 0, index, epoch], np.uint64)


def generator(seed: int, purpose: str, name: str = "", epoch: int = 0, index: int = 0) -> np.random.Generator:
    """The generator at an address.

    Args:
        seed: The seed of the purpose.
        purpose: What is drawn: data, labels, init, order, dropout, probe.
        name: What tells apart draws of one purpose, such as the shape of a network.
        epoch: The epoch of the draw.
        index: Which draw of that epoch.

    Returns:
        A NumPy generator that gives the same numbers at the same address, everywhere.

    Example:
        >>> first, again = generator(0, "order", epoch=3), generator(0, "order", epoch=3)
        >>> bool(first.random() == again.random())
        True
    """
    return np.random.Generator(
        np.random.Philox(key=key_of(seed, purpose, name), counter=counter_of(epoch, index))
    )
