r"""The search for a point without gradient: minimise \(\frac{1}{2} \lVert g(\theta) \rVert^2\), \(g = \nabla L\).

Near a critical point Newton's step \(-H^+ g\) squares the distance. Far from it the step must be damped, and the
damping that MINRES gets by stopping early (Newton-MR; Roosta, Liu, Xu and Mahoney 2018) is had for all strengths at
once from an eigendecomposition: \(p_\mu = -H (H^2 + \mu^2)^{-1} g\). Every strength is tried, and the best kept.
Above `DENSE` weights MINRES itself runs on products.

The gradient of a network with kinks jumps, and a search can end in front of a jump. `jump` finds it by halving an
interval: across a kink the change of the gradient stays, everywhere else it shrinks with the interval.
"""

# torch and scipy are typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, minres

from gradlab.measure.hessian import hessian_matrix
from gradlab.measure.layered import perceptron
from gradlab.measure.objective import Objective
from gradlab.measure.products import product

__all__ = ["DENSE", "Method", "Reached", "enough", "hessian_at", "jump", "search"]

Method = Literal["newton_mr", "lbfgs", "saddle_free"]

DENSE: Final = 2000
"""Weights up to which every step decomposes the whole Hessian."""
FALL: Final = 1e-4
"""What the gradient must fall to, as a share of that at the start, besides being small."""
_STALLED: Final = 1e-4
"""A step that lowers the norm of the gradient by a smaller share than this is none."""
_WINDOW: Final = 20
_CRAWL: Final = 0.1
"""A search whose gradient fell by a smaller share than this in `_WINDOW` steps has ended."""
_POLISH: Final = 4
"""Steps after the gradient counts as zero, as long as each halves it: signs of eigenvalues are then surer."""
_DAMPINGS: Final = 15
_JUMP: Final = 1e-3
_HALVINGS: Final = 44


@dataclass(frozen=True)
class Reached:
    """Where a search ended.

    Attributes:
        weights: `[D]`.
        gradient: There, `[D]`.
        start: Norm of the gradient at the start.
        steps: Steps taken.
        gradients: Cost, in full-batch gradients.
        kink: Whether it ended in front of a jump of the gradient.
    """

    weights: torch.Tensor
    gradient: torch.Tensor
    start: float
    steps: int
    gradients: float
    kink: bool = False

    @property
    def norm(self) -> float:
        """Of the gradient."""
        return float(self.gradient.norm())


def enough(norm: float, start: float, loss: float, tolerance: float) -> bool:
    """Whether a gradient counts as zero: small beside the loss, and fallen by `FALL` or at the level of rounding.

    Example:
        >>> enough(1e-9, 1e-3, 0.02, 1e-8), enough(1e-9, 2e-9, 0.02, 1e-8), enough(0.0, 0.0, 0.02, 1e-8)
        (True, False, True)
    """
    small = tolerance * (1 + abs(loss))
    return norm <= small and (norm <= FALL * start or norm <= FALL * small)


