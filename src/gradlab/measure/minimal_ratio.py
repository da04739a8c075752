r"""The "minimal ratio" of a trained network: four definitions under four names, side by side.

Said to be the share of positive curvature at a point without gradient, it was computed in four ways that are four
different things:

- `hessian`: the whole Hessian in float32, and the share of eigenvalues above 0 by a solver for general matrices. Zero
  eigenvalues count by the sign of their rounding.
- `layers`: for each weight matrix \(\sum_i \sum_o (b \otimes a)(b \otimes a)^\top\) in float32, the share of
  eigenvalues above 0, and the mean. Positive semi-definite by construction: a numerical rank.
- `small_weights`: the share of weights nearer to zero than a threshold. Sparsity, no curvature at all.
- `inertia`: the whole Hessian in float64, symmetric, and the share of eigenvalues above a zero band. Positive
  curvature, and the only one of the four that tells a minimum from a saddle, by `negative` beside it.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import torch
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from torch import nn
from torch.func import jacrev, vmap

from gradlab.errors import MeasureError
from gradlab.measure.critical import EXACT, critical_points
from gradlab.measure.gradient_search import Method, hessian_at
from gradlab.measure.hessian import hessian_matrix
from gradlab.measure.inertia import WIDTHS, band, count
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss, Objective, Part

__all__ = ["Definition", "layer_matrices", "minimal_ratio", "minimal_ratios", "small_weights"]

Definition = Literal["hessian", "layers", "small_weights", "inertia"]

_MEANS: Final = {
    "hessian": "share of the D eigenvalues of the float32 Hessian that a general solver puts above 0, no tolerance",
    "layers": "mean over weight matrices of the share of eigenvalues above 0 of the layer's Gauss-Newton matrix of the "
    "outputs, float32, no tolerance; cannot show negative curvature",
    "small_weights": "share of the D weights, biases included, whose absolute value is under the threshold",
    "inertia": "share of the D eigenvalues of the float64 Hessian above the zero band",
    "zero": "share of the D eigenvalues inside the zero band",
    "negative": "share of the D eigenvalues below the zero band",
    "inertia_nonzero": "eigenvalues above the zero band as a share of those outside; NaN where all are inside",
    "stable": "1 if the counts are the same at a tenth and at ten times the zero band",
    "at_critical": "1 if the inertia was taken at a verified critical point",
    "gradient_norm": "L2 norm of the full-batch gradient over all weights, biases included, of the trained network",
    "layer_gradient_norm": "mean over weight matrices of the L2 norm of the full-batch gradient, biases left out",
    "zero_gradient": "1 where that mean is exactly 0 (not a test for a critical point: biases are left out)",
}


def minimal_ratio(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    threshold: float = 1e-3,
    only: Sequence[Definition] = (),
    critical: bool = False,
    method: Method = "newton_mr",
    tolerance: float = 1e-8,
    steps: int = 500,
) -> Measurement:
    """The four ratios of one network, and the norms of its gradient.

    Args:
        network: Any module; it is copied, set to evaluation mode and never changed.
        loss: "cross_entropy", "mse", or a function that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets `[n]` or `[n, out]`.
        threshold: Of `small_weights`.
        only: Definitions to compute; all of them if empty.
        critical: Whether the inertia is taken at the point at which a search for a critical point ends.
        method: Of that search, as in `critical_point`.
        tolerance: Of that search.
        steps: Of that search.

    Returns:
        The ratios by name.

    Raises:
        MeasureError: The network cannot be measured, or is too large for a matrix that was asked for.

    Example:
        >>> import numpy as np
        >>> line = nn.Linear(1, 1)
        >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [5.0]])
        >>> found = minimal_ratio(line, "mse", x, y, critical=True)
        >>> float(found["hessian"]), float(found["layers"]), float(found["inertia"])
        (1.0, 1.0, 1.0)
    """
    objective = Objective(network, loss, x, y)
    return minimal_ratios(
        objective,
        threshold=threshold,
        only=only,
        critical=critical,
        method=method,
        tolerance=tolerance,
        steps=steps,
    )[0]


def minimal_ratios(
    objective: Objective,
    *,
    threshold: float = 1e-3,
    only: Sequence[Definition] = (),
    critical: bool = False,
    method: Method = "newton_mr",
    tolerance: float = 1e-8,
    steps: int = 500,
) -> list[Measurement]:
    """The four ratios of each of several networks; as `minimal_ratio`.

    Args:
        objective: Of one network or several, in float64.
        threshold: As in `minimal_ratio`.
        only: As in `minimal_ratio`.
        critical: As in `minimal_ratio`.
        method: As in `minimal_ratio`.
        tolerance: As in `minimal_ratio`.
        steps: As in `minimal_ratio`.

    Returns:
        One measurement for each network.

    Raises:
        MeasureError: There is no such definition, or the networks are too large for one.
    """
    wanted = _wanted(objective, only)
    settings = {
        **objective.settings,
        "threshold": threshold,
        "only": " ".join(wanted),
        "critical": int(critical),
    }
    found: list[Measurement] = []
    for each in objective.alone():
        numbers, cost = _gradients(each), 1.0
        if "small_weights" in wanted:
            numbers["small_weights"] = small_weights(each.weights, threshold)
        if {"hessian", "layers"} & set(wanted):
            single = Objective(each.module(), each.criterion, each.x, each.y, dtype=torch.float32)
            if "hessian" in wanted:
                numbers["hessian"], spent = _general(single)
                cost += spent
            if "layers" in wanted:
                shares = [share_above_zero(matrix) for matrix in layer_matrices(single)]
                numbers["layers"], cost = sum(shares) / len(shares), cost + 1
        warnings: tuple[str, ...] = ()
        if "inertia" in wanted:
            more, spent, warnings = _inertia(each, critical, method, tolerance, steps)
            numbers |= more
            cost += spent
        values = {name: Value(numbers[name], means) for name, means in _MEANS.items() if name in numbers}
        found.append(Measurement("minimal_ratio", values, settings, cost, warnings))
    return found


def small_weights(weights: torch.Tensor, threshold: float) -> float:
    """The share of weights whose absolute value is under a threshold.

    Example:
        >>> small_weights(torch.tensor([1e-4, -1e-4, 0.5, -2.0]), 1e-3)
        0.5
    """
    return float((weights.abs() < threshold).double().mean())


def layer_matrices(objective: Objective) -> list[torch.Tensor]:
    r"""For each weight matrix of one network \(\sum_i \sum_o (b_{io} \otimes a_i)(b_{io} \otimes a_i)^\top\).

    With the layer's input \(a\) and the gradient \(b\) of an output by the layer's pre-activations. This is the layer's
    block of the Gauss-Newton matrix of \(\frac{1}{2} \sum_i \lVert f_i - y_i \rVert^2\): there is no factor \(2/n\), no
    residual and no second derivative of the network in it. A convolution's gradient is summed over its positions.

    Args:
        objective: Of one network, in the type of the arithmetic.

    Returns:
        Square matrices of the size of the weight tensors, in order.
    """
    parts = [part for part in objective.parts if not part.bias]
    sums = [
        torch.zeros(part.last - part.first, part.last - part.first, dtype=objective.dtype) for part in parts
    ]

    def outputs(weights: torch.Tensor, one: torch.Tensor) -> torch.Tensor:
        return objective.outputs(weights, one[None]).flatten()

    each = vmap(jacrev(outputs), in_dims=(None, 0))
    for first in range(0, objective.examples, 256):
        slopes = each(objective.weights, objective.x[first : first + 256]).flatten(0, 1)
        for part, total in zip(parts, sums, strict=True):
            own = slopes[:, part.first : part.last]
            total += own.mT @ own
    return sums


def share_above_zero(matrix: torch.Tensor) -> float:
    """The share of a symmetric matrix's computed eigenvalues that are above 0, without tolerance; NaN if not finite."""
    # by QR steps: divide and conquer does not converge on some float32 matrices of low rank
    if not bool(torch.isfinite(matrix).all()):
        return float("nan")
    return float((eigvalsh(matrix.numpy(), driver="ev") > 0).mean())


