r"""The density of a network's curvature: how its eigenvalues are distributed, by stochastic Lanczos quadrature.

The cumulative distribution is a step function with a band that holds the true one; the smoothed density is for looking
at, and its smoothing is stated as a standard deviation. Counts of signs come from neither: near zero a quadrature has
no more than a few nodes (the band there is wide). See `gradlab.measure.quadrature` for method and sources.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import NETWORK, Loss, Objective
from gradlab.measure.products import Curvature
from gradlab.measure.quadrature import Quadrature, quadrature
from gradlab.measure.symmetric import Symmetric, curvatures_of, objective_of

__all__ = ["PROBES", "STEPS", "density", "density_of"]

PROBES = 10
"""Random vectors."""
STEPS = 80
"""Lanczos steps of each."""
_REACH = 4.0
"""How far a grid goes beyond the outermost nodes, in standard deviations of the smoothing."""
_DECADES = 10.0
"""Below the largest magnitude, how far a grid of logarithms goes."""

Scale = Literal["linear", "log"]


def density(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    probes: int = PROBES,
    steps: int = STEPS,
    scale: Scale = "linear",
    sigma: float | None = None,
    points: int = 400,
    part: str = NETWORK,
    of: Curvature = "loss",
    dtype: torch.dtype | None = None,
    seed: int = 0,
) -> Measurement:
    """The spectral density of the Hessian of a network's mean loss.

    Args:
        network: Any module; copied, in evaluation mode, never changed.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets.
        probes: Random vectors, at least 2.
        steps: Lanczos steps of each; as many as there are parameters give the exact spectrum.
        scale: "linear", or "log" for the magnitudes' logarithms, signs apart.
        sigma: Standard deviation of the smoothing, in units of the eigenvalues, or in decades where `scale` is "log";
            unless said otherwise the width of the spectrum over `steps` (2 % of it at most), or 0.1 decades.
        points: Of the grid.
        part: "network", the name of a parameter tensor or of a layer: the diagonal block that belongs to it.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        dtype: Of the products; unless said otherwise float64 under 20,000 parameters, else float32.
        seed: Of the probes.

    Returns:
        What `density_of` gives for one network.

    Raises:
        MeasureError: The network, loss or data cannot be measured, or the settings make no sense.

    Example:
        >>> line = nn.Linear(2, 1, bias=False)
        >>> x = np.array([[2.0, 0.0], [0.0, 1.0]])  # the Hessian has the eigenvalues 1 and 4
        >>> found = density(line, "mse", x, np.zeros((2, 1)))
        >>> at = np.searchsorted(found["cumulative"].places, 2.5)
        >>> found.settings["exact"], float(found["cumulative"].value[at])
        (1, 0.5)
    """
    objective = objective_of(network, loss, x, y, dtype)
    return density_of(
        objective, probes, steps, scale=scale, sigma=sigma, points=points, part=part, of=of, seed=seed
    )[0]


def density_of(
    objective: Objective,
    probes: int = PROBES,
    steps: int = STEPS,
    *,
    scale: Scale = "linear",
    sigma: float | None = None,
    points: int = 400,
    part: str = NETWORK,
    of: Curvature = "loss",
    seed: int = 0,
) -> list[Measurement]:
    """The spectral density of each network of an objective, at its weights.

    Args:
        objective: One network or several, with loss and data.
        probes: Random vectors, at least 2.
        steps: Lanczos steps of each.
        scale: "linear" or "log".
        sigma: Standard deviation of the smoothing.
        points: Of the grid.
        part: "network", or the name of a parameter tensor or of a layer.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        seed: Of the probes, the same for each network.

    Returns:
        For each network: `density` over the eigenvalue ("log": `positive` and `negative` over log10 of the magnitude)
        and `cumulative`, with bands; `nodes` and `weights` `[probes, steps]`, of which all is made.

    Raises:
        MeasureError: There is no such part, the settings make no sense, or a product is not finite.
    """
    if probes < 2 or steps < 2 or points < 2 or (sigma is not None and sigma <= 0.0):
        raise MeasureError(
            f"probes, steps and points are 2 at least and sigma is positive; found probes={probes}, steps={steps}, "
            f"points={points}, sigma={sigma}"
        )
    if scale not in {"linear", "log"}:
        raise MeasureError(f"no scale is called {scale!r}; allowed: linear, log")
    shared = objective.settings | {"part": part, "of": of, "seed": seed}
    return [
        _measured(matrix, quadrature(matrix, probes, steps, seed), scale, sigma, points, shared)
        for matrix in curvatures_of(objective, part, of)
    ]


def _measured(
    matrix: Symmetric,
    found: Quadrature,
    scale: Scale,
    sigma: float | None,
    points: int,
    shared: dict[str, str | int | float],
) -> Measurement:
    curves, used = (_log if scale == "log" else _linear)(found, sigma, points)
    settings: dict[str, str | int | float] = {
        **shared, "size": matrix.size, "probes": len(found.nodes), "steps": found.nodes.shape[1], "scale": scale,
        "sigma": used, "exact": int(found.exact),
    }  # fmt: skip
    warnings = () if found.exact else ("signs of eigenvalues near zero cannot be counted from a density",)
    return Measurement("density", curves, settings, matrix.cost(found.products), warnings)


def _linear(found: Quadrature, sigma: float | None, points: int) -> tuple[dict[str, Value], float]:
    low, high = found.limits
    # at width / m the quadrature of the smoothed density is exact to some 1e-3 of its height
    used = sigma or max(
        (high - low) / max(found.nodes.shape[1], 50), 1e-12 * (max(abs(low), abs(high)) or 1.0)
    )
    grid = _with_zero(np.linspace(low - _REACH * used, high + _REACH * used, points))
    middle, band = found.density(grid, used)
    means = "share of eigenvalues per unit, smoothed by a normal distribution; error: 95 % over probes"
    return {"density": Value(middle, means, band, "band", "value", grid), **_common(found, grid)}, used


def _log(found: Quadrature, sigma: float | None, points: int) -> tuple[dict[str, Value], float]:
    used = sigma or 0.1
    largest = max(abs(found.limits[0]), abs(found.limits[1]), 1e-300)
    grid = np.linspace(np.log10(largest) - _DECADES, np.log10(largest) + _REACH * used, points)
    values: dict[str, Value] = {}
    for name, negative in (("positive", False), ("negative", True)):
        middle, band = found.log_density(grid, used, negative=negative)
        means = f"share of all eigenvalues per decade of magnitude, {name} ones; error: 95 % over probes"
        values[name] = Value(middle, means, band, "band", "log10", grid)
    signed = np.concatenate([-(10.0 ** grid[::-1]), [0.0], 10.0**grid])
    return values | _common(found, signed), used


def _common(found: Quadrature, grid: NDArray[np.float64]) -> dict[str, Value]:
    middle, band = found.cumulative(grid)
    means = "share of eigenvalues that are at most so large; error: a band that holds it with 95 %"
    return {
        "cumulative": Value(middle, means, band, "band", "value", grid),
        "nodes": Value(found.nodes, "nodes of the quadrature", axis="probe", places=_places(found)),
        "weights": Value(found.weights, "weights of the nodes", axis="probe", places=_places(found)),
    }


def _places(found: Quadrature) -> NDArray[np.float64]:
    return np.arange(float(len(found.nodes)))


def _with_zero(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The grid with 0, where signs change, if it is inside."""
    return np.unique(np.append(grid, 0.0)) if grid[0] < 0.0 < grid[-1] else grid
