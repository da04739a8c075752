"""How many directions of a network's loss curve up, down, or not at all: the inertia of its Hessian.

Exact from all eigenvalues for some thousand parameters, exact from the factors of the shifted matrix beyond, and from
there on an estimate with bounds. `gradlab.measure.signs` says what counts as zero.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.hessian import hessian_matrix
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import NETWORK, Loss, Objective
from gradlab.measure.signs import KAPPA, WIDTHS, C, Counts, band, count, factored

__all__ = ["EXACT", "FACTORED", "WIDTHS", "Counts", "band", "count", "factored", "inertia", "inertia_of"]

Method = Literal["auto", "eigenvalues", "factors", "estimate"]
Triple = tuple[float, float, float]

EXACT: Final = 5_000
"""Parameters up to which all eigenvalues are computed."""
FACTORED: Final = 20_000
"""Parameters up to which the matrix is formed and factored."""
PROBES: Final = 10
"""Random vectors of an estimate."""
STEPS: Final = 100
"""Products with each."""


def inertia(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    tolerance: float | None = None,
    part: str = NETWORK,
    method: Method = "auto",
    weight_decay: float = 0.0,
    seed: int = 0,
) -> Measurement:
    """How many directions of a network's loss curve up, not at all, or down, in float64.

    Args:
        network: Any module; copied, in evaluation mode, never changed.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets.
        tolerance: What counts as zero; the module's formula if `None`.
        part: "network", the name of a parameter tensor or of a layer: the diagonal block that belongs to it.
        method: "eigenvalues" (all), "factors" (of the matrix, without eigenvalues), "estimate" (from products with
            random vectors, bounded), or "auto": the first to 5,000 parameters, the second to 20,000, then the third.
        weight_decay: Added to the loss.
        seed: Of the random vectors.

    Returns:
        What `inertia_of` gives for one network.

    Raises:
        MeasureError: The network, the loss or the data cannot be measured.

    Example:
        >>> line = nn.Linear(2, 1, bias=False)  # two inputs that are always equal: one direction is flat
        >>> x = np.array([[1.0, 1.0], [2.0, 2.0]])
        >>> with torch.no_grad():
        ...     y = line(torch.from_numpy(x).float())
        >>> found = inertia(line, "mse", x, y)
        >>> [float(found[name]) for name in ("positive", "zero", "negative")]
        [1.0, 1.0, 0.0]
    """
    objective = Objective(network, loss, x, y, weight_decay=weight_decay)
    return inertia_of(objective, tolerance=tolerance, part=part, method=method, seed=seed)[0]


def inertia_of(
    objective: Objective,
    *,
    tolerance: float | None = None,
    part: str = NETWORK,
    method: Method = "auto",
    seed: int = 0,
) -> list[Measurement]:
    """The inertia of the Hessian of each network of an objective, at its weights.

    Args:
        objective: One network or several, with loss and data.
        tolerance: What counts as zero; the module's formula if `None`.
        part: "network", the name of a parameter tensor or of a layer.
        method: As `inertia` has it.
        seed: Of the random vectors.

    Returns:
        For each network: `positive`, `zero`, `negative` (numbers of eigenvalues, with bounds if estimated),
        `positive_share` and `nonzero_positive`, `tolerance`, `stable` (1 if the numbers are the same at a tenth and at
        ten times the tolerance), and the three numbers along the axis "tolerance" as `positive_at` and so on.

    Raises:
        MeasureError: There is no such part or method, or the matrix is not finite.
    """
    span = objective.span(part)
    size = span.stop - span.start
    if method == "auto":
        method = "eigenvalues" if size <= EXACT else "factors" if size <= FACTORED else "estimate"
    if method not in {"eigenvalues", "factors", "estimate"}:
        raise MeasureError(f"no method is called {method!r}; allowed: auto, eigenvalues, factors, estimate")
    if tolerance is not None and not tolerance >= 0:
        raise MeasureError(f"a tolerance is not negative; found {tolerance:g}")
    measured: list[Measurement] = []
    for one in objective.alone():
        gradient, norm = float(one.gradient(one.weights)[span].norm()), float(one.weights[span].norm())
        epsilon = float(torch.finfo(one.dtype).eps)

        def band_of(
            largest: float, norms: Sequence[float] = (gradient, norm), epsilon: float = epsilon
        ) -> float:
            return band(largest, size, *norms, epsilon=epsilon) if tolerance is None else tolerance

        settings = {
            **one.settings,
            "part": part,
            "method": method,
            "c": C,
            "kappa": KAPPA,
            "gradient_norm": gradient,
        }
        if method == "estimate":
            tau, rows, errors, cost = _estimated(one, part, band_of, seed)
        else:
            matrix = hessian_matrix(one, part=part).to(torch.float64).numpy()
            tau, rows = _counted((matrix + matrix.T) / 2, method, band_of)
            errors, cost = None, 2.0 * size
        values, warnings = _values(rows, errors, tau, size)
        measured.append(Measurement("inertia", values, settings, cost + 1.0, warnings))
    return measured


def _counted(
    matrix: NDArray[np.float64], method: str, band_of: Callable[[float], float]
) -> tuple[float, list[Triple]]:
    """The tolerance, and the exact counts at each of the band's widths."""
    if not np.isfinite(matrix).all():
        raise MeasureError("the Hessian is not finite: the network diverged, or its loss overflows")
    counts: list[Counts]
    if method == "eigenvalues":
        values = np.asarray(np.linalg.eigvalsh(matrix), np.float64)
        tau = band_of(float(np.abs(values).max()))
        counts = [count(values, tau * width) for width in WIDTHS]
    else:
        tau = band_of(_norm(matrix))
        counts = [factored(matrix, tau * width) for width in WIDTHS]
    return tau, [(each.positive, each.zero, each.negative) for each in counts]


