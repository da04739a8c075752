r"""What random probes see of a spectrum: stochastic Lanczos quadrature.

A probe \(v\) (random signs, scaled to length 1) sees the weighted spectrum \(\sum_i (v^\top u_i)^2 \delta(\lambda_i)\),
which is the spectrum's distribution on average. After m Lanczos steps from \(v\) the eigenvalues of the tridiagonal
matrix are the nodes, and the squares of the first components of its eigenvectors the weights, of the Gauss quadrature
of that: exact for polynomials of degree 2m - 1 (Golub and Welsch 1969; Ubaru, Chen and Saad 2017).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import chdtri, stdtrit

from gradlab.measure.symmetric import Symmetric, columns_of, rademacher

__all__ = ["Quadrature", "quadrature"]

Floats = NDArray[np.float64]

_BYTES = 2**29
"""Memory of the bases of the probes that run together."""
_EXHAUSTED = 1e-13


@dataclass(frozen=True)
class Quadrature:
    """A spectrum as probes see it.

    Attributes:
        nodes: Rising, `[probes, m]`; of an exact spectrum the eigenvalues, `[1, n]`.
        weights: Of each node; those of a probe sum to 1.
        size: n, the number of eigenvalues.
        exact: Whether these are all eigenvalues, each with weight 1/n.
        products: Vectors that were multiplied.
    """

    nodes: Floats
    weights: Floats
    size: int
    exact: bool
    products: int

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest node."""
        return float(self.nodes.min()), float(self.nodes.max())

    def density(self, grid: Floats, sigma: float) -> tuple[Floats, Floats]:
        """The density, smoothed by a normal distribution.

        Args:
            grid: Where, `[g]`.
            sigma: The standard deviation of that normal distribution, in units of the eigenvalues.

        Returns:
            The mean over probes `[g]`, and a 95 % band of it `[2, g]`, which knows of the
            probes, not of m.
        """
        return self._smoothed(self.nodes, self.weights, grid, sigma)

    def log_density(self, grid: Floats, sigma: float, *, negative: bool = False) -> tuple[Floats, Floats]:
        """The density of log10 of the positive eigenvalues, or of the negative ones' magnitudes: share a decade.

        Args:
            grid: Where, in log10 units, `[g]`.
            sigma: The standard deviation of the smoothing, in decades.
            negative: Whether the negative ones are looked at.

        Returns:
            As `density`; the curve's area is the share of eigenvalues of that sign.
        """
        nodes = -self.nodes if negative else self.nodes
        there = nodes > 0
        return self._smoothed(
            np.log10(np.where(there, nodes, 1.0)), np.where(there, self.weights, 0.0), grid, sigma
        )

    def _smoothed(self, nodes: Floats, weights: Floats, grid: Floats, sigma: float) -> tuple[Floats, Floats]:
        """The smoothed density and its band.

        A probe's weight of one eigenvalue is about a chi-square of 1 degree of freedom over n, and a curve is a sum
        of such times a kernel k. By its first two moments that is a chi-square of (sum k)^2 / (sum k^2) degrees a
        probe; both sums come from the quadrature, which is steadier than the spread of a few skewed curves.
        """
        curve, square = np.zeros(len(grid)), np.zeros(len(grid))
        for node, weight in zip(nodes, weights, strict=True):
            kernel = np.exp(-0.5 * ((grid[:, None] - node) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
            curve += kernel @ weight / len(nodes)
            square += kernel**2 @ weight / len(nodes)
        if self.exact:
            return curve, np.array([curve, curve])
        count = len(nodes)
        degrees = np.clip(count * self.size * curve**2 / np.maximum(square, 1e-300), count, 1e9)
        return curve, np.array([curve * degrees / chdtri(degrees, tail) for tail in (0.025, 0.975)])

    def cumulative(self, at: Floats) -> tuple[Floats, Floats]:
        r"""The share of eigenvalues that are at most so large: a step function, and a band that contains the truth.

        At a node a probe's weighted distribution lies between the quadrature's sums before and after it (the
        Chebyshev-Markov-Stieltjes inequalities), hence between two nodes from one step below to one step above. The
        band takes these bounds of each probe, their means over probes, and a 95 % interval of those on the outside.
        It is therefore honest about what m steps cannot resolve, such as the signs of eigenvalues near zero.

        Args:
            at: Where, `[g]`.

        Returns:
            The mean over probes of the step functions, each step halfway at its node, `[g]`; the band `[2, g]`.
        """
        if self.exact:
            share = np.searchsorted(self.nodes[0], at, side="right") / self.nodes.shape[1]
            return share, np.array([share, share])
        middle, low, high = [], [], []
        for node, weight in zip(self.nodes, self.weights, strict=True):
            sums = np.concatenate([[0.0], np.cumsum(weight)])
            left, right = np.searchsorted(node, at, side="left"), np.searchsorted(node, at, side="right")
            middle.append((sums[left] + sums[right]) / 2)
            low.append(sums[np.maximum(left - (left == right), 0)])
            high.append(sums[np.minimum(right + (left == right), len(weight))])
        lower, upper = np.array(low), np.array(high)
        band = [lower.mean(axis=0) - self._half(lower), upper.mean(axis=0) + self._half(upper)]
        return np.array(middle).mean(axis=0), np.clip(np.array(band), 0.0, 1.0)

    def _half(self, rows: Floats) -> Floats:
        """Half the width of a 95 % interval of the mean over probes (Student's t)."""
        count = len(rows)
        return stdtrit(count - 1, 0.975) * rows.std(axis=0, ddof=1) / np.sqrt(count)


def quadrature(matrix: Symmetric, probes: int, steps: int, seed: int) -> Quadrature:
    """The spectrum of a matrix by stochastic Lanczos quadrature, or exactly where that costs no more.

    Args:
        matrix: The matrix, n by n.
        probes: Random vectors, at least 2.
        steps: Lanczos steps of each; from n on the spectrum is computed exactly, with n products.
        seed: Of the probes.

    Returns:
        Nodes and weights.

    Example:
        >>> from gradlab.measure.symmetric import dense
        >>> found = quadrature(dense(np.diag([1.0, 2.0, 3.0])), probes=2, steps=3, seed=0)
        >>> found.exact, np.round(found.nodes, 9).tolist()
        (True, [[1.0, 2.0, 3.0]])
    """
    size = matrix.size
    if steps >= size:
        whole = columns_of(matrix)
        values = np.asarray(np.linalg.eigvalsh((whole + whole.T) / 2), np.float64)
        return Quadrature(values[None], np.full((1, size), 1.0 / size), size, True, size)
    together = max(1, min(probes, _BYTES // (8 * size * steps)))
    nodes, weights = np.empty((probes, steps)), np.empty((probes, steps))
    for first in range(0, probes, together):
        chosen = range(first, min(first + together, probes))
        starts = torch.cat([rademacher(size, 1, seed, "density", probe) for probe in chosen], dim=1)
        for probe, (diagonal, beside) in zip(chosen, _tridiagonal(matrix, starts.T, steps), strict=True):
            nodes[probe], vectors = _eigh(diagonal, beside)
            weights[probe] = vectors[0] ** 2
    return Quadrature(nodes, weights, size, False, probes * steps)


def _eigh(diagonal: Floats, beside: Floats) -> tuple[Floats, Floats]:
    found: Any = eigh_tridiagonal(diagonal, beside)
    return found


def _tridiagonal(matrix: Symmetric, starts: torch.Tensor, steps: int) -> list[tuple[Floats, Floats]]:
    """Lanczos from each start `[p, n]`, in step with each other, orthogonalised twice against all before."""
    count, size = starts.shape
    basis = torch.zeros((count, steps, size), dtype=torch.float64)
    diagonal, beside = torch.zeros((count, steps)), torch.zeros((count, steps))
    diagonal, beside = diagonal.double(), beside.double()
    basis[:, 0] = starts / np.sqrt(size)
    scale = torch.zeros(count, dtype=torch.float64)
    for step in range(steps):
        image = matrix.columns(basis[:, step].T).T
        scale = torch.maximum(scale, torch.linalg.norm(image, dim=1))
        diagonal[:, step] = (image * basis[:, step]).sum(dim=1)
        if step + 1 == steps:
            break
        before = basis[:, : step + 1]
        for _ in range(2):
            shares = torch.bmm(before, image[:, :, None])
            image = image - torch.bmm(shares.transpose(1, 2), before)[:, 0]
        size_left = torch.linalg.norm(image, dim=1)
        # an exhausted probe has seen all it can: nodes of weight 0 follow
        on = size_left > _EXHAUSTED * scale
        beside[:, step + 1] = torch.where(on, size_left, 0.0)
        basis[:, step + 1] = torch.where(on[:, None], image / size_left.clamp_min(1e-300)[:, None], 0.0)
    return [(diagonal[row].numpy(), beside[row, 1:].numpy()) for row in range(count)]
