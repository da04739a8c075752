r"""The space spanned by \(v, Av, A^2v, \dots\), as an orthonormal basis, and what it says of A.

Block Lanczos with full re-orthogonalisation: each new direction is made orthogonal to all others, twice (Giraud,
Langou, Rozloznik and van den Eshof 2005: twice is enough), so that a converged eigenvalue does not come back as a
ghost. Where the basis is full, the best of it is kept (thick restart, Wu and Simon 2000).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gradlab.measure.symmetric import Symmetric, gaussian

__all__ = ["Krylov", "Ritz"]

Floats = NDArray[np.float64]

_EXHAUSTED = 1e-13
"""What is left of a product outside of the basis, as a share of the matrix's size, below which it counts as nothing."""


@dataclass(frozen=True)
class Ritz:
    """The eigenpairs that a basis holds.

    Attributes:
        values: All of them, rising, `[width]`.
        coefficients: Their vectors in the basis, `[width, width]`.
        wanted: Places of those that were asked for, the largest first, then the smallest.
        residuals: |Av - lambda v| of those.
        scale: The largest magnitude.
    """

    values: Floats
    coefficients: Floats
    wanted: NDArray[np.intp]
    residuals: Floats
    scale: float


class Krylov:
    r"""Orthonormal rows Q with A Q = Q T + N R: N are the next directions, R what A's images have along them.

    T is kept as it was computed: products in float32 are not quite symmetric, and what that leaves counts into the
    residuals.

    Args:
        matrix: A.
        room: Rows at most.
        block: Rows that are added together.
        seed: Of the random start.

    Attributes:
        width: Rows of Q.
        products: Vectors that were multiplied.
    """

    def __init__(self, matrix: Symmetric, room: int, block: int, seed: int) -> None:
        self.matrix, self.room, self.block, self.seed = matrix, min(room, matrix.size), block, seed
        self.width = self.products = self._draws = 0
        self._q = torch.zeros((self.room, matrix.size), dtype=torch.float64)
        self._t = np.zeros((self.room, self.room))
        self._lost = np.zeros(self.room)
        self._scale = 0.0
        self._next = self._random(block)
        self._rest = np.zeros((block, self.room))

    @property
    def full(self) -> bool:
        """Whether the next block does not fit."""
        return self.width + len(self._next) > self.room

    @property
    def complete(self) -> bool:
        """Whether the basis is the whole space."""
        return self.width == self.matrix.size

    def expand(self) -> None:
        """Take the next block into the basis, multiply by it, and find the block after it."""
        old, new = self.width, self.width + len(self._next)
        self._q[old:new] = self._next
        self._t[old:new, :old] = self._rest[:, :old]
        image = self.matrix.columns(self._next.T).T
        self.products, self.width = self.products + new - old, new
        self._scale = max(self._scale, float(torch.linalg.norm(image, dim=1).max()))
        q = self._q[:new]
        shares = torch.zeros((new, new - old), dtype=torch.float64)
        for _ in range(2):
            again = q @ image.T
            image = image - again.T @ q
            shares += again
        self._t[:new, old:new] = shares.numpy()
        self._continue(image)

    def _continue(self, image: torch.Tensor) -> None:
        """Split what is outside of the basis into directions and coefficients; draw those that are not there."""
        left, sizes, _ = torch.linalg.svd(image.T, full_matrices=False)
        some = sizes > _EXHAUSTED * self._scale
        self._next = self._orthonormal(left[:, some].T)
        count, old = len(self._next), self.width - len(image)
        more = min(self.block, self.matrix.size - self.width) - count
        if more > 0:
            self._next = torch.cat([self._next, self._random(more, self._next)])
        self._rest = np.zeros((len(self._next), self.room))
        self._rest[:count, old : self.width] = (self._next[:count] @ image.T).numpy()

    def _random(self, count: int, beside: torch.Tensor | None = None) -> torch.Tensor:
        """Random directions orthogonal to the basis, and to some beside it."""
        self._draws += 1
        rows = gaussian(self.matrix.size, count, self.seed, "lanczos", self._draws).T
        return self._orthonormal(rows, beside)

    def _orthonormal(self, rows: torch.Tensor, beside: torch.Tensor | None = None) -> torch.Tensor:
        q = self._q[: self.width]
        if beside is not None:
            q = torch.cat([q, beside])
        for _ in range(2):
            rows = rows - (rows @ q.T) @ q
            rows = torch.linalg.qr(rows.T)[0].T
        return rows

    def ritz(self, top: int, bottom: int) -> Ritz:
        """The eigenpairs that the basis holds, and the residuals of the outermost.

        Args:
            top: How many of the largest.
            bottom: How many of the smallest.

        Returns:
            The pairs; fewer are wanted where the basis is smaller.
        """
        t = self._t[: self.width, : self.width]
        values, y = np.linalg.eigh((t + t.T) / 2)
        places = np.arange(len(values))
        wanted = np.concatenate([places[::-1][:top], places[:bottom]])
        residuals = self._residuals(values[wanted], y[:, wanted])
        return Ritz(values, y, wanted, residuals, float(np.abs(values).max()))

    def _residuals(self, values: Floats, y: Floats) -> Floats:
        inside = self._t[: self.width, : self.width] @ y - y * values
        outside = self._rest[:, : self.width] @ y
        return np.sqrt((inside**2).sum(0) + (outside**2).sum(0)) + self._lost[: self.width] @ np.abs(y)

    def restart(self, ritz: Ritz, top: int, bottom: int) -> None:
        """Keep the outermost pairs, half of the basis where more are not wanted, and go on in the same direction.

        Args:
            ritz: What the basis holds.
            top: How many of the largest are wanted.
            bottom: How many of the smallest.
        """
        count = len(ritz.values)
        spare = max(0, count // 2 - top - bottom)
        high = top + spare * top // (top + bottom)
        low = bottom + spare * bottom // (top + bottom)
        kept = np.concatenate([np.arange(low), np.arange(count - high, count)])
        y, values = ritz.coefficients[:, kept], ritz.values[kept]
        inside = np.linalg.norm(self._t[:count, :count] @ y - y * values, axis=0)
        lost = inside + self._lost[:count] @ np.abs(y)
        rest = self._rest[:, :count] @ y
        self._q[: len(kept)] = torch.from_numpy(np.ascontiguousarray(y.T)) @ self._q[:count]
        for array in (self._t, self._lost, self._rest):
            array[:] = 0.0
        self.width = len(kept)
        np.fill_diagonal(self._t[: self.width, : self.width], values)
        self._lost[: self.width], self._rest[:, : self.width] = lost, rest

    def vectors(self, coefficients: Floats) -> Floats:
        """Vectors `[n, k]` from their coefficients in the basis `[width, k]`."""
        return (self._q[: self.width].T @ torch.from_numpy(np.ascontiguousarray(coefficients))).numpy()
