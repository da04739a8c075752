"""Rectified units that never fire. Only a rectifier can die: no other activation is zero on all inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["dead_layer", "dead_units"]


def dead_units(alive: Sequence[NDArray[Any]], units: int) -> float:
    """The share of hidden units that are zero on every input.

    Args:
        alive: For each rectified layer which of its units, `bool[units]`, are above zero on some input.
        units: Number of hidden units of any activation.

    Returns:
        The share; 0 where there are no hidden units.

    Example:
        >>> import numpy as np
        >>> dead_units([np.array([False, True])], units=2)
        0.5
    """
    dead = sum(int((~layer).sum()) for layer in alive)
    return dead / units if units else 0.0


def dead_layer(alive: Sequence[NDArray[Any]]) -> bool:
    """Whether all units of some layer are dead, so that the output no longer depends on the input.

    Args:
        alive: For each rectified layer which of its units, `bool[units]`, are above zero on some input.

    Returns:
        Whether there is such a layer; no gradient reaches the weights before it.
    """
    return any(not layer.any() for layer in alive)
