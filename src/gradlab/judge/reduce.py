"""From a recorded series to one number per run. Each definition here is what a verdict speaks of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gradlab.judge.evidence import Array
from gradlab.study.quantity import Quantity

__all__ = ["edge_errors", "passages", "reduce"]

Epochs = NDArray[np.int64]


def reduce(quantity: Quantity, epochs: Epochs, values: Array) -> Array:
    """One number per run.

    A run that stopped has its last recorded value ever after; one that diverged is ranked by the judge, not
    here. Without epoch or reducer this is the mean over the last 1 % of the run's epochs, the geometric one
    for losses and norms.

    Args:
        quantity: What is asked; `where` and names that are no series are left to the caller.
        epochs: Recorded epochs `[k]`, increasing.
        values: Recorded values `[runs, k]`; NaN where a run recorded nothing.

    Returns:
        Numbers `[runs]`; NaN where a run has nothing in the window, infinity for a threshold never passed.

    Example:
        >>> from gradlab.study.quantity import parse_quantity
        >>> epochs, loss = np.array([0, 1, 2]), np.array([[1.0, 0.5, 0.7]])
        >>> [float(reduce(parse_quantity(text), epochs, loss)[0]) for text in ("loss@last", "loss@best", "loss@1")]
        [0.7, 0.5, 0.5]
    """
    if quantity.reducer == "epochs_to" and quantity.threshold is not None:
        return passages(epochs, values, quantity.threshold, falling=quantity.known.worst == "high")
    rows = [_window(quantity, epochs, row) for row in np.asarray(values, dtype=np.float64)]
    return np.array([_one(quantity, e, v) if len(e) else np.nan for e, v in rows])


def passages(epochs: Epochs, values: Array, threshold: float, *, falling: bool) -> Array:
    """The first recorded epoch at which each run is below (or, for accuracies, at or above) a threshold.

    Args:
        epochs: Recorded epochs `[k]`.
        values: Values `[runs, k]`.
        threshold: The threshold.
        falling: Whether smaller is better.

    Returns:
        Epochs `[runs]`, infinite where it never happens.
    """
    with np.errstate(invalid="ignore"):
        passed = values < threshold if falling else values >= threshold
    first = passed.argmax(axis=1)
    return np.where(passed.any(axis=1), epochs[first], np.inf)


def edge_errors(x: Array, truth: Array, outputs: Array) -> tuple[Array, Array]:
    """Root mean square error of each run over the middle 80 % of the domain, and over the tenth at each end.

    Args:
        x: Grid `[G]` or `[G, 1]`.
        truth: Target `[G, out]`.
        outputs: Predictions `[runs, G, out]`.

    Returns:
        Errors in the centre and at the edges, `[runs]` each.

    Raises:
        ValueError: The grid has more than one input dimension.
    """
    grid = np.asarray(x, dtype=np.float64)
    if grid.size != len(grid):
        raise ValueError("edges are defined for tasks of one input")
    grid = grid.reshape(-1)
    low, high = float(grid.min()), float(grid.max())
    edge = (grid < low + 0.1 * (high - low)) | (grid > high - 0.1 * (high - low))
    squares = ((np.asarray(outputs) - np.asarray(truth)[None]) ** 2).mean(axis=2)
    return np.sqrt(squares[:, ~edge].mean(axis=1)), np.sqrt(squares[:, edge].mean(axis=1))


def _window(quantity: Quantity, epochs: Epochs, row: Array) -> tuple[Array, Array]:
    """What one run recorded between the bounds of the window."""
    seen = ~np.isnan(row)
    e, v = epochs[seen].astype(np.float64), row[seen]
    if len(e) == 0 or quantity.at is not None:
        return e, v
    low, high = quantity.window or ((0.5, None) if quantity.reducer == "roughness" else (None, None))
    if quantity.window is None and not quantity.reducer:
        low = 0.99
    length = e[-1]
    start = -np.inf if low is None else low * length if isinstance(low, float) else low
    end = np.inf if high is None else high * length if isinstance(high, float) else high
    inside = (e >= start) & (e <= end)
    return e[inside], v[inside]


def _one(quantity: Quantity, epochs: Array, values: Array) -> float:
    ratio = quantity.known.scale == "ratio"
    if isinstance(quantity.at, int):
        before = epochs <= quantity.at
        return float(values[before][-1]) if before.any() else np.nan
    name = quantity.reducer or {"last": "final", "best": "best", None: "settled"}[quantity.at]
    if name == "best":
        name = "min" if quantity.known.worst == "high" else "max"
    with np.errstate(all="ignore"):
        return float(_FORMULAS[name](epochs, values, ratio))


def _settled(epochs: Array, values: Array, ratio: bool) -> float:
    del epochs
    return float(np.exp(np.log(values).mean())) if ratio and (values > 0).all() else float(values.mean())


def _mean(epochs: Array, values: Array, ratio: bool) -> float:
    del ratio
    if len(values) == 1:
        return float(values[0])
    between = (values[1:] + values[:-1]) / 2
    return float((between * np.diff(epochs)).sum() / (epochs[-1] - epochs[0]))


def _slope(epochs: Array, values: Array, ratio: bool) -> float:
    y = np.log10(values) if ratio else values
    if len(y) < 2:
        return np.nan
    x = epochs - epochs.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum() * 1000)


def _roughness(epochs: Array, values: Array, ratio: bool) -> float:
    del epochs
    steps = np.diff(np.log10(values) if ratio else values)
    return float(steps.std(ddof=1)) if len(steps) > 1 else np.nan


_FORMULAS: Final[dict[str, Callable[[Array, Array, bool], float]]] = {
    "settled": _settled,
    "final": lambda e, v, ratio: float(v[-1]),
    "min": lambda e, v, ratio: float(v.min()),
    "max": lambda e, v, ratio: float(v.max()),
    "argmin": lambda e, v, ratio: float(e[v.argmin()]),
    "argmax": lambda e, v, ratio: float(e[v.argmax()]),
    "mean": _mean,
    "slope": _slope,
    "roughness": _roughness,
}
