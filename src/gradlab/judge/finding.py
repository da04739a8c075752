"""What one test found at one setting, before it is weighed against the error rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gradlab.judge.evidence import Evidence

__all__ = ["Finding", "Needed"]

Needed = Callable[[float], int]
"""Replicates without which no data reach an error rate."""


@dataclass(frozen=True)
class Finding:
    """Evidence with everything a verdict says besides the decision.

    Attributes:
        setting: Levels of the other factors; empty where there is one setting.
        evidence: P-values of this study, a batch of one.
        test: Name of the test.
        null: The null hypothesis in words.
        sentence: What was found.
        n: Runs on each side.
        needed_for: Replicates without which nothing supports the claim, by error rate.
        needed_against: Replicates without which nothing contradicts it.
        effect: Name of the effect size.
        value: The effect size.
        interval: Its interval.
        superiority: P(A < B) + P(A = B)/2.
        paired: Whether replicates share a random draw.
        pair_correlation: Rank correlation within pairs.
        interest: The declared smallest effect of interest.
        power_n: Replicates for 80 % power at the smallest effect of interest.
        deciding_n: The same if the effect is as observed.
        shares: Counts of bad runs by condition.
        warnings: What a reader must know besides.
        parts: The findings on the claims inside this one.
        fixed: The outcome where no test decides (`consistent`, a fact, `untestable`).
        at_hand: How many runs (pairs, sets) there are, whatever a `where` leaves of them.
        unit_size: Of how many replicates one of them is made.
        counted: What is counted: "runs", "pairs" or "sets".
    """

    evidence: Evidence | None
    test: str
    null: str
    sentence: str
    n: tuple[int, ...] = ()
    needed_for: Needed | None = None
    needed_against: Needed | None = None
    setting: str = ""
    effect: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None
    superiority: float | None = None
    paired: bool | None = None
    pair_correlation: float | None = None
    interest: float | None = None
    power_n: int | None = None
    deciding_n: int | None = None
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    warnings: tuple[str, ...] = ()
    parts: tuple[Finding, ...] = ()
    fixed: str = ""
    at_hand: int = 0
    unit_size: int = 1
    counted: str = "runs"
