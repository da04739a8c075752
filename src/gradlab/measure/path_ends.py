"""Whether runs come together or go apart: distances and angles between their ends and their moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradlab.measure.measurement import Value
from gradlab.measure.path_sums import PathSums

__all__ = ["defined_mean", "ends_of"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-6
"""First points that are nearer to each other than this share of the distance between the last ones are one point."""


def ends_of(sums: PathSums) -> dict[str, Value]:
    """Distances between first and between last points, and cosines between ends, moves and steps.

    Args:
        sums: Products of the weights.

    Returns:
        `end_spread`, `separation`, `end_cosine`, `move_cosine`, `persistence`, `path_length`, `start_distance`,
        `end_distance`. NaN where there is no second run, or nothing moves.
    """
    lengths = np.sqrt(sums.squared_steps.sum(0))
    path = float(lengths.sum(1).mean())
    start, end = _mean_distance(sums, 0), _mean_distance(sums, -1)
    if end and start < _ROUNDING * end:
        start = 0.0  # what is left is rounding
    moves = (
        sums.within[:, -1, :, -1]
        - sums.within[:, -1, :, 0]
        - sums.within[:, 0, :, -1]
        + sums.within[:, 0, :, 0]
    )
    steps = np.diff(np.diff(sums.own, axis=1), axis=2)
    successive = np.diagonal(steps, 1, 1, 2) / np.where(lengths > 0, lengths, np.nan)[:, :-1]
    successive = successive / np.where(lengths > 0, lengths, np.nan)[:, 1:]
    ends = sums.raw.reshape(sums.runs, sums.points, sums.runs, sums.points)[:, -1, :, -1]
    return {
        "end_spread": Value(
            _over(end, start),
            "mean distance between the last points of two runs over that of their first points",
        ),
        "separation": Value(
            _over(end, path), "mean distance between the last points of two runs over path length"
        ),
        "end_cosine": Value(_mean_cosine(ends), "mean cosine between the last weights of two runs"),
        "move_cosine": Value(
            _mean_cosine(moves), "mean cosine between the moves of two runs, first to last point"
        ),
        "persistence": Value(
            defined_mean(successive), "mean cosine between successive steps of a run; 0 in a random walk"
        ),
        "path_length": Value(path, "mean over runs of the summed distances between successive points"),
        "start_distance": Value(start, "mean distance between the first points of two runs"),
        "end_distance": Value(end, "mean distance between the last points of two runs"),
    }


def defined_mean(values: Floats) -> float:
    """The mean of what is defined; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _mean_distance(sums: PathSums, point: int) -> float:
    gram = sums.joint.reshape(sums.runs, sums.points, sums.runs, sums.points)[:, point, :, point]
    square = np.diag(gram)[:, None] + np.diag(gram) - 2 * gram
    return defined_mean(np.sqrt(np.maximum(square[np.triu_indices(sums.runs, 1)], 0.0)))


def _mean_cosine(gram: Floats) -> float:
    lengths = np.sqrt(np.diag(gram))
    lengths = np.where(lengths > 0, lengths, np.nan)
    return defined_mean((gram / lengths / lengths[:, None])[np.triu_indices(len(gram), 1)])


def _over(a: float, b: float) -> float:
    if np.isnan(a) or np.isnan(b):
        return float("nan")
    return a / b if b else float("inf") if a else float("nan")
