"""Proportions of runs: `share` and `reaches`; and `matches`, which asks whether one more run would fit in."""

from __future__ import annotations

import math

import numpy as np

from gradlab.judge import power, sign
from gradlab.judge.data import Data, paired
from gradlab.judge.finding import Finding, Needed
from gradlab.judge.proportion import (
    barnard,
    clopper_pearson,
    difference_interval,
    larger_share,
    share_at_least,
)
from gradlab.judge.published import RANK_FROM, prediction_interval
from gradlab.judge.words import bracket, digits, event_words, percent
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
    count, n = int(true.sum()), len(true)
    bound = test.at_least if test.at_least is not None else (test.at_most or 0.0)
    evidence = share_at_least(np.array([count]), n, bound)
    above, below = _rare(bound), _rare(1 - bound)
    if test.at_most is not None:
        evidence, above, below = evidence.negated(), below, above
    low, high = clopper_pearson(count, n, alpha)
    observed = count / n if n else math.nan
    return Finding(
        setting=pair.setting,
        evidence=evidence,
        test="Clopper-Pearson (exact binomial)",
        null=f"exactly {percent(bound)} of the runs of {pair.a} {event_words(test.event)}",
        sentence=f"{count} of {n} runs of {pair.a} {event_words(test.event)}: "
        f"{percent(observed)} {bracket(100 * low, 100 * high)}",
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


def _between(test: Share, pair: Pair, data: Data, alpha: float) -> Finding:
    second = str(pair.b)
    true_a, runs_a = data.event(test.event, pair.a)
    true_b, runs_b = data.event(test.event, second)
    together = data.share_draws(pair.a, second)
    if together:
        keep_a, keep_b = paired(runs_a, runs_b)
        true_a = true_a[np.isin(runs_a.replicates, keep_a.replicates)]
        true_b = true_b[np.isin(runs_b.replicates, keep_b.replicates)]
    n, m, count_a, count_b = len(true_a), len(true_b), int(true_a.sum()), int(true_b.sum())
    if together:
        # More frequent in A: among the pairs that differ, the event is more often A's (McNemar's exact test).
        evidence = sign.below(true_b[None].astype(float), true_a[None].astype(float))
    else:
        evidence = larger_share(np.array([count_a]), n, np.array([count_b]), m)
    difference = count_a / n - count_b / m if n and m else math.nan
    low, high = difference_interval(count_a, n, count_b, m, alpha)
    words = event_words(test.event)
    return Finding(
        setting=pair.setting,
        evidence=evidence,
        test="McNemar's exact test" if together else "Barnard's exact test",
        null=f"runs of {pair.a} and of {second} {words} with the same probability",
        sentence=f"{count_a} of {n} runs of {pair.a} and {count_b} of {m} of {second} {words}: "
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
                test="rank among the runs" if n >= RANK_FROM else "95 % prediction interval",
                null="the published run is one more draw from our distribution; outside the 5 % promise",
                sentence=f"published {test.quantity} of {pair.a} is {digits(test.value)}; ours {bracket(low, high)}, "
                f"{rank} of {n} runs below it",
                n=(n,),
                effect=f"{test.quantity} of one more run",
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
