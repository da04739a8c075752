"""The size of a network's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["weight_norm"]


def weight_norm(weights: NDArray[Any]) -> float:
    """The L2 norm of all parameters, biases included, summed in float64.

    Example:
        >>> weight_norm(np.array([3.0, -4.0], np.float32))
        5.0
    """
    return float(np.sqrt(np.square(weights, dtype=np.float64).sum()))
