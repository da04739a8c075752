r"""The exact Hessian of a network's mean loss, and all its eigenvalues.

\(H_{ab} = \partial^2 L / \partial \theta_a \partial \theta_b\) over all trainable parameters, biases and normalisation
included, of the mean loss on the given data in evaluation mode. The matrix of the whole network, the diagonal block of
one layer, and the Gauss-Newton matrix are different matrices and go by their own names: the last one is positive
semi-definite for a convex loss, and for a rectified network the block of one layer is as well, so that neither can show
a negative eigenvalue of the network.

Multilayer perceptrons have a closed form (`gradlab.measure.layered`), other networks are multiplied with the unit
vectors. Either is compared with one product with a random vector.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.layered import layered_hessian, perceptron
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import NETWORK, Loss, Objective
from gradlab.measure.products import Curvature, product
from gradlab.measure.signs import KAPPA, C, band, share_values
from gradlab.randomness import generator

__all__ = ["LARGEST", "hessian_matrix", "spectrum", "spectrum_of"]

LARGEST: Final = 20_000
"""Parameters up to which a matrix is formed: 3.2 GB in float64."""
_AGREES: Final = 1e6
"""How many roundings the matrix and a product may differ before it is said."""
_COLUMNS: Final = 256


def spectrum(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    part: str = NETWORK,
    of: Curvature = "loss",
    weight_decay: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> Measurement:
    """All eigenvalues of the Hessian of a network's mean loss.

    Args:
        network: Any module; copied, in evaluation mode, never changed.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Inputs `[n, ...]`.
        y: Targets.
        part: "network", the name of a parameter tensor ("2.weight") or of a layer ("2"): its diagonal block.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        weight_decay: Added to the loss as half of it times the squared norm of the weights.
        dtype: The type that the matrix is computed in; eigenvalues are always computed in float64.

    Returns:
        What `spectrum_of` gives for one network.

    Raises:
        MeasureError: The network, the loss or the data cannot be measured, or the matrix would be too large.

    Example:
        >>> line = nn.Linear(2, 1, bias=False)
        >>> line.weight.data.zero_()
        tensor([[0., 0.]])
        >>> x = np.array([[2.0, 0.0], [0.0, 1.0]])
        >>> found = spectrum(line, "mse", x, np.zeros((2, 1)))  # the Hessian is X'X, as n = 2
        >>> np.round(found["eigenvalues"].value, 9).tolist(), float(found["positive"])
        ([4.0, 1.0], 1.0)
    """
    return spectrum_of(
        Objective(network, loss, x, y, weight_decay=weight_decay, dtype=dtype), part=part, of=of
    )[0]


def spectrum_of(objective: Objective, *, part: str = NETWORK, of: Curvature = "loss") -> list[Measurement]:
    """All eigenvalues of the curvature of each network of an objective, at its weights.

    Args:
        objective: One network or several, with loss and data.
        part: "network", the name of a parameter tensor or of a layer.
        of: The Hessian of the "loss", or its "gauss_newton" part.

    Returns:
        For each network: `eigenvalues` by rank, falling; `positive`, `zero` and `negative` as shares of all, outside
        and inside of a band of zero of half-width `tolerance`; `nonzero_positive`; `raw_positive`, the share above 0
        without a band; `stable`; `largest`, `smallest`, `trace`, `frobenius`; `asymmetry`, the norm of the computed
        matrix less its transpose over its own, before it was symmetrised. A network whose matrix is not finite has
        NaN and a warning. The cost is nominal: two gradients a column, or a third of one where there is a closed form.

    Raises:
        MeasureError: There is no such part or curvature, or the matrix would be too large.
    """
    span = objective.span(part)
    closed = part == NETWORK and perceptron(objective, of) is not None
    settings = {
        **objective.settings,
        "part": part,
        "of": of,
        "size": span.stop - span.start,
        "c": C,
        "kappa": KAPPA,
    }
    settings["method"] = "closed form" if closed else "products"
    gradients = objective.gradient(objective.weights).reshape(-1, objective.size)[:, span]
    weights = objective.weights.reshape(-1, objective.size)[:, span]
    epsilon = float(torch.finfo(objective.dtype).eps)
    cost = (span.stop - span.start) * (1 / 3 if closed else 2.0)
    measured: list[Measurement] = []
    for place, one in enumerate(_matrices(objective, part, of)):
        matrix = one.to(torch.float64)
        off = float((matrix - matrix.T).norm()) / (float(matrix.norm()) or 1.0)
        matrix = (matrix + matrix.T) / 2
        values, tau = np.full(len(matrix), np.nan), float("nan")
        if np.isfinite(off):
            values = np.ascontiguousarray(np.linalg.eigvalsh(matrix.numpy())[::-1])
            norms = float(gradients[place].norm()), float(weights[place].norm())
            tau = band(float(np.abs(values).max()), len(values), *norms, epsilon=epsilon)
        warnings: list[str] = []
        found = _values(values, tau, off)
        if not np.isfinite(off):
            warnings.append("the Hessian is not finite: the network diverged, or its loss overflows")
        elif not found["stable"].value:
            warnings.append(
                f"the counts change with the band of zero ({tau / 10:.2g} to {10 * tau:.2g}): quote no ratio"
            )
        measured.append(Measurement("hessian", found, settings, cost + 1.0, tuple(warnings)))
    return measured


def hessian_matrix(
    objective: Objective,
    weights: torch.Tensor | None = None,
    *,
    part: str = NETWORK,
    of: Curvature = "loss",
) -> torch.Tensor:
    """The Hessian itself, as it was computed: symmetric up to rounding, not symmetrised.

    Args:
        objective: One network or several, with loss and data.
        weights: `[D]`, or `[M, D]`; those of the objective if `None`.
        part: "network", the name of a parameter tensor or of a layer: its diagonal block.
        of: The Hessian of the "loss", or its "gauss_newton" part.

    Returns:
        `[D, D]`, or `[M, D, D]`, in the objective's dtype.

    Raises:
        MeasureError: There is no such part or curvature, the matrix would be too large, or it disagrees with a
            product with a vector.

    Example:
        >>> line = nn.Linear(2, 1, bias=False)
        >>> objective = Objective(line, "mse", np.array([[2.0, 0.0], [0.0, 1.0]]), np.zeros((2, 1)))
        >>> hessian_matrix(objective).tolist()
        [[4.0, 0.0], [0.0, 1.0]]
    """
    found = list(_matrices(objective, part, of, weights))
    several = (objective.weights if weights is None else weights).dim() == 2
    return torch.stack(found) if several else found[0]


def _matrices(
    objective: Objective, part: str, of: Curvature, weights: torch.Tensor | None = None
) -> Iterator[torch.Tensor]:
    """The matrix of each network, one after another, each compared with a product."""
    span = objective.span(part)
    size = span.stop - span.start
    if of not in {"loss", "gauss_newton"}:
        raise MeasureError(f"there is no curvature of {of!r}; allowed: loss, gauss_newton")
    if size > LARGEST:
        raise MeasureError(
            f"a matrix of {size:,} x {size:,} is not formed (allowed: {LARGEST:,}): measure one layer (part=...), the "
            "outermost eigenvalues (top_eigenvalues), the density, or the inertia"
        )
    network = perceptron(objective, of) if part == NETWORK else None
    weights = objective.weights if weights is None else weights
    probe = torch.from_numpy(generator(0, "probe", "hessian").standard_normal(size))
    probe = probe.to(objective.weights.device, objective.dtype)
    if network is not None:
        wanted = product(objective, weights, of=of)(probe.expand(weights.shape))
        for row, along in zip(weights.reshape(-1, size), wanted.reshape(-1, size), strict=True):
            matrix = layered_hessian(objective, row, network, of)
            if objective.weight_decay:
                matrix.diagonal().add_(objective.weight_decay)
            _compare(matrix, probe, along)
            yield matrix
        return
    single = (
        objective.alone() if objective.several else [objective] * (len(weights) if weights.dim() == 2 else 1)
    )
    for one, row in zip(single, weights.reshape(-1, objective.size), strict=True):
        multiply = product(one, row, of=of, part=part)
        parts = torch.eye(size, dtype=objective.dtype, device=row.device).split(_COLUMNS, dim=1)
        matrix = torch.cat([multiply(columns) for columns in parts], dim=1)
        _compare(matrix, probe, multiply(probe))
        yield matrix


def _compare(matrix: torch.Tensor, probe: torch.Tensor, along: torch.Tensor) -> None:
    """Refuse a matrix that a product with a vector contradicts."""
    found = matrix @ probe
    limit = _AGREES * float(torch.finfo(matrix.dtype).eps) * float(matrix.norm() * probe.norm())
    difference = float((found - along).norm())
    if np.isfinite(limit) and difference > limit:
        raise MeasureError(
            f"the Hessian and its product with a vector differ by {difference:.2g}: the loss has no second "
            "derivative here, or a layer's own derivatives are wrong"
        )


def _values(eigenvalues: NDArray[np.float64], tau: float, asymmetry: float) -> dict[str, Value]:
    finite = bool(np.isfinite(eigenvalues).all())
    shares = share_values(eigenvalues, tau)
    if not finite:
        shares = {name: Value(float("nan"), value.means) for name, value in shares.items()}
    ranks = np.arange(1.0, len(eigenvalues) + 1)
    return {
        **shares,
        "largest": Value(float(eigenvalues[0]), "largest eigenvalue, algebraically"),
        "smallest": Value(float(eigenvalues[-1]), "smallest eigenvalue, algebraically"),
        "trace": Value(float(eigenvalues.sum()), "sum of the eigenvalues"),
        "frobenius": Value(float(np.sqrt(np.square(eigenvalues).sum())), "root of the sum of their squares"),
        "asymmetry": Value(asymmetry, "|H - H'| / |H| as computed, Frobenius norms; then symmetrised"),
        "eigenvalues": Value(eigenvalues, "all eigenvalues, falling", axis="rank", places=ranks),
    }
