r"""Signs of eigenvalues, counted with a band for zero.

Most eigenvalues of a network's Hessian are zero but for rounding, so that a share of positive ones means nothing
without a tolerance. The band's half-width is

\[ \tau = \max\left( c \, D \, \varepsilon \, \lVert H \rVert_2, \; \kappa \frac{\lVert g \rVert}{\lVert \theta \rVert}
\right): \]

the first is the rounding of D numbers, the second the size that an eigenvalue of a symmetry (a rescaled hidden unit)
has where the gradient is not quite zero. Counts that change when \(\tau\) is a tenth or ten times as wide are not
stable, and no ratio should be quoted from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import MeasureError
from gradlab.measure.measurement import Value

__all__ = ["KAPPA", "WIDTHS", "C", "Counts", "band", "count", "factored", "share_values"]

Floats = NDArray[np.float64]

C: Final = 10.0
"""c: how many times the rounding of D numbers the band is wide."""
KAPPA: Final = 1.0
"""kappa: how many times gradient over weights the band is wide."""
WIDTHS: Final = (0.1, 1.0, 10.0)
"""The band's widths at which is counted, in tolerances."""


@dataclass(frozen=True)
class Counts:
    """Eigenvalues above, in and below the band of zero."""

    positive: float
    zero: float
    negative: float

    @property
    def nonzero_positive(self) -> float:
        """The positive share of those outside of the band; NaN if there are none."""
        outside = self.positive + self.negative
        return self.positive / outside if outside else float("nan")


def band(
    norm: float, size: int, gradient: float = 0.0, weights: float = 0.0, *, epsilon: float = 2.0**-52
) -> float:
    """The half-width of the band that counts as zero.

    Args:
        norm: The largest magnitude of an eigenvalue.
        size: D, the number of parameters.
        gradient: Norm of the gradient.
        weights: Norm of the weights.
        epsilon: The rounding unit of the arithmetic that the matrix was computed in.

    Returns:
        The tolerance, in units of curvature.

    Example:
        >>> band(1.0, 100) < 1e-12, band(1.0, 100, gradient=1e-3, weights=2.0)
        (True, 0.0005)
    """
    rounding = C * size * epsilon * norm
    return max(rounding, KAPPA * gradient / weights if weights else 0.0)


def count(eigenvalues: Floats, tolerance: float) -> Counts:
    """How many eigenvalues are above, within and below `tolerance` of zero.

    Example:
        >>> count(np.array([-2.0, 1e-12, 3.0, 4.0]), 1e-9)
        Counts(positive=2, zero=1, negative=1)
    """
    positive, negative = int((eigenvalues > tolerance).sum()), int((eigenvalues < -tolerance).sum())
    return Counts(positive, len(eigenvalues) - positive - negative, negative)


def factored(matrix: Floats, tolerance: float) -> Counts:
    r"""The same counts without eigenvalues, from factors \(LDL^\top\) of \(H - \tau I\) and \(H + \tau I\).

    By Sylvester's law a symmetric matrix has as many positive and negative eigenvalues as D, which has blocks of one
    or two rows (Bunch and Kaufman 1977).

    Args:
        matrix: Symmetric `[D, D]`; left as it was.
        tolerance: Half the width of the band.

    Returns:
        The counts.

    Raises:
        MeasureError: The matrix is not finite.

    Example:
        >>> factored(np.diag([-2.0, 1e-12, 3.0, 4.0]), 1e-9)
        Counts(positive=2, zero=1, negative=1)
    """
    if not np.isfinite(matrix).all():
        raise MeasureError("the Hessian is not finite: the network diverged, or its loss overflows")
    positive = _signs(matrix, -tolerance)[0]
    negative = _signs(matrix, tolerance)[1]
    return Counts(positive, len(matrix) - positive - negative, negative)


def _signs(matrix: Floats, shift: float) -> tuple[int, int]:
    """Positive and negative eigenvalues of a shifted matrix."""
    from scipy.linalg import lapack as untyped

    lapack: Any = untyped
    shifted = np.array(matrix, order="F")
    shifted[np.diag_indices_from(shifted)] += shift
    work = int(lapack.dsytrf_lwork(len(matrix), lower=1)[0])
    factors, pivots, _ = lapack.dsytrf(shifted, lwork=work, lower=1, overwrite_a=1)
    diagonal, below = np.diagonal(factors), np.diagonal(factors, -1)
    single = pivots > 0
    pairs = np.flatnonzero(~single)[::2]  # a block of two rows is marked at both
    a, b, c = diagonal[pairs], below[pairs], diagonal[pairs + 1]
    middle, half = (a + c) / 2, np.hypot((a - c) / 2, b)
    values = np.concatenate([diagonal[single], middle - half, middle + half])
    return int((values > 0).sum()), int((values < 0).sum())


def share_values(eigenvalues: Floats, tau: float) -> dict[str, Value]:
    """The counts as shares of all eigenvalues, as a study records them.

    Args:
        eigenvalues: All, `[D]`; not finite if the network diverged.
        tau: Half the width of the band of zero.

    Returns:
        `positive`, `zero`, `negative`, `nonzero_positive`, `raw_positive`, `tolerance`, `stable`.
    """
    size = len(eigenvalues)
    counts = [count(eigenvalues, tau * width) for width in WIDTHS]
    middle = counts[1]
    return {
        "positive": Value(middle.positive / size, "share of eigenvalues above the band of zero, of D"),
        "zero": Value(middle.zero / size, "share of eigenvalues within the band of zero, of D"),
        "negative": Value(middle.negative / size, "share of eigenvalues below the band of zero, of D"),
        "nonzero_positive": Value(
            middle.nonzero_positive, "positive share of the eigenvalues outside of the band of zero"
        ),
        "raw_positive": Value(
            float((eigenvalues > 0).mean()),
            "share of eigenvalues above 0, with no tolerance: mostly rounding",
        ),
        "tolerance": Value(tau, "half the width of the band of zero, in units of curvature"),
        "stable": Value(
            float(counts[0] == counts[1] == counts[2]),
            "1 if the counts are the same at a tenth and at ten times the tolerance",
        ),
    }
