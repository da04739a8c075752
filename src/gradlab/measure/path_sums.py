"""Inner products of the weights of several runs at several epochs, summed in float64 at one pass over the weights.

Runs lie far apart and move little, so rows are taken apart first: each point from the mean of its run, that from the
mean of all runs, and that. Products of the pieces keep the digits that products of whole rows would lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import MeasureError

if TYPE_CHECKING:
    from gradlab.measure.objective import Part

__all__ = ["PathSums", "Span", "spans_of", "sums_of"]

Floats = NDArray[np.float64]

_AT_ONCE = 16_384
"""Weights whose values in all rows are in float64 together."""


@dataclass(frozen=True)
class Span:
    """Columns of flat weights: `first` up to `last`, exclusive."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class PathSums:
    """What PCA, distances and the null need to know of the weights.

    Attributes:
        sizes: Weights in each span.
        joint: Products of rows centred on the mean of all, `[rows, rows]`; runs one after the other.
        raw: Products of the rows as they are, `[rows, rows]`.
        within: Products of rows centred on the mean of their run, `[runs, points, runs, points]`.
        own: The same within each run, `[runs, points, points]`.
        centres: Products of the means of runs, centred on the mean of all, `[runs, runs]`.
        start_variance: Variance of the first points over runs (n - 1), summed over the weights of each span.
        squared_steps: Squared length of each step in each span, `[spans, runs, points - 1]`.
    """

    sizes: tuple[int, ...]
    joint: Floats
    raw: Floats
    within: Floats
    own: Floats
    centres: Floats
    start_variance: Floats
    squared_steps: Floats

    @property
    def runs(self) -> int:
        """How many runs."""
        return len(self.own)

    @property
    def points(self) -> int:
        """How many points of each."""
        return self.own.shape[1]

    @property
    def dimension(self) -> int:
        """How many weights."""
        return sum(self.sizes)


def spans_of(
    layout: Sequence[Part] | None, size: int, parts: str | Sequence[str], biases: bool, units: int | None
) -> list[Span]:
    """The columns of the chosen tensors.

    Args:
        layout: Where each tensor lies; `None` where that is unknown.
        size: D.
        parts: "network", or names of tensors or of layers.
        biases: Whether vectors count. One that is asked for by its full name does in any case.
        units: Only so many first units of each tensor.

    Returns:
        The spans, in the order of the weights.

    Raises:
        MeasureError: A name or a unit that does not exist, or nothing is left.
    """
    if layout is None:
        if parts != "network" or units is not None:
            raise MeasureError(
                "parts and units need the layout of the weights: hand it in, as in Objective.parts"
            )
        return [Span("weights", 0, size)]
    if layout[-1].last != size:
        raise MeasureError(f"the layout is of {layout[-1].last} weights, the rows have {size}")
    wanted = [parts] if isinstance(parts, str) else list(parts)
    for name in wanted:
        if not any(_holds(name, part) for part in layout):
            known = ", ".join(part.name for part in layout)
            raise MeasureError(f"no part is called {name!r}; there are {known}, their layers, and network")
    spans: list[Span] = []
    for part in layout:
        if part.name in wanted or ((biases or not part.bias) and any(_holds(name, part) for name in wanted)):
            last = part.last
            if units is not None:
                if not 1 <= units <= part.shape[0]:
                    raise MeasureError(
                        f"{part.name} has {part.shape[0]} units: its first {units} do not exist"
                    )
                last = part.first + units * ((part.last - part.first) // part.shape[0])
            spans.append(Span(part.name, part.first, last))
    if not spans:
        raise MeasureError("no weights are left: all of the chosen parts are biases, and biases are left out")
    return spans


def _holds(name: str, part: Part) -> bool:
    return name in {"network", part.name} or part.name.startswith(f"{name}.")


def sums_of(weights: NDArray[Any], spans: Sequence[Span]) -> PathSums:
    """Sum up the products.

    Args:
        weights: `[runs, points, D]`.
        spans: Columns that count.

    Returns:
        The sums.

    Raises:
        MeasureError: A weight is not finite.
    """
    runs, points, _ = weights.shape
    rows = runs * points
    products = np.zeros((rows + runs + 1, rows + runs + 1))
    variance, steps = np.zeros(len(spans)), np.zeros((len(spans), runs, points - 1))
    for index, span in enumerate(spans):
        for first in range(span.first, span.last, _AT_ONCE):
            piece = weights[:, :, first : min(first + _AT_ONCE, span.last)].astype(np.float64)
            if not np.isfinite(piece).all():
                run, point, _ = np.argwhere(~np.isfinite(piece))[0]
                raise MeasureError(
                    f"run {run} has weights that are not finite at point {point} ({span.name}): it diverged, and "
                    "no distance to it exists"
                )
            means = piece.mean(axis=1)
            mean = means.mean(axis=0)
            inner, outer = piece - means[:, None], means - mean
            stacked = np.concatenate([inner.reshape(rows, -1), outer, mean[None]])
            products += stacked @ stacked.T
            steps[index] += np.square(np.diff(piece, axis=1)).sum(axis=2)
            if runs > 1:
                variance[index] += piece[:, 0].var(axis=0, ddof=1).sum()
    member = np.repeat(np.eye(runs), points, axis=0)
    centre = np.concatenate([np.eye(rows), member, np.zeros((rows, 1))], axis=1)
    whole = np.concatenate([np.eye(rows), member, np.ones((rows, 1))], axis=1)
    within = products[:rows, :rows].reshape(runs, points, runs, points)
    return PathSums(
        sizes=tuple(span.last - span.first for span in spans),
        joint=centre @ products @ centre.T,
        raw=whole @ products @ whole.T,
        within=within,
        own=within[np.arange(runs), :, np.arange(runs)],
        centres=products[rows:-1, rows:-1],
        start_variance=variance,
        squared_steps=steps,
    )
