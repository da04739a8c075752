"""Where something that rises with the scale of a perturbation crosses a threshold."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from scipy.optimize import brentq

__all__ = ["Threshold", "crossing"]

_WIDEST: Final = math.log(2.0**20)
"""How far from the guess the search goes."""
_TOLERANCE: Final = 1e-3
"""Of the logarithm of the scale."""
_STEP: Final = 0.1
"""Of that logarithm, for the slope at the crossing."""


@dataclass(frozen=True)
class Threshold:
    """Where a rise crosses a threshold.

    Attributes:
        at: The scale; infinite if it never crosses, 0 if it is above from the first.
        error: Its standard error, which comes from that of the mean rise; NaN where there is none.
    """

    at: float
    error: float


def crossing(rises: Callable[[float], torch.Tensor], rise: float, guess: float) -> Threshold:
    """The first scale, going up by factors of two from a small one, at which a mean rise crosses a threshold.

    Args:
        rises: Takes a scale and gives the rise under each of some perturbations, the same ones at every scale. What is
            not finite counts as above the threshold.
        rise: The threshold.
        guess: A scale of the right order.

    Returns:
        The crossing, to a thousandth.

    Example:
        >>> round(crossing(lambda scale: torch.tensor([scale**2, 3 * scale**2]), 0.5, 1.0).at, 3)
        0.5
    """

    def excess(log_scale: float) -> float:
        mean = float(rises(math.exp(log_scale)).mean())
        return mean - rise if math.isfinite(mean) else 1.0

    guessed = math.log(guess)
    low = high = guessed - math.log(8)
    if excess(low) > 0:
        while excess(low) > 0:
            high, low = low, low - math.log(2)
            if low < guessed - _WIDEST:
                return Threshold(0.0, math.nan)
    else:
        while excess(high) <= 0:
            low, high = high, high + math.log(2)
            if high > guessed + _WIDEST:
                return Threshold(math.inf, math.nan)
    log_scale = float(cast(Any, brentq)(excess, low, high, xtol=_TOLERANCE))
    near = rises(math.exp(log_scale))
    slope = (excess(log_scale + _STEP) - excess(log_scale - _STEP)) / (2 * _STEP)
    spread = float(near.std()) / len(near) ** 0.5 if len(near) > 1 else math.nan
    return Threshold(math.exp(log_scale), math.exp(log_scale) * spread / slope if slope > 0 else math.nan)
