"""Networks that predict one value, whatever their input: the trivial predictor that a loss alone hides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LOSS_TOLERANCE", "SPREAD_TOLERANCE", "constant_loss", "predicts_constant", "spreads"]

LOSS_TOLERANCE: Final = 1e-4
"""How far the loss may be from the best constant's, as a share of that."""
SPREAD_TOLERANCE: Final = 1e-3
"""How widely outputs may spread, as a share of the targets' own spread (of 1, for logits)."""


def constant_loss(targets: NDArray[Any]) -> float:
    """The lowest loss that a constant reaches.

    Args:
        targets: Numbers `[n, out]`, for the mean squared error, or labels `[n]`, for the cross-entropy.

    Returns:
        The targets' variance (mean over outputs), or the entropy of the labels in nats.

    Example:
        >>> constant_loss(np.array([[1.0], [-1.0]])), round(constant_loss(np.array([0, 1])), 4)
        (1.0, 0.6931)
    """
    if targets.dtype.kind == "i":
        shares = np.bincount(targets) / len(targets)
        shares = shares[shares > 0]
        return float(-(shares * np.log(shares)).sum())
    return float(targets.var(axis=0).mean())


def predicts_constant(loss: float, outputs: NDArray[Any], targets: NDArray[Any]) -> bool:
    """Whether a network has collapsed to the best constant on its training set.

    Both must hold: the loss equals the best constant's within `LOSS_TOLERANCE`, and the outputs spread less
    than `SPREAD_TOLERANCE` of what the targets do. A network that merely fits badly fails the second, one
    that is constant but still moving towards the mean fails the first.

    Args:
        loss: Training loss of a full pass.
        outputs: `[n, out]` on the training inputs.
        targets: Numbers `[n, out]` or labels `[n]`.

    Returns:
        Whether it has.

    Example:
        >>> targets = np.array([[1.0], [-1.0]])
        >>> predicts_constant(1.0, np.zeros((2, 1)), targets), predicts_constant(1.0, targets[::-1], targets)
        (True, False)
    """
    best = constant_loss(targets)
    near = abs(loss - best) <= LOSS_TOLERANCE * best
    return near and not spreads(outputs, targets)


def spreads(outputs: NDArray[Any], targets: NDArray[Any]) -> bool:
    """Whether outputs differ from example to example, by more than `SPREAD_TOLERANCE` of what the targets do.

    Outputs that spread on some of the examples spread on all, so that a few may be enough to tell.

    Args:
        outputs: `[m, out]` on some or all of the training inputs.
        targets: Numbers `[n, out]` or labels `[n]` of all.

    Returns:
        Whether they do.
    """
    spread = 1.0 if targets.dtype.kind == "i" else float(np.ptp(targets, axis=0).max())
    return bool(np.ptp(outputs, axis=0).max() > SPREAD_TOLERANCE * spread)