def _wanted(objective: Objective, only: Sequence[Definition]) -> tuple[Definition, ...]:
    every: tuple[Definition, ...] = get_args(Definition)
    unknown = [name for name in only if name not in every]
    if unknown:
        raise MeasureError(f"there is no minimal ratio called {unknown[0]!r}; allowed: {', '.join(every)}")
    wanted: tuple[Definition, ...] = tuple(name for name in every if not only or name in only)
    if {"hessian", "inertia"} & set(wanted):
        if objective.size > EXACT:
            raise MeasureError(
                f"the Hessian of {objective.size} weights is too large to decompose (up to {EXACT}); leave out "
                "`hessian` and `inertia`, as in only=('small_weights',)"
            )
        if objective.dtype != torch.float64:
            raise MeasureError("the inertia needs float64: float32 rounding is wider than most eigenvalues")
    if "layers" in wanted:
        large = max(_matrices(objective), key=lambda part: part.last - part.first)
        if large.last - large.first > EXACT:
            raise MeasureError(
                f"the matrix of {large.name} is {large.last - large.first} square, too large to decompose (up to "
                f"{EXACT}); leave out `layers`"
            )
    return wanted


def _matrices(objective: Objective) -> list[Part]:
    found = [part for part in objective.parts if not part.bias]
    if not found:
        raise MeasureError("the network has no weight matrix, so that there is no layer to take a ratio of")
    return found


