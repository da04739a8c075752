r"""Critical points near trained networks: find a point without gradient, verify it, and say what it is.

A small gradient is not a critical point. Searches end in gradient-flat regions, where \(Hg \approx 0\) though
\(g \ne 0\) (Frye and others 2019, 2021); networks of rectifiers end pinned at kinks, where the gradient jumps and never
vanishes; and a dead network has neither gradient nor curvature by most of its weights. Each has its own name here, and
only a verified point is called a minimum or a saddle.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.constant import predicts_constant, spreads
from gradlab.measure.gradient_search import Method, Reached, enough, hessian_at, search
from gradlab.measure.inertia import Counts, band, count
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss, Objective
from gradlab.randomness import generator

__all__ = [
    "EXACT",
    "FLAT",
    "CriticalPoint",
    "Kind",
    "critical_point",
    "critical_points",
    "is_constant",
    "is_dead",
]

Kind = Literal["minimum", "saddle", "degenerate", "flat", "kink", "dead", "unfinished"]

EXACT: Final = 5000
"""Weights up to which the Hessian at the point is decomposed; above, points cannot be classified."""
FLAT: Final = 1e-2
r"""A search that ended unverified is gradient-flat where \(\lVert Hg \rVert / (\lVert H \rVert \lVert g \rVert)\) is
below this."""

_CLASSES: Final = ("minimum", "saddle", "degenerate", "flat", "kink", "dead")
_MEANS: Final = {
    "found": "1 where the point is a verified critical point: its gradient counts as zero and the network is not dead",
    "minimum": "1 where it is verified and all eigenvalues of the Hessian are above the zero band",
    "saddle": "1 where it is verified and some eigenvalue of the Hessian is below the zero band",
    "degenerate": "1 where it is verified, none is below and some are inside: second order cannot tell",
    "flat": "1 where the search ended in a gradient-flat region, where Hg is nearly zero and g is not",
    "kink": "1 where it ended at a kink: the gradient jumps there and does not vanish",
    "dead": "1 where the outputs do not depend on the input and most weights have no effect; not searched",
    "constant": "1 where the network predicts the best constant at the point",
    "index": "share of the D eigenvalues below the zero band",
    "gradient_norm": "L2 norm of the full-batch gradient over all weights, biases included",
    "relative_gradient": "that norm over the norm at the start",
    "loss": "mean loss of the full batch at the point",
    "flatness": "|Hg| / (|H| |g|), spectral norm; NaN where the gradient is exactly zero",
    "positive": "share of the D eigenvalues of the Hessian above the zero band",
    "zero": "share of the D eigenvalues inside the zero band",
    "negative": "share of the D eigenvalues below the zero band",
    "steps": "steps of the search",
}


@dataclass(frozen=True, eq=False)
class CriticalPoint(Measurement):
    """What a search for a critical point found.

    Attributes:
        kind: What the point is; "unfinished" where the search ended for want of steps or progress at none of these.
        weights: The point, flat `[D]`, in the order of the network's parameters.
        counts: Eigenvalues of the Hessian above, inside and below the zero band.
        eigenvalues: All of them, rising, `[D]`; NaN where the network had diverged.
        tolerance: Half the width of the zero band.
    """

    kind: Kind = "unfinished"
    weights: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    counts: Counts = field(default_factory=lambda: Counts(0, 0, 0))
    eigenvalues: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    tolerance: float = 0.0


def critical_point(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    method: Method = "newton_mr",
    tolerance: float = 1e-8,
    steps: int = 500,
) -> CriticalPoint:
    r"""Search from a trained network for a point without gradient, and classify it.

    The arithmetic is float64 and the gradient that of the full batch over all weights. A point is verified where
    \(\lVert g \rVert \le \epsilon (1 + |L|)\) and \(\lVert g \rVert\) fell to \(10^{-4}\) of that at the start. It is a
    saddle if an eigenvalue of the Hessian is below the zero band, else a minimum if none is inside it, else degenerate:
    the usual case of rectifiers, whose rescaling leaves the loss as it is.

    Args:
        network: Any module; it is copied, set to evaluation mode and never changed.
        loss: "cross_entropy", "mse", or a function that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets `[n]` or `[n, out]`.
        method: "newton_mr" and "lbfgs" minimise the norm of the gradient; "saddle_free" lowers the loss first.
        tolerance: \(\epsilon\).
        steps: How many at most.

    Returns:
        The point, with its weights and what it is.

    Raises:
        MeasureError: The network cannot be measured, or has more than `EXACT` weights.

    Example:
        >>> network = nn.Linear(1, 1)
        >>> point = critical_point(network, "mse", np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [5.0]]))
        >>> point.kind, [round(float(weight), 6) for weight in point.weights]
        ('minimum', [2.5, -0.5])
    """
    return critical_points(Objective(network, loss, x, y), method=method, tolerance=tolerance, steps=steps)[0]


def critical_points(
    objective: Objective, *, method: Method = "newton_mr", tolerance: float = 1e-8, steps: int = 500
) -> list[CriticalPoint]:
    """Search from each of several networks; as `critical_point`.

    Args:
        objective: Of one network or several, in float64.
        method: As in `critical_point`.
        tolerance: As in `critical_point`.
        steps: How many at most for each network.

    Returns:
        One point for each network.

    Raises:
        MeasureError: There is no such method, the objective is not in float64, or there are more than `EXACT` weights.
    """
    if method not in {"newton_mr", "lbfgs", "saddle_free"}:
        raise MeasureError(f"there is no search called {method!r}; allowed: newton_mr, lbfgs, saddle_free")
    if objective.dtype != torch.float64:
        raise MeasureError("critical points need float64: float32 gradients do not fall below their rounding")
    if objective.size > EXACT:
        raise MeasureError(
            f"a critical point is classified by the whole Hessian, which is decomposed up to {EXACT} weights; "
            f"the network has {objective.size}"
        )
    settings = {**objective.settings, "method": method, "tolerance": tolerance, "steps": steps}
    return [_one(each, method, tolerance, steps, settings) for each in objective.alone()]


def is_dead(objective: Objective, seed: int = 0) -> bool:
    """Whether one network is dead: its outputs are one constant, and some weight matrix has no effect at all.

    A network of rectifiers with a layer that never fires. Both must hold at its weights and at weights moved by a
    ten-thousandth in a random direction: so a linear network at zero, whose gradient vanishes as well, is not dead.
    Weights are taken as exactly without effect, that is, with gradients of exactly 0.

    Args:
        objective: Of one network.
        seed: Of the direction.
    """
    weights = objective.weights
    drawn = torch.from_numpy(generator(seed, "probe", "dead").standard_normal(len(weights))).to(weights)
    typical = float(weights.square().mean().sqrt()) or 1.0
    return all(_silent(objective, at) for at in (weights, weights + 1e-4 * typical * drawn))


def _silent(objective: Objective, weights: torch.Tensor) -> bool:
    with torch.no_grad():
        outputs = objective.outputs(weights, objective.x).flatten(1)
    spread = outputs.amax(0) - outputs.amin(0)
    if not bool((spread <= 1e-12 * outputs.abs().amax(0)).all()):
        return False
    gradient = objective.gradient(weights)
    return any(not bool(gradient[part.first : part.last].any()) for part in objective.parts if not part.bias)


def is_constant(objective: Objective, weights: torch.Tensor) -> bool:
    """Whether one network predicts the best constant at some weights; for losses of no name, any constant."""
    with torch.no_grad():
        outputs = objective.outputs(weights, objective.x)
        loss = float(objective.criterion(outputs, objective.y))
    y = objective.y.detach().cpu().numpy()
    given = outputs.flatten(1).cpu().numpy()
    targets = y if y.dtype.kind == "i" else y.reshape(len(y), -1)
    if objective.settings["loss"] in {"mse", "cross_entropy"}:
        return predicts_constant(loss, given, targets)
    return bool(np.isfinite(given).all()) and not spreads(given, targets)


def _one(
    objective: Objective, method: Method, tolerance: float, steps: int, settings: dict[str, str | int | float]
) -> CriticalPoint:
    dead = is_dead(objective)
    if dead:
        gradient = objective.gradient(objective.weights)
        reached = Reached(objective.weights, gradient, float(gradient.norm()), 0, 5.0)
    else:
        reached = search(objective, method=method, tolerance=tolerance, steps=steps)
    point, norm = reached.weights, reached.norm
    hessian, cost = hessian_at(objective, point)
    loss = float(objective.value(point))
    finite = bool(torch.isfinite(hessian).all())
    values = torch.linalg.eigvalsh(hessian if finite else torch.zeros_like(hessian))
    largest = float(values.abs().max())
    size, lengths = objective.size, (float(point.norm()), float(objective.weights.norm()))
    # a point may be at zero, where the gradient over the weights says nothing
    tau = band(largest, size, norm, lengths[0] if lengths[0] > 1e-3 * lengths[1] else lengths[1])
    counts = count(values.numpy(), tau)
    flatness = _flatness(hessian @ reached.gradient, largest, norm)
    found = not dead and enough(norm, reached.start, loss, tolerance)
    kind = _kind(found, counts, dead, reached.kink, flatness)
    unit = size if finite else float("nan")
    positive, zero, negative = counts.positive / unit, counts.zero / unit, counts.negative / unit
    numbers = {name: float(kind == name) for name in _CLASSES} | {
        "found": float(found),
        "constant": float(is_constant(objective, point)),
        "index": negative,
        "gradient_norm": norm,
        "relative_gradient": norm / reached.start if reached.start else 0.0,
        "loss": loss,
        "flatness": flatness,
        "positive": positive,
        "zero": zero,
        "negative": negative,
        "steps": float(reached.steps),
    }
    return CriticalPoint(
        "critical_point",
        {name: Value(numbers[name], means) for name, means in _MEANS.items()},
        settings,
        reached.gradients + cost,
        _warnings(kind, reached, steps),
        kind=kind,
        weights=point,
        counts=counts,
        eigenvalues=values if finite else torch.full_like(values, float("nan")),
        tolerance=tau,
    )


def _flatness(bent: torch.Tensor, largest: float, norm: float) -> float:
    if norm == 0 or not (math.isfinite(norm) and bool(torch.isfinite(bent).all())):
        return float("nan")
    return float(bent.norm()) / (largest * norm) if largest else 0.0


def _kind(found: bool, counts: Counts, dead: bool, kink: bool, flatness: float) -> Kind:
    if dead:
        return "dead"
    if found:
        return "saddle" if counts.negative else "degenerate" if counts.zero else "minimum"
    if kink:
        return "kink"
    return "flat" if flatness < FLAT else "unfinished"


def _warnings(kind: Kind, reached: Reached, steps: int) -> tuple[str, ...]:
    if not math.isfinite(reached.norm):
        return ("the gradient is not finite: the network had diverged",)
    if kind == "dead":
        return (
            "the network is dead: zero gradient and zero curvature by most weights say nothing of the loss",
        )
    if kind in {"flat", "kink"}:
        return (
            f"no critical point: the search ended at a point that is {kind}, with |g| = {reached.norm:.2g}",
        )
    if kind == "unfinished":
        why = (
            f"{steps} steps were not enough"
            if reached.steps >= steps
            else "no step made the gradient shorter"
        )
        return (f"no critical point: {why}; |g| = {reached.norm:.2g}",)
    return ()
