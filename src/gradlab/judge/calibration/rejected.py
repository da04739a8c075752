"""Common alternatives at the same nulls: the numbers behind the choice of tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gradlab.judge import sign
from gradlab.judge.calibration.families import PAIRED, UNPAIRED
from gradlab.judge.evidence import Array
from gradlab.judge.sequential import ALPHA, TOTAL

__all__ = ["Rejected", "alternatives"]


@dataclass(frozen=True)
class Rejected:
    """A test that is not used.

    Attributes:
        test: What it is.
        data: The family of data.
        n: Replicates, or looks.
        rate: Rate of false verdicts in its worse direction.
    """

    test: str
    data: str
    n: str
    rate: float


def alternatives(studies: int) -> Iterator[Rejected]:
    """Simulate what was not chosen.

    Args:
        studies: Simulated studies of each.

    Yields:
        One row after the other.
    """
    rng = np.random.Generator(np.random.Philox(key=[0, 20_001]))
    for name in ("skewed", "12 % dead, one side"):
        for n in (10, 20, 40):
            a, b = PAIRED[name](rng, studies, n)
            ranked = _signed_rank(a - b)
            yield Rejected("sign-flip of ranked differences (Wilcoxon), paired", name, str(n), ranked)
            if name == "skewed":
                whole = _sign_flip(rng, a - b)
                yield Rejected("sign-flip of whole differences, paired", name, str(n), whole)
    for name in ("spread 1 : 5", "constant : two clusters"):
        for n in (10, 20):
            a, b = UNPAIRED[name](rng, studies, n)
            yield Rejected("Mann-Whitney, unpaired", name, str(n), _mann_whitney(a, b))
    for n in (5, 10):
        a, b = UNPAIRED["normal"](rng, studies, n)
        yield Rejected("percentile bootstrap of the mean, paired", "normal", str(n), _bootstrap(rng, a - b))
    looks = (5, 10, 20, 40, 80)
    a, b = PAIRED["normal"](rng, studies, looks[-1])
    ever = np.zeros(studies, dtype=bool)
    for n in looks:
        t = stats.ttest_rel(a[:, :n], b[:, :n], axis=1, alternative="less")
        ever |= np.asarray(t.pvalue) <= TOTAL
    yield Rejected("5 % at every look (t test)", "normal", ", ".join(map(str, looks)), float(ever.mean()))
    ever = np.zeros(studies, dtype=bool)
    for n in looks:
        ever |= sign.below(a[:, :n], b[:, :n]).p_for <= TOTAL
    yield Rejected("5 % at every look (sign test)", "normal", ", ".join(map(str, looks)), float(ever.mean()))


def _signed_rank(difference: Array) -> float:
    """One-sided normal approximation of the signed-rank test, with its exact variance."""
    rank = stats.rankdata(np.abs(difference), axis=1)
    n = difference.shape[1]
    z = (rank * np.sign(difference)).sum(1) / np.sqrt(n * (n + 1) * (2 * n + 1) / 6)
    return _worse(z)


def _sign_flip(rng: np.random.Generator, difference: Array) -> float:
    """The mean against 2,000 random flips of all signs."""
    flips = rng.choice([-1.0, 1.0], (difference.shape[1], 2_000))
    rejected = np.zeros(2)
    for rows in np.array_split(difference, max(1, len(difference) // 500)):
        null, mean = rows @ flips, rows.sum(axis=1, keepdims=True)
        p = np.stack([(null >= mean - 1e-12).mean(axis=1), (null <= mean + 1e-12).mean(axis=1)])
        rejected += (p <= ALPHA).sum(axis=1)
    return float(rejected.max() / len(difference))


def _mann_whitney(a: Array, b: Array) -> float:
    low = stats.mannwhitneyu(a, b, axis=1, alternative="less").pvalue
    high = stats.mannwhitneyu(a, b, axis=1, alternative="greater").pvalue
    return float(max((low <= ALPHA).mean(), (high <= ALPHA).mean()))


def _bootstrap(rng: np.random.Generator, difference: Array) -> float:
    n = difference.shape[1]
    rejected = np.zeros(2)
    for row in difference:
        means = row[rng.integers(0, n, (500, n))].mean(axis=1)
        low, high = np.quantile(means, [ALPHA, 1 - ALPHA])
        rejected += [high < 0, low > 0]
    return float(rejected.max() / len(difference))


def _worse(z: Array) -> float:
    critical = float(stats.norm.isf(ALPHA))
    return float(max((z > critical).mean(), (z < -critical).mean()))
