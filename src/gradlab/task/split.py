"""Which training examples are held out for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.randomness import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["split"]


def split(n: int, seed: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The examples that are trained on and those that are held out, both in rising order.

    Args:
        n: Number of examples.
        seed: The run's `data` seed.
        share: The share that is held out, at least one example.

    Returns:
        Indices of both.

    Raises:
        ValueError: None would be left for training.

    Example:
        >>> kept, held = split(10, seed=0, share=0.2)
        >>> len(kept), len(held)
        (8, 2)
    """
    count = max(1, round(n * share))
    if count >= n:
        raise ValueError(f"validation = {share:g} leaves none of the {n} examples for training")
    shuffled = generator(seed, "data", "validation").permutation(n)
    return np.sort(shuffled[count:]), np.sort(shuffled[:count])