def hessian_at(objective: Objective, weights: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The symmetrised Hessian `[D, D]` of one network and what it nominally cost in gradients."""
    found = hessian_matrix(objective, weights)
    closed = perceptron(objective, "loss") is not None
    return (found + found.mT) / 2, len(weights) * (1 / 3 if closed else 2.0)


def search(objective: Objective, *, method: Method, tolerance: float, steps: int) -> Reached:
    r"""Minimise the norm of one network's gradient from its weights on.

    Args:
        objective: Of one network.
        method: "newton_mr"; "lbfgs" (quasi-Newton on the same function); or "saddle_free": first lower the loss with
            steps \(-(|H| + \mu)^{-1} g\) (Dauphin and others 2014), then newton_mr.
        tolerance: What `enough` takes.
        steps: How many at most.

    Returns:
        Where it ended; whether that is a critical point is not its question.
    """
    start = objective.gradient(objective.weights)
    if not bool(torch.isfinite(start).all()):
        return Reached(objective.weights, start, float(start.norm()), 0, 1.0)
    if method == "lbfgs":
        return _quasi_newton(objective, start, tolerance, steps)
    if objective.size > DENSE:
        return _krylov(objective, start, tolerance, steps)
    return _dense(objective, start, tolerance, steps, descend=method == "saddle_free")


def _dense(
    objective: Objective, gradient: torch.Tensor, tolerance: float, steps: int, *, descend: bool
) -> Reached:
    weights, start, cost, taken = objective.weights, float(gradient.norm()), 1.0, 0
    polished, fallen = 0, [start]
    while taken < steps:
        norm, loss = gradient.norm(), objective.value(weights)
        polished += enough(float(norm), start, float(loss), tolerance)
        if polished > _POLISH or not norm:
            break
        descend = descend and not polished
        hessian, spent = hessian_at(objective, weights)
        values, vectors = torch.linalg.eigh(hessian)
        along = vectors.mT @ gradient
        moves = -(_inverses(values, descend) * along) @ vectors.mT
        if descend:
            losses = _finite(objective.value(weights + moves))
            best, cost = int(losses.argmin()), cost + spent + len(moves) / 3
            if losses[best] < loss * (1 - 1e-6) if loss > 0 else losses[best] < loss:
                weights, taken = weights + moves[best], taken + 1
                gradient, cost = objective.gradient(weights), cost + 1
                continue
            descend = False
            moves = -(_inverses(values, descend) * along) @ vectors.mT
        trials = objective.gradient(weights + moves)
        norms = _finite(trials.norm(dim=1))
        best, cost = int(norms.argmin()), cost + spent + len(moves)
        if polished and norms[best] > norm / 2:
            break
        crawls = len(fallen) > _WINDOW and fallen[-1] > (1 - _CRAWL) * fallen[-1 - _WINDOW]
        if crawls or norms[best] > norm * (1 - _STALLED):
            off = (trials - gradient - moves @ hessian).norm(dim=1) > 0.01 * norm
            lengths = moves.norm(dim=1).masked_fill(~off, torch.inf)
            if not bool(off.any()):
                break
            found = jump(objective, weights, moves[int(lengths.argmin())], gradient)
            here = (weights, gradient) if found is None or found[1].norm() > norm else found
            return Reached(*here, start, taken, cost + _HALVINGS, kink=found is not None)
        weights, gradient, taken = weights + moves[best], trials[best], taken + 1
        fallen.append(float(gradient.norm()))
    return Reached(weights, gradient, start, taken, cost)


def _inverses(values: torch.Tensor, descend: bool) -> torch.Tensor:
    """For each strength of damping what the gradient's part along each eigenvector is multiplied by."""
    size = values.abs()
    largest = size.max().clamp(min=torch.finfo(values.dtype).tiny)
    dampings = largest * torch.logspace(-12, 2, _DAMPINGS, dtype=values.dtype)[:, None]
    if descend:
        return 1 / (size + dampings)
    pseudo = torch.where(size > 1e-14 * largest, 1 / values, 0.0)
    return torch.cat([pseudo[None], values / (values**2 + dampings**2)])


def _finite(numbers: torch.Tensor) -> torch.Tensor:
    return torch.where(numbers.isfinite(), numbers, torch.inf)


def jump(
    objective: Objective, weights: torch.Tensor, move: torch.Tensor, gradient: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The weights on this side of a jump of the gradient between `weights` and `weights + move`, if there is one.

    Args:
        objective: Of one network.
        weights: `[D]`.
        move: `[D]`.
        gradient: At `weights`.

    Returns:
        The weights in front of the jump and the gradient there, or None where the gradient is continuous along the
        way: the change across an interval of 6e-14 of the way is under a thousandth of the gradient, or still
        shrank with the interval in the last halvings.
    """
    low, high, at_low, at_high = 0.0, 1.0, gradient, objective.gradient(weights + move)
    change = before = float("nan")
    for halving in range(_HALVINGS):
        middle = (low + high) / 2
        at = objective.gradient(weights + middle * move)
        if (at - at_low).norm() >= (at_high - at).norm():
            high, at_high = middle, at
        else:
            low, at_low = middle, at
        change = float((at_high - at_low).norm())
        before = change if halving == _HALVINGS - 9 else before
    if not (change > _JUMP * float(gradient.norm()) and change > before / 2):
        return None
    return weights + low * move, at_low


def _krylov(objective: Objective, gradient: torch.Tensor, tolerance: float, steps: int) -> Reached:
    """Newton-MR on products: MINRES to a residual of a tenth, then halve the step until the gradient is shorter."""
    weights, start, cost, taken = objective.weights, float(gradient.norm()), 1.0, 0
    while taken < steps:
        norm = float(gradient.norm())
        if enough(norm, start, float(objective.value(weights)), tolerance):
            break
        multiply = product(objective, weights)
        count = [0]

        def apply(
            vector: NDArray[np.float64],
            multiply: Any = multiply,
            count: list[int] = count,
        ) -> NDArray[np.float64]:
            count[0] += 1
            return multiply(torch.from_numpy(vector).to(objective.dtype)).double().numpy()

        size = objective.size
        operator: Any = LinearOperator((size, size), matvec=apply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
        found, _ = minres(operator, -gradient.double().numpy(), rtol=min(0.1, norm**0.5), maxiter=200)
        move, scale = torch.from_numpy(found).to(weights.dtype), 1.0
        cost += multiply.setup + multiply.gradients * count[0]
        for _ in range(12):
            trial = objective.gradient(weights + scale * move)
            cost += 1
            if float(trial.norm()) <= norm * (1 - _STALLED):
                break
            scale /= 2
        else:
            found_jump = jump(objective, weights, scale * 2 * move, gradient)
            here = (weights, gradient) if found_jump is None else found_jump
            return Reached(*here, start, taken, cost + _HALVINGS, kink=found_jump is not None)
        weights, gradient, taken = weights + scale * move, trial, taken + 1
    return Reached(weights, gradient, start, taken, cost)


def _quasi_newton(objective: Objective, gradient: torch.Tensor, tolerance: float, steps: int) -> Reached:
    """L-BFGS on half the squared norm, as a share of that at the start; its gradient is one product."""
    start, cost = float(gradient.norm()), [1.0]
    if enough(start, start, float(objective.value(objective.weights)), tolerance):
        return Reached(objective.weights, gradient, start, 0, 1.0)
    unit = start * start
    limit = tolerance * (1 + abs(float(objective.value(objective.weights))))
    target = min(limit, FALL * start)

    def half_square(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = torch.from_numpy(flat.copy()).to(objective.dtype)
        slope = objective.gradient(at)
        multiply = product(objective, at)
        cost[0] += 1 + multiply.setup + multiply.gradients
        return float(slope @ slope) / (2 * unit), (multiply(slope) / unit).double().numpy()

    def arrived(intermediate_result: Any) -> None:
        if (2 * unit * float(intermediate_result.fun)) ** 0.5 <= target:
            raise StopIteration

    found: Any = minimize(
        half_square, objective.weights.double().numpy(), jac=True, method="L-BFGS-B", callback=arrived,
        options={"maxiter": steps, "maxfun": 20 * steps, "maxcor": 50, "ftol": 0.0, "gtol": 0.0},
    )  # fmt: skip
    weights = torch.from_numpy(np.asarray(found.x)).to(objective.dtype)
    here = objective.gradient(weights)
    taken = int(found.nit)
    if taken >= steps or enough(float(here.norm()), start, float(objective.value(weights)), tolerance):
        return Reached(weights, here, start, taken, cost[0])
    down = -product(objective, weights)(here)
    length = float(down.norm())
    reach = min(float(here.norm()) ** 2 / length, 0.1 * float(weights.norm())) if length else 0.0
    step = down * (reach / length) if length else down
    ahead = jump(objective, weights, step, here) if length else None
    return Reached(
        weights, here, start, taken, cost[0] + (_HALVINGS if length else 0), kink=ahead is not None
    )
