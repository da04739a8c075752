"""Proportions of runs: `share` and `reaches`; and `matches`, which asks whether one more run would fit in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gradlab.judge import power, sign
from gradlab.judge.data import Data, Values, paired
from gradlab.judge.evidence import Evidence
from gradlab.judge.finding import Finding, Needed
from gradlab.judge.proportion import (
    barnard,
    clopper_pearson,
    difference_interval,
    larger_share,
    share_at_least,
)
from gradlab.judge.published import RANK_FROM, prediction_interval
from gradlab.judge.words import bracket, digits, event_words, percent, spoken
from gradlab.study.kinds import Matches, Share
from gradlab.study.select import Pair, pairs

__all__ = ["matches", "share"]


def share(test: Share, data: Data, alpha: float) -> list[Finding]:
    """Findings on a proportion, one per setting.

    Args:
        test: The claim.
        data: The runs.
        alpha: Error rate of each side of the interval.

    Returns:
        Findings.
    """
    found = pairs(test.a, test.than, data.conditions)
    if test.than is None:
        return [_against_number(test, pair, data, alpha) for pair in found]
    return [_between(test, pair, data, alpha) for pair in found]


def _against_number(test: Share, pair: Pair, data: Data, alpha: float) -> Finding:
    true, values = data.event(test.event, pair.a)
    fewest, most = _between_them(true, values)
    count, n = int(true.sum()), len(true)
    bound = test.at_least if test.at_least is not None else (test.at_most or 0.0)
    # what could not be measured speaks against every verdict
    low_end, high_end = (share_at_least(np.array([k]), n, bound) for k in (fewest, most))
    evidence = Evidence(low_end.p_for, high_end.p_against, low_end.floor_for, high_end.floor_against)
    above, below = _rare(bound), _rare(1 - bound)
    if test.at_most is not None:
        evidence, above, below = evidence.negated(), below, above
    low, high = clopper_pearson(fewest, n, alpha)[0], clopper_pearson(most, n, alpha)[1]
    observed = count / n if n else math.nan
    return Finding(
        setting=pair.setting,
        evidence=evidence,
        test="Clopper-Pearson (exact binomial)",
        null=f"exactly {percent(bound)} of the {data.counted} of {pair.a} {event_words(test.event)}",
        sentence=f"{count} of {n} {data.counted} of {pair.a} {event_words(test.event)}: "
        f"{percent(observed)} {bracket(100 * low, 100 * high)}{_unknown(values)}",
        n=(n,),
        needed_for=above,
        needed_against=below,
        effect="share",
        value=observed,
        interval=(low, high),
        interest=test.interest,
        power_n=None if test.interest is None else power.share_n(bound, test.interest),
        deciding_n=power.share_n(bound, observed) if n and observed != bound else None,
        shares={pair.a: dict(values.counts)},
    )


def _between_them(true: NDArray[np.bool_], values: Values) -> tuple[int, int]:
    """The fewest and the most runs in which the event may have happened."""
    return int((true & ~values.missing).sum()), int((true | values.missing).sum())


def _unknown(values: Values) -> str:
    """How many could not be measured, where some could not."""
    return f"; {int(values.missing.sum())} could not be measured" if values.missing.any() else ""


def _between(test: Share, pair: Pair, data: Data, alpha: float) -> Finding:
    second = str(pair.b)
    true_a, runs_a = data.event(test.event, pair.a)
    true_b, runs_b = data.event(test.event, second)
    together = data.share_draws(pair.a, second)
    unknown_a, unknown_b = runs_a.missing, runs_b.missing
    if together:
        keep_a, keep_b = paired(runs_a, runs_b)
        both_a = np.isin(runs_a.replicates, keep_a.replicates)
        both_b = np.isin(runs_b.replicates, keep_b.replicates)
        true_a, unknown_a, true_b, unknown_b = (
            true_a[both_a],
            unknown_a[both_a],
            true_b[both_b],
            unknown_b[both_b],
        )
    n, m, count_a, count_b = len(true_a), len(true_b), int(true_a.sum()), int(true_b.sum())
    # More frequent in A; what could not be measured speaks against every verdict.
    least = _more_often(true_a & ~unknown_a, true_b | unknown_b, together)
    most = _more_often(true_a | unknown_a, true_b & ~unknown_b, together)
    evidence = Evidence(least.p_for, most.p_against, least.floor_for, most.floor_against)
    difference = count_a / n - count_b / m if n and m else math.nan
    low, high = difference_interval(count_a, n, count_b, m, alpha)
    words = event_words(test.event)
    return Finding(
        setting=pair.setting,
        evidence=evidence,
        test="McNemar's exact test" if together else "Barnard's exact test",
        null=f"{data.counted} of {pair.a} and of {second} {words} with the same probability",
        sentence=f"{count_a} of {n} {data.counted} of {pair.a} and {count_b} of {m} of {second} {words}: "
        f"difference {percent(difference)} {bracket(100 * low, 100 * high)}",
        n=(n,) if together else (n, m),
        needed_for=sign.smallest_n if together else _barnard_needs,
        needed_against=sign.smallest_n if together else _barnard_needs,
        effect="difference of shares",
        value=difference,
        interval=(low, high),
        paired=together,
        interest=test.interest,
        power_n=_power_between(test, count_b / m if m else math.nan),
        deciding_n=power.shares_n(*sorted((count_a / n, count_b / m), reverse=True)) if n and m else None,
        shares={pair.a: dict(runs_a.counts), second: dict(runs_b.counts)},
    )


def _more_often(a: NDArray[np.bool_], b: NDArray[np.bool_], together: bool) -> Evidence:
    """Evidence that an event is more frequent in A: within the pairs that differ (McNemar), or between two samples."""
    if together:
        return sign.below(b[None].astype(float), a[None].astype(float))
    return larger_share(np.array([int(a.sum())]), len(a), np.array([int(b.sum())]), len(b))


def matches(test: Matches, data: Data, alpha: float) -> list[Finding]:
    """Findings on a published value, one per condition.

    Args:
        test: The claim.
        data: The runs.
        alpha: Not used: this is outside the 5 % promise.

    Returns:
        Findings that are `consistent` or `inconsistent`.
    """
    del alpha
    findings: list[Finding] = []
    for pair in pairs(test.a, None, data.conditions):
        values = data.values(test.quantity, pair.a)
        n = len(values)
        finite = values.values[np.isfinite(values.values)]
        log = test.quantity.scale == "ratio" and bool((finite > 0).all()) and test.value > test.read_error
        low, high = prediction_interval(values.values, log=log)
        fits = test.value + test.read_error >= low and test.value - test.read_error <= high
        rank = int((values.values < test.value).sum())
        findings.append(
            Finding(
                setting=pair.setting,
                evidence=None,
                test=f"rank among the {data.counted}" if n >= RANK_FROM else "95 % prediction interval",
                null=f"the published {data.one} is one more draw from our distribution; outside the 5 % promise",
                sentence=f"published {spoken(test.quantity)} of {pair.a} is {digits(test.value)}; "
                f"ours {bracket(low, high)}, {rank} of {n} {data.counted} below it",
                n=(n,),
                effect=f"{spoken(test.quantity)} of one more {data.one}",
                value=float(np.median(values.values)) if n else None,
                interval=(low, high),
                shares={pair.a: dict(values.counts)},
                fixed="" if n < 2 else "consistent" if fits else "inconsistent",
            )
        )
    return findings


def _rare(share: float) -> Needed:
    """Runs without which even all of them would not show a share."""
    return lambda rate: max(1, math.ceil(math.log(rate) / math.log(share) - 1e-12))


def _barnard_needs(rate: float) -> int:
    return next(n for n in range(1, 1000) if float(barnard(n, n).min()) <= rate)


def _power_between(test: Share, base: float) -> int | None:
    if test.interest is None or math.isnan(base):
        return None
    return power.shares_n(min(1.0, base + test.interest), base)
