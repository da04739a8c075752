"""PCA of trajectories the slow way: every row in full, in float64, by the singular value decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def shares(rows: Floats) -> Floats:
    """Share of the variance on each component."""
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    return values / values.sum()


def plane(rows: Floats) -> tuple[Floats, Floats]:
    """Coordinates on two components, and each row moved onto their plane."""
    mean = rows.mean(axis=0)
    left, values, right = np.linalg.svd(rows - mean, full_matrices=False)
    return left[:, :2] * values[:2], mean + (rows - mean) @ right[:2].T @ right[:2]


def mean_distance(points: Sequence[Floats]) -> float:
    """Mean over pairs."""
    return float(np.mean([np.linalg.norm(a - b) for a, b in combinations(points, 2)]))


def mean_cosine(points: Sequence[Floats]) -> float:
    """Mean over pairs."""
    return float(np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in combinations(points, 2)]))


def walks(
    random: np.random.Generator,
    sizes: Sequence[int],
    spreads: Sequence[float],
    lengths: Sequence[Floats],
    momentum: float = 0.0,
    drift: float = 0.0,
) -> Floats:
    """Random walks in every coordinate, `[runs, points, D]`: one block of coordinates after the other."""
    blocks: list[Floats] = []
    for size, spread, steps in zip(sizes, spreads, lengths, strict=True):
        runs, count = steps.shape
        block = np.zeros((runs, count + 1, size))
        for run in range(runs):
            at = spread * random.standard_normal(size) / np.sqrt(size)
            along = random.standard_normal(size) / np.sqrt(size)
            move = random.standard_normal(size) / np.sqrt(size)
            block[run, 0] = at
            for step in range(count):
                at = at + steps[run, step] * (np.sqrt(1 - drift) * move + np.sqrt(drift) * along)
                block[run, step + 1] = at
                new = random.standard_normal(size) / np.sqrt(size)
                move = momentum * move + np.sqrt(1 - momentum**2) * new
        blocks.append(block)
    return np.concatenate(blocks, axis=2)
