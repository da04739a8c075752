"""What random walks must keep of runs to be their null: tensors, spread of the starts, lengths of the steps."""

from __future__ import annotations

from itertools import permutations
from typing import Literal

import numpy as np

from gradlab.errors import MeasureError
from gradlab.measure.path_sums import PathSums
from gradlab.measure.walk import Block

__all__ = ["blocks_of"]


def blocks_of(sums: PathSums, dimension: int | Literal["effective"] | None) -> list[Block]:
    """The blocks of coordinates in which random walks are like these runs.

    Args:
        sums: Products of the weights.
        dimension: `None` for one isotropic block a tensor; a number, or "effective", for steps in so many dimensions,
            the same for all runs and over all tensors, and starts in all dimensions.

    Returns:
        The blocks.

    Raises:
        MeasureError: A dimension that the weights do not have, or "effective" where it is not defined.
    """
    if dimension is None:
        return [
            Block(size, float(np.sqrt(variance)), np.sqrt(steps))
            for size, variance, steps in zip(sums.sizes, sums.start_variance, sums.squared_steps, strict=True)
        ]
    size = _effective(sums) if dimension == "effective" else dimension
    if not 1 <= size <= sums.dimension:
        raise MeasureError(f"the null's dimension lies between 1 and {sums.dimension}: got {size}")
    steps, variance = np.sqrt(sums.squared_steps.sum(0)), float(sums.start_variance.sum())
    share = size / sums.dimension  # of the starts, which are spread over all dimensions
    inside = Block(size, float(np.sqrt(variance * share)), steps)
    if size == sums.dimension:
        return [inside]
    outside = Block(sums.dimension - size, float(np.sqrt(variance * (1 - share))), np.zeros_like(steps))
    return [inside, outside]


def _effective(sums: PathSums) -> int:
    """The dimension in which independent steps have these cosines between runs: from 1 to D."""
    lengths = np.sqrt(sums.squared_steps.sum(0))
    lengths = np.where(
        lengths > 0, lengths, np.nan
    )  # a dead network stands still: no direction, so no cosine
    if (~np.isnan(lengths)).any(axis=1).sum() < 2:
        raise MeasureError("the effective dimension is that of steps of different runs: two runs must move")
    steps = np.diff(np.diff(sums.within, axis=1), axis=3)
    squares = (steps / lengths[:, :, None, None] / lengths) ** 2
    mean = float(np.nanmean([squares[one, :, two] for one, two in permutations(range(sums.runs), 2)]))
    return int(np.clip(round(1 / mean) if mean > 0 else sums.dimension, 1, sums.dimension))
