"""What a test hands to the decision: how surprising the data are under the null, in both directions.

All tests work on batches of studies: data are `[studies, n]`, evidence is `[studies]`. A real study is a batch
of one, a simulation a batch of thousands, and both go through the same code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Evidence", "nothing", "outcomes"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """One-sided p-values, one pair per study.

    Attributes:
        p_for: Probability of data that speak at least as clearly for the claim, under the null.
        p_against: The same in the other direction.
        floor_for: The smallest `p_for` that this many replicates can give.
        floor_against: The smallest `p_against` that this many replicates can give.
    """

    p_for: Array
    p_against: Array
    floor_for: Array
    floor_against: Array

    def negated(self) -> Evidence:
        """The evidence on the opposite claim."""
        return Evidence(self.p_against, self.p_for, self.floor_against, self.floor_for)


def nothing() -> Evidence:
    """The evidence of a test that cannot be made: p = 1 in both directions."""
    one = np.ones(1)
    return Evidence(one, one, one, one)


def outcomes(evidence: Evidence, alpha: float) -> NDArray[np.str_]:
    """The decision: `supported`, `contradicted`, `inconclusive` or `too few replicates`.

    A claim is supported (contradicted) where the evidence for (against) it has a p-value of at most `alpha`.
    Otherwise there are too few replicates if no data could have supported it.

    Args:
        evidence: P-values `[studies]`.
        alpha: Error rate spent on each direction.

    Returns:
        Outcomes `[studies]`.

    Example:
        >>> p = np.array([0.01, 0.5])
        >>> floor = np.array([0.001, 0.001])
        >>> outcomes(Evidence(p, 1 - p, floor, floor), 0.025).tolist()
        ['supported', 'inconclusive']
    """
    supported = evidence.p_for <= alpha
    contradicted = evidence.p_against <= alpha
    few = evidence.floor_for > alpha
    decided = np.where(supported, "supported", "contradicted")
    open_ = np.where(few, "too few replicates", "inconclusive")
    return np.where(supported | contradicted, decided, open_)
