"""Rectified units that never fire. Only a rectifier can die: no other activation is zero on all inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["dead_layer", "dead_units"]


def dead_units(rectified: Sequence[NDArray[Any]], units: int) -> float:
    """The share of hidden units that are zero on every input.

    Args:
        rectified: For each rectified layer its activations `[n, width]` on the training inputs.
        units: Number of hidden units of any activation.

    Returns:
        The share; 0 where there are no hidden units.

    Example:
        >>> import numpy as np
        >>> dead_units([np.array([[0.0, 1.0], [0.0, 0.0]])], units=2)
        0.5
    """
    dead = sum(int((layer == 0).all(axis=0).sum()) for layer in rectified)
    return dead / units if units else 0.0


def dead_layer(rectified: Sequence[NDArray[Any]]) -> bool:
    """Whether all units of some layer are dead, so that the output no longer depends on the input.

    Args:
        rectified: For each rectified layer its activations `[n, width]` on the training inputs.

    Returns:
        Whether there is such a layer; no gradient reaches the weights before it.
    """
    return any(bool((layer == 0).all()) for layer in rectified)