def _gradients(objective: Objective) -> dict[str, float]:
    gradient = objective.gradient(objective.weights)
    norms = [float(gradient[part.first : part.last].norm()) for part in _matrices(objective)]
    mean = sum(norms) / len(norms)
    return {
        "gradient_norm": float(gradient.norm()),
        "layer_gradient_norm": mean,
        "zero_gradient": float(mean == 0),
    }


def _general(single: Objective) -> tuple[float, float]:
    """As it was done: second derivatives in float32, not symmetrised, and a solver for any matrix."""
    rows = hessian_matrix(single)
    cost = 2.0 * single.size
    if not bool(torch.isfinite(rows).all()):
        return float("nan"), cost
    return float((torch.linalg.eigvals(rows).real > 0).double().mean()), cost


def _inertia(
    objective: Objective, critical: bool, method: Method, tolerance: float, steps: int
) -> tuple[dict[str, float], float, tuple[str, ...]]:
    if critical:
        point = critical_points(objective, method=method, tolerance=tolerance, steps=steps)[0]
        values, tau, warnings, cost = point.eigenvalues, point.tolerance, point.warnings, point.gradients
        verified = float(point["found"])
    else:
        hessian, cost = hessian_at(objective, objective.weights)
        finite = bool(torch.isfinite(hessian).all())
        values = torch.linalg.eigvalsh(hessian) if finite else torch.full_like(hessian[0], float("nan"))
        gradient = float(objective.gradient(objective.weights).norm())
        tau = band(float(values.abs().max()), objective.size, gradient, float(objective.weights.norm()))
        verified, warnings, cost = 0.0, (), cost + 1
    if not bool(torch.isfinite(values).all()):
        names = ("inertia", "zero", "negative", "inertia_nonzero", "stable")
        return (
            dict.fromkeys(names, float("nan")) | {"at_critical": 0.0},
            cost,
            ("the Hessian is not finite: the network had diverged",),
        )
    counts = count(values.numpy(), tau)
    stable = all(count(values.numpy(), tau * width) == counts for width in WIDTHS)
    if not stable:
        warnings = (*warnings, "the counts change with the zero band: eigenvalues lie at its edge")
    numbers = {
        "inertia": counts.positive / len(values),
        "zero": counts.zero / len(values),
        "negative": counts.negative / len(values),
        "inertia_nonzero": counts.nonzero_positive,
        "stable": float(stable),
        "at_critical": verified,
    }
    return numbers, cost, warnings
