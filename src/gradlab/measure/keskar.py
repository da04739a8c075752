r"""The sharpness of Keskar et al. (2017): by how many per cent of \(1 + f\) the loss can rise in a small box.

\[\phi = 100 \max_{y \in C_\varepsilon} \frac{f(x + A y) - f(x)}{1 + f(x)}, \qquad
C_\varepsilon = \{y : |y_i| \le \varepsilon (|(A^+ x)_i| + 1)\}\]

with \(A = I\), or \(A\) of some random columns. The maximum is what ten iterations of L-BFGS-B find, so that the number
is a lower bound. Because of the 1 in the box it changes when a ReLU layer is scaled up and the next one down (Dinh et
al. 2017).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from gradlab.measure.objective import Objective
from gradlab.measure.perturbed import Counter, at_weights, refuse_infinite
from gradlab.randomness import generator

__all__ = ["Box", "keskar_sharpness"]

_ITERATIONS: Final = 10
_ROUNDING: Final = 16
"""Roundings of a loss, below which a rise of it means nothing."""


@dataclass(frozen=True)
class Box:
    """What the search in a box found.

    Attributes:
        sharpness: Per cent of 1 + f.
        floor: What rounding of the loss amounts to; a sharpness no larger is not told from zero.
        largest: The largest entry of the step by which the loss rose the most, over its bound.
    """

    sharpness: float
    floor: float
    largest: float


def keskar_sharpness(
    objective: Objective,
    epsilon: float = 1e-3,
    *,
    directions: int | None = None,
    iterations: int = _ITERATIONS,
    seed: int = 0,
    counter: Counter | None = None,
) -> Box:
    """The largest rise of the loss in the box, of one network.

    The search begins at the weights. Its own tests for convergence are off: with scipy's defaults it would not move
    from weights whose largest gradient entry is below 1e-5, and report a flat minimum. Where it
    finds no rise beyond the rounding of the loss (the gradient is zero, or rounding itself) it begins anew at a random
    corner.

    Args:
        objective: Of one network.
        epsilon: Size of the box; the paper has 1e-3 and 5e-4.
        directions: Columns of A, Gaussian and scaled to length 1; None for the full space.
        iterations: Of L-BFGS-B.
        seed: Of A.
        counter: Told what it cost.

    Returns:
        The sharpness.

    Example:
        >>> from torch import nn
        >>> line = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(line.weight, 1.0)
        >>> bowl = Objective(line, "mse", np.ones((2, 1)), np.ones((2, 1)))
        >>> round(keskar_sharpness(bowl, 0.1).sharpness, 9)  # (0.1 * (|1| + 1))^2 in per cent
        4.0
    """
    refuse_infinite(objective)
    centre = objective.weights.double()
    matrix = None if directions is None else _columns(objective.size, directions, seed)
    coordinates = centre if matrix is None else torch.linalg.lstsq(matrix, centre[:, None]).solution[:, 0]
    bound = epsilon * (coordinates.abs().numpy() + 1)
    best, where = -np.inf, np.zeros_like(bound)

    def fall(y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal best, where
        step = torch.from_numpy(np.array(y))
        point = centre + (step if matrix is None else matrix @ step)
        values, slopes = at_weights(
            objective, point[None].to(objective.dtype), gradient=True, counter=counter
        )
        value, slope = float(values), slopes[0].double()
        if value > best:
            best, where = value, np.array(y)
        return -value, -(slope if matrix is None else matrix.T @ slope).numpy()

    start = np.zeros_like(bound)
    base = -fall(start)[0]
    floor = 100 * _ROUNDING * float(torch.finfo(objective.dtype).eps) * abs(base) / (1 + base)
    corner = bound * generator(seed, "probe", "keskar.corner").choice([-1.0, 1.0], len(bound))
    options: dict[str, Any] = {"maxiter": iterations, "ftol": 0.0, "gtol": 0.0}
    for begin in (start, corner):
        if 100 * (best - base) / (1 + base) <= floor:
            box = np.stack([-bound, bound], axis=1)
            minimize(fall, begin, jac=True, method="L-BFGS-B", bounds=box, options=options)
    return Box(100 * (best - base) / (1 + base), floor, float((np.abs(where) / bound).max()))


def _columns(size: int, count: int, seed: int) -> torch.Tensor:
    """Random columns of length 1, `[size, count]`."""
    drawn = generator(seed, "probe", "keskar.subspace").standard_normal((count, size)).T
    return torch.from_numpy(np.ascontiguousarray(drawn / np.linalg.norm(drawn, axis=0)))
