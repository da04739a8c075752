"""Straight lines of weights between two networks, and the places along them."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from gradlab.errors import MeasureError
from gradlab.measure.scores import State

__all__ = ["FEW", "Line", "Path", "grid"]

Floats = NDArray[np.float64]

FEW: Final = 25
"""Points in [0, 1] below which a barrier may be missed."""


class Path(Protocol):
    """Weights for every alpha."""

    def at(self, alpha: float) -> dict[str, torch.Tensor]:
        """Parameters and buffers at a place; at 0 and 1 those of the ends, bit for bit."""
        ...


class Line:
    """The straight line (1 - a) theta_0 + a theta_1, computed in float64 and rounded once.

    Args:
        state_0: Parameters and buffers at 0.
        state_1: The same at 1.

    Raises:
        MeasureError: The ends have other names or shapes, a weight is not finite, or a buffer that is no batch-norm
            statistic differs.

    Example:
        >>> line = Line({"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])})
        >>> line.at(0.25)["w"], line.at(2)["w"]
        (tensor([1.5000]), tensor([5.]))
    """

    def __init__(self, state_0: State, state_1: State, parameters: set[str] | None = None) -> None:
        if {n: t.shape for n, t in state_0.items()} != {n: t.shape for n, t in state_1.items()}:
            raise MeasureError(
                "the two networks are not of one architecture: names or shapes of weights differ"
            )
        self.ends = (dict(state_0), dict(state_1))
        names = set(state_0) if parameters is None else parameters
        for name in names:
            if not all(bool(torch.isfinite(end[name]).all()) for end in self.ends):
                raise MeasureError(f"{name} is not finite at an end: nothing lies between")
        for name, tensor in state_0.items():
            between = name in names or name.endswith(("running_mean", "running_var", "num_batches_tracked"))
            if not between and not torch.equal(tensor, state_1[name]):
                raise MeasureError(
                    f"buffer {name} differs between the networks and is no batch-norm statistic: what it is between "
                    "them is not defined"
                )

    def at(self, alpha: float) -> dict[str, torch.Tensor]:
        """Parameters and buffers at a place; at 0 and 1 those of the ends, bit for bit."""
        if alpha in {0, 1}:
            return dict(self.ends[int(alpha)])
        one, two = self.ends
        mixed = {
            name: ((1 - alpha) * w.double() + alpha * two[name].double()).to(w.dtype)
            if w.is_floating_point()
            else w
            for name, w in one.items()
        }
        for name in mixed:  # beyond the ends a line of variances may go below zero
            if name.endswith("running_var"):
                mixed[name] = mixed[name].clamp_min(0)
        return mixed


def grid(low: float = -1.0, high: float = 2.0, points: int = 31, within: int = FEW) -> Floats:
    """Places along a path: evenly spaced, 0 and 1 hit exactly, finer in [0, 1] where barriers are.

    Args:
        low: The first place, at most 0.
        high: The last, at least 1.
        points: How many there would be at even spacing.
        within: Least number in [0, 1], ends included; 0 keeps the even spacing.

    Returns:
        Ascending, float64.

    Raises:
        MeasureError: [0, 1] is not inside, or there are fewer than 2 points.

    Example:
        >>> grid(-1, 2, 4, within=3).tolist()
        [-1.0, 0.0, 0.5, 1.0, 2.0]
    """
    if not (low <= 0 and high >= 1 and points >= 2):
        raise MeasureError("the grid must hold 0 and 1: low <= 0, high >= 1, at least 2 points")
    even = np.linspace(low, high, points)
    for end in (0.0, 1.0):
        even[np.abs(even - end) < 1e-9] = end
    inside = even[(even >= 0) & (even <= 1)]
    if len(np.union1d(inside, [0.0, 1.0])) < within:
        inside = np.linspace(0, 1, within)
    return np.union1d(np.union1d(even[(even < 0) | (even > 1)], inside), [0.0, 1.0])
