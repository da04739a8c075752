"""Trace and Frobenius norm of a network's curvature, whole and by layer, each with its standard error.

A fixed number of products, never fewer because the mean seems to have settled. See `gradlab.measure.hutchinson` for the
estimators and their sources.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.measure.hutchinson import Estimate, Method, Sums, estimate
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import NETWORK, Loss, Objective
from gradlab.measure.products import Curvature
from gradlab.measure.symmetric import Symmetric, curvatures_of, objective_of

__all__ = ["PROBES", "trace", "trace_of"]

PROBES = 100
"""Products with the curvature."""
_ENOUGH = 20
"""Independent probes from which on an interval of two standard errors covers as it should."""


def trace(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    probes: int = PROBES,
    method: Method = "hutch++",
    part: str = NETWORK,
    of: Curvature = "loss",
    diagonal: bool = False,
    dtype: torch.dtype | None = None,
    seed: int = 0,
) -> Measurement:
    """The trace of the Hessian of a network's mean loss, and its Frobenius norm.

    Args:
        network: Any module; copied, in evaluation mode, never changed.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets.
        probes: Products to spend, all of them; as many as there are parameters give exact numbers.
        method: "hutch++", or "hutchinson".
        part: "network", the name of a parameter tensor or of a layer: the diagonal block that belongs to it.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        diagonal: Whether to give the diagonal too.
        dtype: Of the products; unless said otherwise float64 under 20,000 parameters, else float32.
        seed: Of the probes.

    Returns:
        What `trace_of` gives for one network.

    Raises:
        MeasureError: The network, loss or data cannot be measured, or there are too few probes.

    Example:
        >>> line = nn.Linear(2, 1, bias=False)
        >>> x = np.array([[2.0, 0.0], [0.0, 1.0]])  # the Hessian has the eigenvalues 1 and 4
        >>> found = trace(line, "mse", x, np.zeros((2, 1)))
        >>> float(found["trace"]), float(found["trace"].error), float(found["frobenius_squared"])
        (5.0, 0.0, 17.0)
    """
    objective = objective_of(network, loss, x, y, dtype)
    return trace_of(objective, probes, method, part=part, of=of, diagonal=diagonal, seed=seed)[0]


def trace_of(
    objective: Objective,
    probes: int = PROBES,
    method: Method = "hutch++",
    *,
    part: str = NETWORK,
    of: Curvature = "loss",
    diagonal: bool = False,
    seed: int = 0,
) -> list[Measurement]:
    """The trace of each network's curvature, at its weights.

    Args:
        objective: One network or several, with loss and data.
        probes: Products to spend.
        method: "hutch++" or "hutchinson".
        part: "network", or the name of a parameter tensor or of a layer.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        diagonal: Whether to give the diagonal too.
        seed: Of the probes, the same for each network.

    Returns:
        For each network, with standard errors: `trace`; `mean`, the trace over the number of parameters;
        `frobenius_squared`, unbiased, and its root `frobenius`; for the whole network `layers`, the trace of each
        parameter tensor's block in the order of setting `tensors`; `diagonal` where asked for.

    Raises:
        MeasureError: There is no such part, there are too few probes, or a product is not finite.
    """
    parts = [(each.first, each.last) for each in objective.parts] if part == NETWORK else []
    names = ", ".join(each.name for each in objective.parts) if part == NETWORK else part
    measured: list[Measurement] = []
    for matrix in curvatures_of(objective, part, of):
        found = estimate(matrix, probes, method=method, parts=parts, seed=seed)
        settings: dict[str, str | int | float] = {
            **objective.settings, "part": part, "of": of, "size": matrix.size,
            "method": "exact" if found.exact else method, "products": found.products,
            "probes": found.trace.probes, "tensors": names, "seed": seed,
        }  # fmt: skip
        few = 0 < found.trace.probes < _ENOUGH
        warnings = (f"a standard error from {found.trace.probes} probes is itself uncertain",) if few else ()
        values = _values(found, matrix, parts, diagonal)
        measured.append(Measurement("trace", values, settings, matrix.cost(found.products), warnings))
    return measured


def _values(found: Sums, matrix: Symmetric, parts: list[tuple[int, int]], diagonal: bool) -> dict[str, Value]:
    root = np.sqrt(found.squares.value)
    # the root of an unbiased square is biased by about error^2 / (8 root^3): less than its standard error
    slope = found.squares.error / (2.0 * root) if root > 0.0 else found.squares.error
    mean = Estimate(found.trace.value / matrix.size, found.trace.error / matrix.size, found.trace.probes)
    values = {
        "trace": _value(found.trace, "sum of the eigenvalues of the mean loss's curvature"),
        "mean": _value(mean, "mean eigenvalue: trace over the number of parameters"),
        "frobenius": _value(
            Estimate(root, slope, found.squares.probes), "root of the sum of squared eigenvalues"
        ),
        "frobenius_squared": _value(found.squares, "sum of squared eigenvalues, unbiased"),
    }
    if parts:
        values["layers"] = _value(found.parts, "trace of the block of each parameter tensor", "tensor")
    if diagonal:
        values["diagonal"] = _value(found.diagonal, "diagonal of the curvature", "parameter")
    return values


def _value(found: Estimate, means: str, axis: str = "") -> Value:
    if axis:
        places = np.arange(float(len(found.value)))
        return Value(found.value, means, found.error, "standard error", axis, places)
    return Value(float(found.value), means, float(found.error), "standard error")
