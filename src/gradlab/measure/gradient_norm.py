r"""Norms of a gradient \(g\), from the squared norms of its parts.

Backends hand out \(\lVert g_{l,0} \rVert^2\) for the weight and \(\lVert g_{l,1} \rVert^2\) for the bias of
each layer \(l\), summed in float64. All norms have the units of loss over weight; weight decay is not in
\(g\).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["layer_norms", "mean_tensor_norm", "mean_weight_norm", "total_norm"]


def total_norm(squares: NDArray[Any]) -> NDArray[np.float64]:
    r"""The L2 norm of the whole gradient, \(\sqrt{\sum_{l,k} \lVert g_{l,k} \rVert^2}\).

    Args:
        squares: `[..., L, 2]`.

    Returns:
        `[...]`.

    Example:
        >>> float(total_norm(np.array([[9.0, 0.0], [7.0, 9.0]])))
        5.0
    """
    return np.sqrt(squares.sum(axis=(-2, -1)))


def layer_norms(squares: NDArray[Any]) -> NDArray[np.float64]:
    """The L2 norm of each layer's gradient, weight and bias together.

    Args:
        squares: `[..., L, 2]`.

    Returns:
        `[..., L]`.
    """
    return np.sqrt(squares.sum(axis=-1))


def mean_weight_norm(squares: NDArray[Any]) -> NDArray[np.float64]:
    r"""The mean over layers of the norm of the weight gradient, \(\frac{1}{L} \sum_l \lVert g_{l,0} \rVert\).

    Biases are left out, as the reports' test for a zero gradient does; a network whose output bias still
    moves can therefore have a mean of zero.

    Args:
        squares: `[..., L, 2]`.

    Returns:
        `[...]`.
    """
    return np.sqrt(squares[..., 0]).mean(axis=-1)


def mean_tensor_norm(squares: NDArray[Any]) -> NDArray[np.float64]:
    r"""The mean over parameter tensors of their gradients' norms, \(\frac{1}{2L} \sum_{l,k} \lVert g_{l,k} \rVert\).

    This is what reports 000, 002 and 004 call sensitivity, of one minibatch. A bias of ten numbers counts as much as
    a weight of ten thousand, so that the mean is neither the norm of the gradient nor bounded by it from below.

    Args:
        squares: `[..., L, 2]` of layers that each have a weight and a bias.

    Returns:
        `[...]`.

    Example:
        >>> float(mean_tensor_norm(np.array([[9.0, 0.0], [16.0, 1.0]])))
        2.0
    """
    return np.sqrt(squares).mean(axis=(-2, -1))
