r"""The largest and the smallest eigenvalues of a network's curvature, each with its residual.

By a Lanczos iteration with full re-orthogonalisation (`gradlab.measure.extremes`): largest and smallest algebraically,
in float64 whatever the type of the products, with the residual \(\lVert Hv - \lambda v \rVert\) of each pair and a
flag where it is not small.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.measure.extremes import TOLERANCE, Extremes, extremes
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import NETWORK, Loss, Objective
from gradlab.measure.products import Curvature
from gradlab.measure.symmetric import curvatures_of, objective_of

__all__ = ["extremes_of", "top_eigenvalues"]


def top_eigenvalues(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    k: int = 5,
    bottom: int = 0,
    part: str = NETWORK,
    of: Curvature = "loss",
    dtype: torch.dtype | None = None,
    tolerance: float = TOLERANCE,
    steps: int | None = None,
    block: int = 1,
    vectors: bool = False,
    seed: int = 0,
) -> Measurement:
    """The largest eigenvalues of the Hessian of a network's mean loss, and the smallest if asked for.

    Args:
        network: Any module; copied, in evaluation mode, never changed.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets.
        k: How many of the largest.
        bottom: How many of the smallest (most negative).
        part: "network", the name of a parameter tensor or of a layer: the diagonal block that belongs to it.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        dtype: Of the products; unless said otherwise float64 under 20,000 parameters, else float32.
        tolerance: The residual of a converged pair, as a share of the largest magnitude.
        steps: Products at most (`STEPS` unless said otherwise).
        block: Vectors multiplied together; see `extremes`.
        vectors: Whether to hand out eigenvectors, as `vectors` `[k, D]`.
        seed: Of the random start.

    Returns:
        What `extremes_of` gives for one network.

    Raises:
        MeasureError: The network, loss or data cannot be measured, or there are not so many eigenvalues.

    Example:
        >>> line = nn.Linear(2, 1, bias=False)
        >>> x = np.array([[2.0, 0.0], [0.0, 1.0]])
        >>> found = top_eigenvalues(line, "mse", x, np.zeros((2, 1)), k=2)  # the Hessian is X'X, as n = 2
        >>> np.round(found["top"].value, 9).tolist(), bool(found["residual"].value < 1e-9)
        ([4.0, 1.0], True)
    """
    objective = objective_of(network, loss, x, y, dtype)
    return extremes_of(
        objective, k, bottom, part=part, of=of, tolerance=tolerance, steps=steps, block=block, vectors=vectors,
        seed=seed,
    )[0]  # fmt: skip


def extremes_of(
    objective: Objective,
    top: int = 5,
    bottom: int = 1,
    *,
    part: str = NETWORK,
    of: Curvature = "loss",
    tolerance: float = TOLERANCE,
    steps: int | None = None,
    block: int = 1,
    vectors: bool = False,
    seed: int = 0,
) -> list[Measurement]:
    """The outermost eigenvalues of each network of an objective, at its weights.

    Args:
        objective: One network or several, with loss and data.
        top: How many of the largest.
        bottom: How many of the smallest.
        part: "network", or the name of a parameter tensor or of a layer.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        tolerance: The residual of a converged pair, as a share of the largest magnitude.
        steps: Products at most (`STEPS` unless said otherwise).
        block: Vectors multiplied together; see `extremes`.
        vectors: Whether to hand out eigenvectors.
        seed: Of the random start, the same for each network.

    Returns:
        For each network: `top` and `bottom` by rank, with residuals; `largest` and `smallest`; `residual`, the worst
        as a share of the largest magnitude; `converged` (1 or 0); `vectors` where asked for.

    Raises:
        MeasureError: There is no such part, there are not so many eigenvalues, or a product is not finite.
    """
    measured: list[Measurement] = []
    for matrix in curvatures_of(objective, part, of):
        found = extremes(
            matrix, top, bottom, tolerance=tolerance, steps=steps, block=block, vectors=vectors, seed=seed
        )
        settings: dict[str, str | int | float] = {
            **objective.settings, "part": part, "of": of, "size": matrix.size, "tolerance": tolerance,
            "products": found.products, "block": block, "seed": seed,
            "multiplicity": "exact" if found.complete else f"at most {block}",
        }  # fmt: skip
        measured.append(
            Measurement(
                "eigenvalues",
                _values(found),
                settings,
                matrix.cost(found.products),
                _warnings(found),
            )
        )
    return measured


def _values(found: Extremes) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, end, pairs in (("top", "largest", found.top), ("bottom", "smallest", found.bottom)):
        if not len(pairs.values):
            continue
        ranks = np.arange(1.0, len(pairs.values) + 1)
        means = f"{end} eigenvalues of the mean loss's curvature, algebraically; error: |Hv - lambda v|"
        values[name] = Value(pairs.values, means, pairs.residuals, "residual", "rank", ranks)
        one = f"{end} eigenvalue, algebraically; error: |Hv - lambda v|"
        values[end] = Value(float(pairs.values[0]), one, float(pairs.residuals[0]), "residual")
        if pairs.vectors is not None:
            label = "vectors" if name == "top" else "vectors.bottom"
            values[label] = Value(pairs.vectors.T, f"eigenvectors of the {end}", axis="rank", places=ranks)
    worst = float(np.concatenate([found.top.residuals, found.bottom.residuals]).max())
    share = worst / found.scale if found.scale > 0.0 else worst
    values["residual"] = Value(share, "worst |Hv - lambda v|, as a share of the largest magnitude")
    values["converged"] = Value(float(found.converged), "1 where every pair is within the tolerance, else 0")
    return values


def _warnings(found: Extremes) -> tuple[str, ...]:
    warnings: list[str] = []
    good = np.concatenate([found.top.converged, found.bottom.converged])
    if not good.all():
        warnings.append(
            f"{int((~good).sum())} of {len(good)} eigenvalues did not converge in {found.products} products: look at "
            "their residuals, or give more steps"
        )
    near = np.concatenate([found.top.clustered, found.bottom.clustered])
    if near.any():
        warnings.append(f"{int(near.sum())} of {len(near)} eigenvalues cannot be told from a neighbour")
    return tuple(warnings)
