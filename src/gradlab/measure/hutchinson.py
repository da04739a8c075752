r"""Trace, diagonal and Frobenius norm of a symmetric matrix, from its products with random signs.

With \(g\) of independent signs, \(g^\top A g\) is the trace on average, \(g \odot A g\) the diagonal, and
\(\lVert A g \rVert^2\) the square of the Frobenius norm (Girard 1989, Hutchinson 1990; Bekas, Kokiopoulou and Saad
2007). Hutch++ (Meyer, Musco, Musco and Woodruff 2021) spends a third of the products on an orthonormal sketch Q of A's
range, a third on that part of A exactly, and the rest on random signs outside of it: \(A = A Q Q^\top + A P\), where
P projects Q out.

The number of products is fixed beforehand: to stop when the mean changes little is to stop by chance, at a biased
place. The standard error is that of the mean of independent probes; for Hutch++ given the sketch, which leaves it
valid, as the estimate is unbiased for every sketch.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit

from gradlab.errors import MeasureError
from gradlab.measure.symmetric import Symmetric, columns_of, rademacher

__all__ = ["Estimate", "Method", "Sums", "estimate"]

Floats = NDArray[np.float64]
Method = Literal["hutchinson", "hutch++"]

_TOGETHER = 8
"""Vectors multiplied together."""
_FEWEST = 6
"""Products of Hutch++ at least: two of each third, or there is no standard error."""


@dataclass(frozen=True)
class Estimate:
    """A number, or one for each place, with its standard error.

    Attributes:
        value: The mean over probes.
        error: Its standard error; 0 where it is exact.
        probes: Independent probes in the mean; 0 where it is exact.
    """

    value: Floats
    error: Floats
    probes: int

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """The interval of that level by Student's t.

        Example:
            >>> low, high = Estimate(np.array(10.0), np.array(1.0), 5).interval()
            >>> round(float(low), 2), round(float(high), 2)
            (7.22, 12.78)
        """
        half = stdtrit(self.probes - 1, (1 + level) / 2) * self.error if self.probes else 0.0 * self.error
        return self.value - half, self.value + half


@dataclass(frozen=True)
class Sums:
    """What the same products say of a matrix.

    Attributes:
        trace: The trace.
        squares: The sum of the squares of all elements, which is the squared Frobenius norm.
        parts: The trace of diagonal blocks, `[parts]`.
        diagonal: The diagonal `[n]`.
        products: Vectors that were multiplied.
        exact: Whether the whole matrix was computed, which cost no more.
    """

    trace: Estimate
    squares: Estimate
    parts: Estimate
    diagonal: Estimate
    products: int
    exact: bool


def estimate(
    matrix: Symmetric,
    products: int = 100,
    *,
    method: Method = "hutch++",
    parts: Sequence[tuple[int, int]] = (),
    seed: int = 0,
) -> Sums:
    """Trace, Frobenius norm and diagonal from a fixed number of products.

    Args:
        matrix: The matrix, n by n.
        products: Vectors to multiply; from n on the result is exact, with n products.
        method: "hutchinson" or "hutch++".
        parts: Where diagonal blocks of which the trace is asked begin and end (exclusive).
        seed: Of the probes.

    Returns:
        The estimates with their standard errors.

    Raises:
        MeasureError: There are too few products for a standard error, or one of them is not finite.

    Example:
        >>> from gradlab.measure.symmetric import dense
        >>> found = estimate(dense(np.diag([1.0, 2.0, 4.0])), 100)
        >>> float(found.trace.value), float(found.squares.value), found.exact, found.products
        (7.0, 21.0, True, 3)
    """
    if method not in {"hutchinson", "hutch++"}:
        raise MeasureError(f"no method is called {method!r}; allowed: hutchinson, hutch++")
    fewest = 2 if method == "hutchinson" else _FEWEST
    if products < fewest:
        raise MeasureError(f"{method} needs {fewest} products for a standard error; found {products}")
    if products >= matrix.size:
        return _exact(matrix, parts)
    if method == "hutchinson":
        none = torch.zeros((matrix.size, 0), dtype=torch.float64)
        return _outside(matrix, none, products, parts, seed)
    third = products // 3
    # the signs of the sketch and those of the probes are apart
    sketch = torch.linalg.qr(_times(matrix, rademacher(matrix.size, third, seed, "sketch")))[0]
    return _outside(matrix, sketch, products - 2 * third, parts, seed, spent=third)


def _times(matrix: Symmetric, block: torch.Tensor) -> torch.Tensor:
    return torch.cat([matrix.columns(part) for part in block.split(_TOGETHER, dim=1)], dim=1)


def _exact(matrix: Symmetric, parts: Sequence[tuple[int, int]]) -> Sums:
    whole = columns_of(matrix)
    diagonal = whole.diagonal().copy()

    def exactly(value: Floats) -> Estimate:
        return Estimate(value, np.zeros_like(value), 0)

    blocks = np.array([diagonal[first:last].sum() for first, last in parts])
    return Sums(
        exactly(np.array(diagonal.sum())), exactly(np.array((whole**2).sum())), exactly(blocks), exactly(diagonal),
        matrix.size, True,
    )  # fmt: skip


def _outside(
    matrix: Symmetric,
    sketch: torch.Tensor,
    probes: int,
    parts: Sequence[tuple[int, int]],
    seed: int,
    spent: int = 0,
) -> Sums:
    """The part of the matrix on a sketch exactly, and the rest by probes."""
    inside = _times(matrix, sketch) if sketch.shape[1] else sketch
    known = (inside * sketch).sum(dim=1)  # the diagonal of A Q Q'
    traces, squares, blocks = np.empty(probes), np.empty(probes), np.empty((probes, len(parts)))
    mean, spread = torch.zeros_like(known), torch.zeros_like(known)
    for first in range(0, probes, _TOGETHER):
        chosen = range(first, min(first + _TOGETHER, probes))
        signs = rademacher(matrix.size, len(chosen), seed, "trace", first)
        outside = signs - sketch @ (sketch.T @ signs)
        images = matrix.columns(outside)
        for column, probe in enumerate(chosen):
            image, each = images[:, column], signs[:, column] * images[:, column]
            traces[probe] = float(outside[:, column] @ image)
            squares[probe] = float(image @ image)
            blocks[probe] = [float(each[low:high].sum()) for low, high in parts]
            step = each - mean  # Welford's running mean and variance
            mean += step / (probe + 1)
            spread += step * (each - mean)
    exact = np.array([float(known[low:high].sum()) for low, high in parts])
    error = np.sqrt((spread / (probes - 1) / probes).numpy())
    return Sums(
        _mean(traces, float(known.sum())),
        _mean(squares, float((inside**2).sum())),
        _mean(blocks, exact),
        Estimate((known + mean).numpy(), error, probes),
        spent + sketch.shape[1] + probes,
        False,
    )


def _mean(samples: Floats, known: Floats | float) -> Estimate:
    count = len(samples)
    return Estimate(known + samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(count), count)
