r"""What a random walk explains: the null beside which the PCA of weights over training is read.

The first components of any long walk hold most of its variance, \(6 / (\pi k)^2\) in the limit, whatever it does
(J. Antognini, J. Sohl-Dickstein 2018). That limit is for one long walk of independent steps; short walks, several
walks together, decaying steps and few dimensions each change it, so the null is simulated for the layout at hand.

Rows of a walk are linear in independent Gaussian vectors, so all that PCA sees of D dimensions is a Wishart matrix,
whose triangular factor (M. S. Bartlett 1933) is drawn as it is: exact for every D, at no cost in D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradlab.errors import MeasureError
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.pieces import pieces
from gradlab.randomness import generator

__all__ = [
    "Block",
    "Walks",
    "banded",
    "centred",
    "expected",
    "high",
    "long_walk_share",
    "random_walk_share",
    "simulate",
    "spectrum",
]

Floats = NDArray[np.float64]

_AT_ONCE = 1_000_000
"""Inner products that are in memory together."""


@dataclass(frozen=True)
class Block:
    """Coordinates that move alike, such as those of one tensor: isotropic, with their own scales.

    Attributes:
        dimension: How many coordinates.
        spread: Root mean squared distance of a start from the mean start, over all coordinates of the block.
        lengths: Root mean squared length of each step, `[runs, points - 1]`.
    """

    dimension: int
    spread: float
    lengths: Floats


@dataclass(frozen=True)
class Walks:
    """Simulated walks, seen by PCA.

    Attributes:
        joint: Share of the variance on each component of all runs together, `[draws, components]`.
        own: The same of each run by itself, mean over runs that move (NaN where none does), `[draws, components]`.
        path: Coordinates of the first draw on its first two joint components, `[runs * points, 2]`.
    """

    joint: Floats
    own: Floats
    path: Floats


def random_walk_share(
    runs: int,
    points: int,
    dimension: int,
    *,
    spread: float = 0.0,
    lengths: ArrayLike = 1.0,
    momentum: float = 0.0,
    drift: float = 0.0,
    components: int = 10,
    draws: int = 200,
    seed: int = 0,
) -> Measurement:
    """The share of variance that PCA finds on its first components where weights only walk at random.

    Args:
        runs: Independent walks whose points are analysed together.
        points: Recorded points of each, the start among them.
        dimension: Weights.
        spread: Root mean squared distance of a start from the mean start, in the units of `lengths`.
        lengths: Lengths of the steps: one number, `[points - 1]`, or `[runs, points - 1]`.
        momentum: Correlation of successive steps, in [0, 1).
        drift: Share of the squared step that goes the same way all along, a way of its own for each run, in [0, 1].
        components: How many shares are wanted.
        draws: Simulated sets of walks.
        seed: Of the draws.

    Returns:
        `explained` and `own` (axis "component": mean over draws, with the band from 2.5 to 97.5 % of the draws),
        `explained_two` and `own_two` (first two components together). Shares of the total variance.

    Raises:
        MeasureError: Fewer than three points in all, or a setting that makes no sense.

    Example:
        >>> found = random_walk_share(1, 50, 20_000, draws=20)
        >>> found["explained"].value[:3].round(2).tolist()
        [0.61, 0.15, 0.07]
    """
    if runs < 1 or points < 2 or dimension < 1 or draws < 2:
        raise MeasureError("a random walk needs a run, two points, a dimension, and two draws at least")
    steps = np.broadcast_to(np.asarray(lengths, np.float64), (runs, points - 1))
    found = simulate(
        [Block(dimension, spread, steps)],
        momentum=momentum,
        drift=drift,
        components=components,
        draws=draws,
        seed=seed,
    )
    return Measurement(
        "random_walk_share",
        {
            "explained": banded(found.joint, "share of the variance on each component, all walks together"),
            "explained_two": expected(
                found.joint[:, :2].sum(1), "share on the first two, all walks together"
            ),
            "own": banded(found.own, "share of the variance on each component, each walk by itself"),
            "own_two": expected(found.own[:, :2].sum(1), "share on the first two, each walk by itself"),
        },
        {
            "runs": runs,
            "points": points,
            "dimension": dimension,
            "spread": spread,
            "momentum": momentum,
            "drift": drift,
            "draws": draws,
            "seed": seed,
        },
    )


def long_walk_share(component: int) -> float:
    r"""The limit for one walk of many steps in many dimensions, \(6 / (\pi k)^2\); no walk that is analysed is one.

    Args:
        component: k, from 1.

    Returns:
        The share.

    Example:
        >>> [round(100 * long_walk_share(k), 1) for k in (1, 2, 3)]
        [60.8, 15.2, 6.8]
    """
    return 6 / (np.pi * component) ** 2


def simulate(
    blocks: Sequence[Block],
    *,
    momentum: float = 0.0,
    drift: float = 0.0,
    components: int = 10,
    draws: int = 200,
    seed: int = 0,
) -> Walks:
    """Draw sets of random walks in their Gram matrix and say what PCA finds in each.

    Args:
        blocks: Groups of coordinates, all with steps of one shape.
        momentum: Correlation of successive steps, in [0, 1).
        drift: Share of the squared step that goes the same way all along, in [0, 1].
        components: How many shares are wanted; fewer come where there are fewer points.
        draws: Simulated sets.
        seed: Of the draws.

    Returns:
        The shares of each draw.

    Raises:
        MeasureError: Nothing moves, or momentum or drift lie outside their range.
    """
    if not 0 <= momentum < 1 or not 0 <= drift <= 1:
        raise MeasureError(f"momentum lies in [0, 1) and drift in [0, 1]: got {momentum} and {drift}")
    runs, steps = blocks[0].lengths.shape
    rows = runs * (steps + 1)
    if rows < 3:
        raise MeasureError("PCA of fewer than three points says nothing: a random walk explains all of it")
    if not any(block.spread > 0 or (block.lengths > 0).any() for block in blocks):
        raise MeasureError(
            "a walk without spread and steps stays at one point: there is no variance to explain"
        )
    moving = np.any([(block.lengths > 0).any(axis=1) for block in blocks], axis=0)
    random = generator(seed, "probe", "walk")
    joint, own = np.empty((draws, min(components, rows - 1))), np.empty((draws, min(components, steps)))
    path = np.zeros((rows, 2))
    at_once = max(1, _AT_ONCE // rows**2)
    for part in pieces(draws, at_once):
        size = part.stop - part.start
        gram = np.zeros((size, rows, rows))
        for block in blocks:
            walked = _walk(random, size, block, momentum, drift)
            gram += walked @ walked.swapaxes(-1, -2)
        if part.start == 0:
            path = _coordinates(centred(gram[0]))
        joint[part] = spectrum(centred(gram), joint.shape[1])
        mine = np.einsum("brsrt->brst", gram.reshape(size, runs, steps + 1, runs, steps + 1))
        own[part] = spectrum(centred(mine[:, moving]), own.shape[1]).mean(1) if moving.any() else np.nan
    return Walks(joint, own, path)


def centred(gram: Floats) -> Floats:
    """The Gram matrix `[..., n, n]` of rows from which their mean has been taken."""
    return (
        gram
        - gram.mean(-1, keepdims=True)
        - gram.mean(-2, keepdims=True)
        + gram.mean((-2, -1), keepdims=True)
    )


def spectrum(gram: Floats, components: int) -> Floats:
    """Shares of the variance on the first components, `[..., components]`, of centred Gram matrices `[..., n, n]`.

    A matrix of zeros has none: NaN.
    """
    values = np.maximum(np.linalg.eigvalsh(gram)[..., ::-1], 0.0)
    total = values.sum(-1, keepdims=True)
    shares = np.full_like(values, np.nan)
    np.divide(values, total, out=shares, where=total > 0)
    return shares[..., :components]


def banded(draws: Floats, means: str) -> Value:
    """The mean of draws `[draws, k]` for each component, with the band of 95 % of them."""
    band = np.quantile(draws, (0.025, 0.975), axis=0, method="weibull")
    return Value(draws.mean(0), means, band, "band", "component", np.arange(1.0, draws.shape[1] + 1))


def high(draws: Floats) -> float:
    """What another draw exceeds with a chance of 2.5 %, the error of finitely many draws included; 39 are enough."""
    return float(np.quantile(draws, 0.975, method="weibull"))


def expected(draws: Floats, means: str) -> Value:
    """The mean of draws `[draws]`, with its standard error."""
    return Value(float(draws.mean()), means, float(draws.std(ddof=1) / np.sqrt(len(draws))), "standard error")


def _walk(random: np.random.Generator, draws: int, block: Block, momentum: float, drift: float) -> Floats:
    """Points of all runs `[draws, runs * points, ...]` in some orthonormal basis, another one in each draw."""
    runs, steps = block.lengths.shape
    normal = _normals(random, draws, runs * (steps + 2), block.dimension).reshape(draws, runs, steps + 2, -1)
    start, along, moves = normal[:, :, :1], normal[:, :, 1:2], normal[:, :, 2:]
    for step in range(1, steps if momentum else 0):
        moves[:, :, step] = momentum * moves[:, :, step - 1] + np.sqrt(1 - momentum**2) * moves[:, :, step]
    moves = block.lengths[:, :, None] * (np.sqrt(1 - drift) * moves + np.sqrt(drift) * along)
    points = np.concatenate([block.spread * start, moves], axis=2).cumsum(axis=2)
    return points.reshape(draws, runs * (steps + 1), -1)


def _normals(random: np.random.Generator, draws: int, rows: int, dimension: int) -> Floats:
    """Gaussian vectors of mean squared length 1, turned so that as many coordinates as rows are enough for them."""
    if dimension < rows:
        return random.standard_normal((draws, rows, dimension)) / np.sqrt(dimension)
    factor = np.zeros((draws, rows, rows))
    one, two = np.tril_indices(rows, -1)
    factor[:, one, two] = random.standard_normal((draws, len(one)))
    each = np.arange(rows)
    factor[:, each, each] = np.sqrt(random.chisquare(dimension - each, (draws, rows)))
    return factor / np.sqrt(dimension)


def _coordinates(gram: Floats) -> Floats:
    values, vectors = np.linalg.eigh(gram)
    return vectors[:, :-3:-1] * np.sqrt(np.maximum(values[:-3:-1], 0.0))
