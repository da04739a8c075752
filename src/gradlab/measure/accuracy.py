"""How many examples a network gets right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TOLERANCE", "accuracy", "tolerance_accuracy"]

TOLERANCE: Final = 0.1
"""How far an output may be from its target to count as right."""


def accuracy(outputs: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The share of examples whose largest output is that of their class; of equal outputs the first counts.

    Args:
        outputs: `[n, classes]`.
        labels: `[n]`.

    Returns:
        The share; NaN where an output is NaN.

    Example:
        >>> accuracy(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
        0.5
    """
    if np.isnan(outputs).any():
        return float("nan")
    return float((outputs.argmax(axis=1) == labels).mean())


def tolerance_accuracy(outputs: NDArray[Any], targets: NDArray[Any], tolerance: float = TOLERANCE) -> float:
    """The share of outputs that are nearer to their target than `tolerance`.

    Args:
        outputs: `[n, out]`.
        targets: `[n, out]`.
        tolerance: In the units of the target.

    Returns:
        The share; NaN where an output is NaN.

    Example:
        >>> tolerance_accuracy(np.array([[0.05], [0.2]]), np.zeros((2, 1)))
        0.5
    """
    if np.isnan(outputs).any():
        return float("nan")
    return float((np.abs(outputs - targets) < tolerance).mean())
