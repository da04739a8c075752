"""From a recorded series to one number per run. Each definition here is what a verdict speaks of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gradlab.judge.evidence import Array
from gradlab.study.quantity import Quantity

__all__ = ["crossings", "edge_errors", "inside", "passages", "reduce"]

Epochs = NDArray[np.int64]


def reduce(
    quantity: Quantity,
    epochs: Epochs | Array,
    values: Array,
    *,
    updates: Array | None = None,
    passed: Array | None = None,
) -> Array:
    """One number per run.

    A run that stopped has its last recorded value ever after; one that diverged is ranked by the judge, not
    here. Without epoch or reducer this is the mean over the last 1 % of the run's epochs, the geometric one
    for losses and norms.

    Args:
        quantity: What is asked; `where` and names that are no series are left to the caller.
        epochs: Recorded epochs `[k]`, increasing; the places of another axis.
        values: Recorded values `[runs, k]`; NaN where a run recorded nothing.
        updates: Updates an epoch of each run `[runs]`, for `at_updates`.
        passed: The epoch at which each run's training loss passes the threshold `[runs]`, for `at_loss`.

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
    if quantity.reducer in {"at_updates", "at_loss"}:
        return _at(quantity, epochs, values, updates, passed)
    rows = [_window(quantity, epochs, row) for row in np.asarray(values, dtype=np.float64)]
    return np.array([_one(quantity, e, v) if len(e) else np.nan for e, v in rows])


def crossings(epochs: Epochs | Array, losses: Array, level: float) -> Array:
    """Where each run's loss first passes a level, between two recorded epochs on the logarithm of the loss.

    Args:
        epochs: Recorded epochs `[k]`.
        losses: Losses `[runs, k]`; NaN where a run recorded nothing.
        level: The level, above 0.

    Returns:
        Epochs `[runs]`, not whole; NaN where a loss never passes it.

    Example:
        >>> crossings(np.array([0, 10]), np.array([[1.0, 0.01], [1.0, 0.5]]), 0.1).tolist()
        [5.0, nan]
    """
    found = np.full(len(losses), np.nan)
    for row, values in enumerate(losses):
        seen = ~np.isnan(values)
        e, v = np.asarray(epochs, np.float64)[seen], values[seen]
        below = np.flatnonzero(v < level)
        if len(below) == 0:
            continue
        last = int(below[0])
        if last == 0:
            found[row] = e[0]
            continue
        with np.errstate(divide="ignore"):
            above, under = np.log(v[last - 1] / level), np.log(v[last] / level)
        share = above / (above - under) if np.isfinite(above - under) else 1.0
        found[row] = e[last - 1] + share * (e[last] - e[last - 1])
    return found


def _at(
    quantity: Quantity, epochs: Epochs | Array, values: Array, updates: Array | None, passed: Array | None
) -> Array:
    """The value at a number of updates, or where the training loss passes a level."""
    window = quantity.model_copy(update={"reducer": "final", "threshold": None})
    found = np.full(len(values), np.nan)
    for row, series in enumerate(np.asarray(values, np.float64)):
        e, v = _window(window, epochs, series)
        if len(e) == 0:
            continue
        if quantity.reducer == "at_loss":
            where = np.nan if passed is None else float(passed[row])
            if e[0] <= where <= e[-1]:
                log = quantity.known.scale == "ratio" and bool((v > 0).all())
                found[row] = np.exp(np.interp(where, e, np.log(v))) if log else np.interp(where, e, v)
        elif updates is not None and quantity.threshold is not None:
            # the number of updates at an epoch is a whole one, whatever its division leaves in the last digits
            reached = np.flatnonzero(e * updates[row] >= quantity.threshold - 1e-6)
            found[row] = v[reached[0]] if len(reached) else v[-1]
    return found


def passages(epochs: Epochs | Array, values: Array, threshold: float, *, falling: bool) -> Array:
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


def inside(window: tuple[float | None, float | None], places: Array) -> NDArray[np.bool_]:
    """Which places of an axis other than epochs lie in a window, its ends included.

    Args:
        window: First and last position; `None` is open.
        places: Positions.

    Returns:
        True where one lies inside.
    """
    low, high = window
    slack = 1e-9  # a grid of alphas is not exact in its last digits
    above = np.ones(len(places), bool) if low is None else places >= low - slack
    return above if high is None else above & (places <= high + slack)


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


def _window(quantity: Quantity, epochs: Epochs | Array, row: Array) -> tuple[Array, Array]:
    """What one run recorded between the bounds of the window."""
    seen = ~np.isnan(row)
    e, v = epochs[seen].astype(np.float64), row[seen]
    if len(e) == 0 or quantity.at is not None:
        return e, v
    if quantity.axis != "epoch":
        held = inside(quantity.window or (None, None), e)
        return e[held], v[held]
    low, high = quantity.window or ((0.5, None) if quantity.reducer == "roughness" else (None, None))
    if quantity.window is None and not quantity.reducer:
        low = 0.99
    length = e[-1]
    start = -np.inf if low is None else low * length if isinstance(low, float) else low
    end = np.inf if high is None else high * length if isinstance(high, float) else high
    held = (e >= start) & (e <= end)
    return e[held], v[held]


def _one(quantity: Quantity, epochs: Array, values: Array) -> float:
    ratio = quantity.known.scale == "ratio"
    if quantity.axis != "epoch" and isinstance(quantity.at, int | float):
        return float(values[np.abs(epochs - quantity.at).argmin()])
    if isinstance(quantity.at, int):
        before = epochs <= quantity.at
        return float(values[before][-1]) if before.any() else np.nan
    name = quantity.reducer or {"last": "final", "best": "best"}.get(str(quantity.at), "settled")
    if name == "best":
        name = "min" if quantity.known.worst == "high" else "max"
    with np.errstate(all="ignore"):
        found = float(_FORMULAS[name](epochs, values, ratio))
    return found / 1000 if name == "slope" and quantity.axis != "epoch" else found


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
