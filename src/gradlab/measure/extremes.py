r"""The outermost eigenpairs of any symmetric matrix, with residuals and flags.

Largest and smallest are meant algebraically: the smallest is the most negative. They come from a Lanczos iteration
with full re-orthogonalisation (`gradlab.measure.krylov`), in float64 whatever the type of the products.

The residual \(\lVert Av - \lambda v \rVert\) of a pair needs no further product, and some eigenvalue is no further
from \(\lambda\) than that. It does not say that none was missed: a random start sees every eigenvalue but, one vector
at a time, a multiple one only once; with `block` vectors, as often as it occurs, up to that many times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import MeasureError
from gradlab.measure.krylov import Krylov, Ritz
from gradlab.measure.symmetric import Symmetric

__all__ = ["STEPS", "TOLERANCE", "Extremes", "Pairs", "extremes"]

Floats = NDArray[np.float64]

TOLERANCE = 1e-5
"""The residual of a converged pair at most, as a share of the largest magnitude."""
STEPS = 500
"""Products at most."""
_BYTES = 2**30
"""Memory of a basis; beyond, the iteration restarts."""


@dataclass(frozen=True)
class Pairs:
    """Eigenpairs at one end of a spectrum, the outermost first.

    Attributes:
        values: Eigenvalues `[k]`.
        residuals: |Av - lambda v| of each, `[k]`.
        converged: Whether that is within the tolerance, `[k]`.
        clustered: Whether another value that was found is no further than the two residuals together, `[k]`: then
            the vector is one of several that cannot be told apart.
        vectors: Orthonormal, `[n, k]`; `None` where they were not asked for.
    """

    values: Floats
    residuals: Floats
    converged: NDArray[np.bool_]
    clustered: NDArray[np.bool_]
    vectors: Floats | None = None


@dataclass(frozen=True)
class Extremes:
    """Both ends of a spectrum.

    Attributes:
        top: The largest, falling.
        bottom: The smallest, rising.
        scale: The largest magnitude seen, which the tolerance is a share of.
        products: Vectors that were multiplied.
        complete: Whether the basis became the whole space: then all is exact up to rounding.
    """

    top: Pairs
    bottom: Pairs
    scale: float
    products: int
    complete: bool

    @property
    def converged(self) -> bool:
        """Whether every pair is."""
        return bool(self.top.converged.all() and self.bottom.converged.all())


def extremes(
    matrix: Symmetric,
    top: int = 5,
    bottom: int = 0,
    *,
    tolerance: float = TOLERANCE,
    steps: int | None = None,
    block: int = 1,
    basis: int | None = None,
    vectors: bool = False,
    seed: int = 0,
) -> Extremes:
    """The outermost eigenpairs of any symmetric matrix.

    Args:
        matrix: The matrix.
        top: How many of the largest.
        bottom: How many of the smallest.
        tolerance: The residual of a converged pair, as a share of the largest magnitude seen.
        steps: Products at most (`STEPS` unless said otherwise).
        block: Vectors multiplied together: an eigenvalue is found as often as it occurs, up to this many times.
        basis: Vectors kept at most (what fits into a gibibyte unless said otherwise); then the iteration restarts
            from the best of them.
        vectors: Whether to hand out eigenvectors.
        seed: Of the random start.

    Returns:
        The pairs, as good as they became, each with its flag.

    Raises:
        MeasureError: There are not so many eigenvalues, or a product is not finite.

    Example:
        >>> from gradlab.measure.symmetric import dense
        >>> found = extremes(dense(np.diag([-7.0, 0.0, 1.0, 5.0])), top=2, bottom=1)
        >>> np.round(found.top.values, 9).tolist(), np.round(found.bottom.values, 9).tolist(), found.converged
        ([5.0, 1.0], [-7.0], True)
    """
    size, wanted = matrix.size, top + bottom
    if min(top, bottom) < 0 or not 0 < wanted <= size:
        raise MeasureError(f"{top} largest and {bottom} smallest cannot be had of {size} eigenvalues")
    block = max(1, min(block, size))
    budget = max(STEPS if steps is None else steps, block)
    room = max(basis or _BYTES // (8 * size), 2 * (wanted + block))
    krylov = Krylov(matrix, min(room, budget), block, seed)
    while True:
        krylov.expand()
        last = krylov.complete or krylov.products + block > budget
        if not (last or krylov.full or _due(krylov.products, wanted, block)):
            continue
        ritz = krylov.ritz(top, bottom)
        found = len(ritz.values) > wanted and bool((ritz.residuals <= tolerance * ritz.scale).all())
        if last or found:
            return _extremes(krylov, ritz, top, bottom, tolerance, vectors)
        if krylov.full:
            krylov.restart(ritz, top, bottom)


def _due(products: int, wanted: int, block: int) -> bool:
    """Whether to look: seldom enough for the small eigenproblems to cost little, and late by 6 % at most."""
    return products > wanted and products % max(1, products // 16) < block


def _extremes(krylov: Krylov, ritz: Ritz, top: int, bottom: int, tolerance: float, vectors: bool) -> Extremes:
    limit = tolerance * ritz.scale
    counts = min(top, len(ritz.values)), min(bottom, len(ritz.values))

    def pairs(chosen: slice, asked: int) -> Pairs:
        places, residuals = ritz.wanted[chosen], ritz.residuals[chosen]
        away = np.abs(ritz.values[places][:, None] - ritz.values[None, :])
        away[np.arange(len(places)), places] = np.inf
        every = np.full(len(ritz.values), 0.0)
        every[ritz.wanted] = ritz.residuals
        near = (away <= residuals[:, None] + every[None, :]).any(axis=1)
        missing = np.full(asked - len(places), np.nan)
        found = krylov.vectors(ritz.coefficients[:, places]) if vectors else None
        return Pairs(
            np.concatenate([ritz.values[places], missing]),
            np.concatenate([residuals, np.full(len(missing), np.inf)]),
            np.concatenate([residuals <= limit, np.zeros(len(missing), np.bool_)]),
            np.concatenate([near, np.zeros(len(missing), np.bool_)]),
            found,
        )

    return Extremes(
        pairs(slice(0, counts[0]), top),
        pairs(slice(counts[0], sum(counts)), bottom),
        ritz.scale,
        krylov.products,
        krylov.complete,
    )