def _estimated(
    objective: Objective, part: str, band_of: Callable[[float], float], seed: int
) -> tuple[float, list[Triple], list[Triple], float]:
    """The tolerance, counts in the middle of their bounds, half the width of these, and the cost in gradients."""
    from gradlab.measure.quadrature import quadrature
    from gradlab.measure.symmetric import curvatures_of

    matrix = next(curvatures_of(objective, part))
    seen = quadrature(matrix, PROBES, STEPS, seed)
    tau = band_of(max(abs(edge) for edge in seen.limits))
    rows: list[Triple] = []
    errors: list[Triple] = []
    for width in WIDTHS:
        edge = max(tau * width, 5e-324)  # exact zeros are within a band of no width
        low, high = matrix.size * seen.cumulative(np.array([-edge, edge]))[1]
        negative, below = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
        rows.append((matrix.size - below, below - negative, negative))
        off = (high - low) / 2
        errors.append((off[1], off[0] + off[1], off[0]))
    return tau, rows, errors, matrix.gradients * seen.products


def _norm(matrix: NDArray[np.float64]) -> float:
    """The largest magnitude of an eigenvalue, by Lanczos: the band needs no more than its size."""
    from gradlab.measure.extremes import extremes
    from gradlab.measure.symmetric import dense

    return (
        extremes(dense(matrix), 1, 1, tolerance=1e-3).scale if len(matrix) > 1 else float(abs(matrix[0, 0]))
    )


def _values(
    rows: list[Triple], errors: list[Triple] | None, tau: float, size: int
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Values and warnings of the counts above, within and below the band, at each of its widths."""
    places = tau * np.array(WIDTHS)
    values: dict[str, Value] = {}
    for column, (name, where) in enumerate((
        ("positive", "above"),
        ("zero", "within"),
        ("negative", "below"),
    )):
        means = f"number of eigenvalues {where} the band of zero"
        series = np.array([row[column] for row in rows])
        off = None if errors is None else np.array([row[column] for row in errors])
        known = "none" if off is None else "bound"
        values[name] = Value(float(series[1]), means, None if off is None else float(off[1]), known)
        values[f"{name}_at"] = Value(series, means, off, known, "tolerance", places)
    above, _, below = rows[1]
    outside = above + below
    values["positive_share"] = Value(above / size, "share of all eigenvalues above the band of zero")
    values["nonzero_positive"] = Value(
        above / outside if outside else float("nan"),
        "positive share of the eigenvalues outside of the band of zero",
    )
    values["tolerance"] = Value(tau, "half the width of the band of zero, in units of curvature")
    stable = rows[0] == rows[1] == rows[2]
    values["stable"] = Value(
        float(stable), "1 if the counts are the same at a tenth and at ten times the tolerance"
    )
    warnings: tuple[str, ...] = ()
    if not stable:
        warnings = (
            f"the counts change with the band of zero ({tau / 10:.2g} to {10 * tau:.2g}): quote no ratio",
        )
    if errors is not None:
        warnings += ("the counts are estimated from random vectors: quote their bounds",)
    return values, warnings
