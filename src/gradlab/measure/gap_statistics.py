"""Rank statistics of configurations, each with a permutation p-value and a bootstrap over configurations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gradlab.measure import rank_agreement as ranks
from gradlab.measure.pair_information import known_sets, normalised_information

__all__ = ["ENOUGH", "Estimate", "GapStatistics"]

Floats = NDArray[np.float64]

ENOUGH = 30
"""Configurations from which on a bootstrap is believed."""
_SMALL = 200
"""Configurations up to which comparing all pairs is quicker than sorting."""
_SIGNS = 30_000_000
"""Signs that may be looked at for the null of the information; more configurations get fewer permutations."""


@dataclass(frozen=True)
class Estimate:
    """A correlation with what is known of its error.

    Attributes:
        value: In [-1, 1]; NaN where it is not defined.
        low: Lower end of the interval by bootstrap over configurations; NaN below 30 of them.
        high: Upper end.
        p: Two-sided permutation p-value; NaN where the value is.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")


class GapStatistics:
    """Configurations, and the draws that all statistics share.

    Args:
        x: The measure of each configuration `[n]`.
        y: The gap `[n]`.
        codes: Levels `[n, hyperparameters]`.
        baselines: `[n, baselines]`, if there are any.
        draws: Permutations, and samples of the bootstrap.
        level: Of the intervals.
        random: What draws.
    """

    def __init__(
        self,
        x: Floats,
        y: Floats,
        codes: NDArray[np.int64],
        baselines: Floats | None,
        draws: int,
        level: float,
        random: np.random.Generator,
    ) -> None:
        self.x, self.y, self.codes, self.baselines = x, y, codes, baselines
        self.random, self.draws = random, draws
        self.tails = ((1 - level) / 2, (1 + level) / 2)
        n = len(x)
        self.permutations = random.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
        self.counts = random.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)
        self.cells = [ranks.cells_of(codes, column) for column in range(codes.shape[1])]

    def tau(self) -> Estimate:
        """Tau-b over all configurations."""
        one, two = ranks.order(self.x), ranks.order(self.y)
        value = float(ranks.tau_b(one, two, np.ones((1, len(self.x))))[0])
        null = np.zeros(self.draws)
        if np.ptp(one) and np.ptp(two):
            null = self._permuted_taus(two)
        return self._estimate(value, null, lambda: ranks.tau_b(one, two, self.counts))

    def psi(self, column: int) -> Estimate:
        """The mean tau in cells where only this hyperparameter changes, permuted within cells."""
        cells = self.cells[column]
        value = float(ranks.granulated(self.x[None], self.y, cells)[0])
        if np.isnan(value):
            return Estimate(value)
        shuffled = np.tile(self.x, (self.draws, 1))
        for group in cells:
            shuffled[:, group] = self.random.permuted(shuffled[:, group], axis=2)
        null = ranks.granulated(shuffled, self.y, cells)
        return self._estimate(value, null, lambda: ranks.granulated(self.x[None], self.y, cells, self.counts))

    def granulated(self) -> Estimate:
        """The mean of psi over the hyperparameters that have cells, permuted over all configurations."""
        cells = [each for each in self.cells if each]
        if not cells:
            return Estimate(float("nan"))
        permuted = self.x[self.permutations]
        value = np.mean([ranks.granulated(self.x[None], self.y, each)[0] for each in cells])
        null = np.mean([ranks.granulated(permuted, self.y, each) for each in cells], axis=0)

        def again() -> Floats:
            found = [ranks.granulated(self.x[None], self.y, each, self.counts) for each in cells]
            table = np.stack(found, axis=1)
            return np.array([each[~np.isnan(each)].mean() for each in table if not np.isnan(each).all()])

        return self._estimate(float(value), null, again)

    def partial(self) -> Estimate:
        """The correlation of ranks given the baselines."""
        baselines = np.zeros((len(self.x), 0)) if self.baselines is None else self.baselines
        value = ranks.partial_correlation(self.x, self.y, baselines)
        null = ranks.partial_permuted(self.x, self.y, baselines, self.permutations)

        def again() -> Floats:
            drawn = [np.repeat(np.arange(len(self.x)), counts.astype(int)) for counts in self.counts]
            return np.array([
                ranks.partial_correlation(self.x[each], self.y[each], baselines[each]) for each in drawn
            ])

        return self._estimate(value, null, again)

    def information(self) -> tuple[float, tuple[int, ...], float, float]:
        """K, the known columns where it is least, its mean by chance, and its p-value."""
        sets = known_sets(self.codes.shape[1])
        draws = min(self.draws, _SIGNS // (len(self.x) ** 2 * len(sets)))
        draws = draws if draws >= 39 else 0
        orders = np.concatenate([self.x[None], self.x[self.permutations[:draws]]])
        found = np.stack([normalised_information(orders, self.y, self.codes, known) for known in sets])
        found = np.where(np.isnan(found), np.inf, found)  # the empty set always leaves doubt
        least = found.min(axis=0)
        chance, p = float("nan"), float("nan")
        if draws:
            chance = float(least[1:].mean())
            p = float((1 + (least[1:] >= least[0] - 1e-12).sum()) / (draws + 1))
        return float(least[0]), sets[int(found[:, 0].argmin())], chance, p

    def _permuted_taus(self, two: NDArray[np.int8]) -> Floats:
        n = len(self.x)
        if n > _SMALL:
            return np.array([_tau(self.x[each], self.y) for each in self.permutations])
        one = ranks.order(self.x)
        scale = np.sqrt(np.count_nonzero(one)) * np.sqrt(np.count_nonzero(two))
        taken = (one[each[:, None], each] for each in self.permutations)
        return np.array([np.vdot(each.astype(np.float32), two) for each in taken]) / scale

    def _estimate(self, value: float, null: Floats, again: Callable[[], Floats]) -> Estimate:
        p = float((1 + (np.abs(null) >= abs(value) - 1e-12).sum()) / (len(null) + 1))
        if len(self.x) < ENOUGH:
            return Estimate(value, p=p)
        found = again()
        low, high = np.quantile(found[~np.isnan(found)], self.tails)
        return Estimate(value, float(low), float(high), p)


def _tau(x: Floats, y: Floats) -> float:
    return float(cast(Any, stats.kendalltau(x, y, method="asymptotic")).statistic)
