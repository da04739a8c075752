"""Where weights go in training: PCA of several runs together, beside what random walks of the same layout give.

Explained variance says little by itself. Rows are few and successive ones are close, so that two components hold much
of the variance of anything that wanders (J. Antognini, J. Sohl-Dickstein 2018); and eight runs from eight starts
differ mostly by where they began. So the null is simulated with the same runs, points, tensors, starts and steps, the
distance of the path from the plane is told, and the loss on the path stands beside the loss of its shadow on the plane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import MeasureError
from gradlab.measure import walk
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.path_ends import defined_mean, ends_of
from gradlab.measure.path_sums import PathSums, Span, spans_of, sums_of
from gradlab.measure.walk_like import blocks_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gradlab.measure.objective import Objective, Part

__all__ = ["trajectory"]

Floats = NDArray[np.float64]


def trajectory(
    weights: NDArray[Any] | Tensor | Sequence[Sequence[nn.Module | Mapping[str, Tensor]]],
    layout: Sequence[Part] | None = None,
    *,
    parts: str | Sequence[str] = "network",
    biases: bool = False,
    units: int | None = None,
    before: bool = True,
    epochs: Sequence[float] | None = None,
    loss: Objective | Callable[[Floats], Any] | None = None,
    components: int = 10,
    momentum: float = 0.0,
    drift: float = 0.0,
    dimension: int | Literal["effective"] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Measurement:
    """What PCA finds in the weights of several runs at several epochs, and what it finds in random walks like them.

    All runs are centred on their common mean and analysed together, and each by itself. The null are independent
    Gaussian walks with the same runs and points in which each tensor keeps its size, the spread of its starts and
    the length of each of its steps. One set of runs is one replicate, however many runs and epochs are in it.

    Args:
        weights: Flat weights `[runs, points, D]`, or for each run its modules or state dicts in order of time.
        layout: Where each tensor lies in flat weights, as in `Objective.parts`; modules and state dicts bring theirs.
        parts: "network", or names of tensors or of layers ("fc1" takes "fc1.weight", and "fc1.bias" with `biases`).
        biases: Whether vectors (biases, scales and shifts of normalisations) are among the weights.
        units: Only so many first units of each tensor; report 002 took 10 of 256 for "the first layer".
        before: Whether the first point of each run is a row of the analysis. Where it is not (the reports leave the
            initial weights out), it still is the start for distances, path lengths, moves and steps.
        epochs: Labels of the points, `[points]`; 1, 2, ... otherwise.
        loss: An objective, or a function of flat weights `[m, D]` that gives `[m]`. What is not among the chosen parts
            keeps its value of the point. An objective whose network has running statistics gives no losses, and a
            warning: they would be those of one network on the weights of all.
        components: How many shares are wanted.
        momentum: Correlation of successive steps of the null.
        drift: Share of the squared steps of the null that goes one way all along.
        dimension: Dimensions in which the null's steps are; each tensor's own size where `None`. "effective" takes 1
            over the mean squared cosine between steps of different runs: a stricter null.
        draws: Simulated sets of walks.
        seed: Of the null's draws.

    Returns:
        Shares of the variance: `explained` and `own` (axis "component"; all runs together, and the mean over runs
        analysed by themselves, as far as they move) beside `null` and `null_own` (mean and 2.5-97.5 % band);
        `explained_two`, `null_two`, `null_two_high` (97.5 %), `above_null` (1 or 0), and with `own_` for the runs by
        themselves; `between` and `within` runs. Distances, each a ratio: `off_plane`, `end_spread`, `separation`;
        lengths, in the units of the weights: `path_length`, `start_distance`, `end_distance`. Cosines: `end_cosine`,
        `move_cosine`, `persistence`. To draw, one row for each point, runs one after the other (axis "row"): `path`
        and `null_path` `[rows, 2]`, `path_run`, `path_epoch`, `path_off_plane`, and with a loss `loss_path`,
        `loss_plane`.

    Raises:
        MeasureError: Fewer than three points, weights that are not finite or never move, unknown parts.

    Example:
        >>> steps = np.random.default_rng(0).normal(size=(4, 10, 500)).cumsum(axis=1)
        >>> found = trajectory(steps)
        >>> round(found["explained_two"].value, 2), round(found["null_two"].value, 2)
        (0.54, 0.52)
    """
    if isinstance(weights, Sequence):
        from gradlab.measure.snapshots import flat_runs  # torch is not needed for arrays

        weights, layout = flat_runs(weights)
    table = np.asarray(weights)
    if table.ndim != 3 or table.shape[0] * (table.shape[1] - (not before)) < 3:
        raise MeasureError(f"weights are [runs, points, D] with three rows at least: got {table.shape}")
    spans = spans_of(layout, table.shape[2], parts, biases, units)
    labels = np.arange(1.0, table.shape[1] + 1) if epochs is None else np.asarray(epochs, np.float64)
    if table.shape[1] - (not before) < 2:
        raise MeasureError("a trajectory has two points at least: record more epochs")
    if labels.shape != table.shape[1:2]:
        raise MeasureError(f"{len(labels)} epochs for {table.shape[1]} points")
    every = sums_of(table, spans)
    if not before:
        table, labels = table[:, 1:], labels[1:]
    sums = every if before else sums_of(table, spans)
    plane = _Plane.of(sums)
    blocks = blocks_of(sums, dimension)
    null = walk.simulate(
        blocks, momentum=momentum, drift=drift, components=components, draws=draws, seed=seed
    )
    values = {**_explained(sums, plane, null), **ends_of(every), **_drawn(sums, plane, null, labels)}
    cost, rows = 0.0, sums.runs * sums.points
    moving = loss is not None and _has_statistics(loss)
    if loss is not None and not moving:
        values |= _losses(table, spans, sums, plane, loss)
        cost = 2 * rows / 3  # a forward pass of both, nominally a third of a gradient
    settings: dict[str, str | int | float] = {
        "runs": sums.runs,
        "points": sums.points,
        "dimension": sums.dimension,
        "parts": parts if isinstance(parts, str) else ", ".join(parts),
        "biases": int(biases),
        "units": units or "all",
        "before": int(before),
        "null_dimension": sum(block.dimension for block in blocks if block.lengths.any()),
        "momentum": momentum,
        "drift": drift,
        "draws": draws,
        "seed": seed,
    }
    return Measurement("trajectory", values, settings, cost, tuple(_warnings(sums, values, moving)))


@dataclass(frozen=True)
class _Plane:
    """The plane of the first two components."""

    shares: Floats
    """Of all components, `[rows]`."""
    coordinates: Floats
    """`[rows, 2]`."""
    combination: Floats
    """`[2, rows]`: its directions, of length 1, are this times the centred rows."""
    off: Floats
    """Distance of each row from the plane over its distance from the centre `[rows]`; NaN at the centre."""

    @classmethod
    def of(cls, sums: PathSums) -> _Plane:
        values, vectors = np.linalg.eigh(sums.joint)
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        values[values < values[0] * len(values) * np.finfo(float).eps] = 0.0
        if values[0] == 0:
            raise MeasureError("all rows are one point: the weights never move, and all runs start from one")
        lead = np.abs(vectors).argmax(axis=0)
        vectors = vectors * np.sign(vectors[lead, np.arange(len(lead))])  # the sign is arbitrary: make it one
        lengths = np.sqrt(values[:2])
        scale = np.divide(1, lengths, out=np.zeros(2), where=lengths > 0)
        squares = values * vectors**2
        whole = squares.sum(1)
        off = np.full(len(whole), np.nan)
        away = whole > whole.max() * len(whole) * np.finfo(float).eps
        off[away] = np.sqrt(squares[away, 2:].sum(1) / whole[away])
        return cls(values / values.sum(), vectors[:, :2] * lengths, (vectors[:, :2] * scale).T, off)


def _explained(sums: PathSums, plane: _Plane, null: walk.Walks) -> dict[str, Value]:
    k = null.joint.shape[1]
    moving = sums.squared_steps.sum((0, 2)) > 0  # a dead network stands still: its shares would be rounding
    own = walk.spectrum(sums.own[moving], null.own.shape[1])
    mine = own.mean(0) if len(own) else np.full(null.own.shape[1], np.nan)
    total = np.trace(sums.joint)
    between = sums.points * float(np.trace(sums.centres)) / float(total)
    values = {
        "explained": _along(
            "component", plane.shares[:k], "share of the variance on each component, all runs"
        ),
        "null": walk.banded(null.joint, "the same in random walks of this layout; 2.5-97.5 % of the draws"),
        "own": _along("component", mine, "share of the variance on each component, each run by itself; mean"),
        "null_own": walk.banded(null.own, "the same in random walks of this layout; 2.5-97.5 % of the draws"),
        "between": Value(between, "share of the variance that is between the means of runs"),
        "within": Value(1 - between, "share of the variance that is within runs"),
    }
    for prefix, shares, draws in (("", plane.shares, null.joint), ("own_", mine, null.own)):
        two, of = (
            draws[:, :2].sum(1),
            "all runs together" if not prefix else "each run by itself, mean over runs",
        )
        high = walk.high(two)
        explained = float(shares[:2].sum())
        values |= {
            f"{prefix}explained_two": Value(explained, f"share of the variance on two components, {of}"),
            f"{prefix}null_two": walk.expected(
                two, f"mean of the same over random walks of this layout, {of}"
            ),
            f"{prefix}null_two_high": Value(high, f"97.5 % of random walks of this layout lie below, {of}"),
            f"{prefix}above_null": Value(float(explained > high), f"1 where two components hold more, {of}"),
        }
    return values


def _drawn(sums: PathSums, plane: _Plane, null: walk.Walks, epochs: Floats) -> dict[str, Value]:
    runs = np.repeat(np.arange(float(sums.runs)), sums.points)
    means = "distance from the plane of two components over that from the centre"
    return {
        "off_plane": Value(defined_mean(plane.off), f"{means}, mean over points"),
        "path_off_plane": _along("row", plane.off, means),
        "path": _along(
            "row", plane.coordinates, "coordinates on the first two components, units of the weights"
        ),
        "null_path": _along("row", null.path, "the same of one set of random walks of this layout"),
        "path_run": _along("row", runs, "which run, from 0"),
        "path_epoch": _along("row", np.tile(epochs, sums.runs), "epoch of the point"),
    }


def _losses(
    table: NDArray[Any],
    spans: Sequence[Span],
    sums: PathSums,
    plane: _Plane,
    loss: Objective | Callable[[Floats], Any],
) -> dict[str, Value]:
    """The loss of each point, and of the point moved onto the plane."""
    from gradlab.measure.snapshots import losses_of

    of = losses_of(loss)
    columns = np.concatenate([np.arange(span.first, span.last) for span in spans])
    mean = np.zeros(len(columns))
    directions = np.zeros((2, len(columns)))
    flat = plane.combination.reshape(2, sums.runs, sums.points)
    for run in range(sums.runs):
        mean += table[run][:, columns].sum(0, dtype=np.float64) / (sums.runs * sums.points)
    for run in range(sums.runs):
        directions += flat[:, run] @ (table[run][:, columns].astype(np.float64) - mean)
    on_path, on_plane = [], []
    for run in range(sums.runs):
        points = table[run].astype(np.float64)
        on_path.append(of(points))
        at = plane.coordinates.reshape(sums.runs, sums.points, 2)[run]
        points[:, columns] = mean + at @ directions
        on_plane.append(of(points))
    return {
        "loss_path": _along("row", np.concatenate(on_path), "loss of the point"),
        "loss_plane": _along("row", np.concatenate(on_plane), "loss of the point moved onto the plane"),
    }


def _has_statistics(loss: Objective | Callable[[Floats], Any]) -> bool:
    from gradlab.measure.snapshots import has_statistics

    return has_statistics(loss)


def _warnings(sums: PathSums, values: Mapping[str, Value], moving: bool) -> list[str]:
    said: list[str] = []
    if moving:
        said.append(
            "no loss on the path: the network has running statistics, which are right for one set of weights only; "
            "hand in a function of flat weights that computes them anew"
        )
    if sums.dimension <= 2:
        said.append(f"{sums.dimension} weights: two components explain all of them, whatever happens")
    if not values["above_null"].value:
        said.append(
            "two components hold no more of the variance than of random walks of this layout: explained variance "
            "alone says nothing of training here"
        )
    if sums.runs > 1 and values["start_distance"].value == 0:
        said.append("all runs have one first point: end_spread has nothing to be compared with")
    if sums.runs == 1:
        said.append("one run: nothing is between runs, and distances between ends do not exist")
    return said


def _along(axis: str, values: Floats, means: str) -> Value:
    first = 1.0 if axis == "component" else 0.0
    return Value(
        np.asarray(values, np.float64), means, axis=axis, places=first + np.arange(float(len(values)))
    )
