"""Associations: `correlates`, `rises` and `falls`. Runs are counted; epochs never are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gradlab.judge import correlation, power, sign
from gradlab.judge.combine import all_of
from gradlab.judge.compare import evidence_below
from gradlab.judge.data import Data, Values, not_measured, paired
from gradlab.judge.evidence import Array, Evidence, nothing
from gradlab.judge.finding import Finding
from gradlab.judge.ladders import Ladder, by_replicate, ladders, setting_of
from gradlab.judge.words import bracket, digits, said, spoken
from gradlab.study.kinds import Correlates, Trend
from gradlab.study.quantity import Quantity
from gradlab.study.select import select

__all__ = ["correlates", "trend"]

_TOLD = 6
"""The medians of up to so many levels are told one by one."""


def correlates(test: Correlates, data: Data, alpha: float) -> list[Finding]:
    """Findings on a rank correlation, one per condition (one in all over conditions).

    Args:
        test: The claim.
        data: The runs.
        alpha: Error rate of each side of the interval.

    Returns:
        Findings.
    """
    names = select(test.of, data.conditions).names
    if test.over == "conditions":
        return [_over_conditions(test, names, data)]
    if test.over == "epochs":
        return [_over_epochs(test, name, setting_of(name, names), data, alpha) for name in names]
    return [_over_runs(test, name, setting_of(name, names), data) for name in names]


def trend(test: Trend, data: Data, alpha: float) -> list[Finding]:
    """Findings on a trend along epochs or another axis (one per condition) or along a factor (one per setting).

    Args:
        test: The claim.
        data: The runs.
        alpha: Error rate of each side of the interval.

    Returns:
        Findings.
    """
    names = select(test.a, data.conditions).names
    if test.along not in {"epoch", test.quantity.axis}:
        return [_along_factor(test, group, data) for group in ladders(test.along, names, data)]
    findings: list[Finding] = []
    along = "the epochs" if test.along == "epoch" else test.along
    for name in names:
        places, values, _ = data.series(test.quantity, name)
        taus = correlation.tau_within(np.broadcast_to(places, values.shape), values)
        told = f"{spoken(test.quantity)} of {name} {{}} along {along} in {{}} of {len(taus)} {data.counted}"
        sentence = _Sentence(told, ("rises", "falls"), data.one)
        unknown = data.unmeasured(test.quantity, name)
        findings.append(
            _from_runs(taus, test.word == "rises", sentence, alpha, name, setting_of(name, names), unknown)
        )
    return findings


def _over_runs(test: Correlates, name: str, setting: str, data: Data) -> Finding:
    x, y, left = _together(data, test.first, test.second, name)
    tau = float(correlation.tau(x.values[None], y.values[None])[0]) if len(x) > 1 else math.nan
    evidence = correlation.positive(x.values[None], y.values[None]) if len(x) > 1 else nothing()
    first, second = spoken(test.first), spoken(test.second)
    return Finding(
        setting=setting,
        evidence=evidence if test.sign == "positive" else evidence.negated(),
        test="studentised permutation test of Kendall's tau",
        null=f"of two {data.counted} of {name}, the one with more {first} has more {second} half of the time",
        sentence=f"over the {data.counted} of {name}, {first} and {second} correlate with tau {digits(tau)}",
        n=(len(x),),
        needed_for=_twice,
        needed_against=_twice,
        effect="Kendall's tau",
        value=tau,
        deciding_n=None if math.isnan(tau) else power.correlation_n(abs(tau)),
        shares={name: dict(x.counts)},
        warnings=() if not left else (f"{left} {data.counted} of {name} have no value and are left out",),
    )


def _over_conditions(test: Correlates, names: Sequence[str], data: Data) -> Finding:
    x, y = (
        np.array([[np.median(data.values(quantity, name).values) for name in names]])
        for quantity in (test.first, test.second)
    )
    tau = float(correlation.tau(x, y)[0])
    evidence = correlation.exchangeable(x, y)
    n = min(len(data.values(test.first, name)) for name in names)
    return Finding(
        evidence=evidence if test.sign == "positive" else evidence.negated(),
        test="permutation test of Kendall's tau over condition medians",
        null=f"every order of the {len(names)} conditions is equally likely",
        sentence=f"over {len(names)} conditions, median {spoken(test.first)} and {spoken(test.second)} "
        f"correlate with tau {digits(tau)}",
        n=(n,),
        effect="Kendall's tau",
        value=tau,
        shares={name: {} for name in names},
    )


def _over_epochs(test: Correlates, name: str, setting: str, data: Data, alpha: float) -> Finding:
    epochs, x, replicates = data.series(test.first, name)
    others, y, second = data.series(test.second, name)
    _, first_at, second_at = np.intersect1d(epochs, others, return_indices=True)
    _, rows, other_rows = np.intersect1d(replicates, second, return_indices=True)
    taus = correlation.tau_within(x[rows][:, first_at], y[other_rows][:, second_at])
    told = (
        f"over the epochs of {name}, {spoken(test.first)} and {spoken(test.second)} are "
        f"{{}} correlated in {{}} of {len(taus)} {data.counted}"
    )
    sentence = _Sentence(told, ("positively", "negatively"), data.one)
    unknown = data.unmeasured(test.first, name)[rows] | data.unmeasured(test.second, name)[other_rows]
    return _from_runs(taus, test.sign == "positive", sentence, alpha, name, setting, unknown)


@dataclass(frozen=True)
class _Sentence:
    """How a count of directions is told: with the word for the direction, and what is counted."""

    text: str
    words: tuple[str, str]
    one: str


def _from_runs(
    taus: Array,
    up: bool,
    sentence: _Sentence,
    alpha: float,
    name: str,
    setting: str,
    unknown: NDArray[np.bool_],
) -> Finding:
    """One correlation per run, judged across runs: epochs are never n. What is not known speaks against a verdict."""
    evidence = nothing()
    if len(taus):
        against, in_favour = (
            sign.below(-np.where(unknown, end, taus)[None], np.zeros((1, len(taus)))) for end in (-1.0, 1.0)
        )
        evidence = Evidence(against.p_for, in_favour.p_against, against.floor_for, in_favour.floor_against)
    agree = int((taus > 0).sum() if up else (taus < 0).sum())
    typical = float(np.median(taus)) if len(taus) else math.nan
    interval = sign.median_interval(taus, alpha)
    low, high = max(interval[0], -1.0), min(interval[1], 1.0)
    text = sentence.text.format(sentence.words[0] if up else sentence.words[1], agree)
    share = agree / len(taus) if len(taus) else 0.5
    return Finding(
        setting=setting,
        evidence=evidence if up else evidence.negated(),
        test=f"sign test of the correlation within each {sentence.one}",
        null=f"a {sentence.one} goes either way equally often",
        sentence=f"{text}, median tau {digits(typical)} {bracket(low, high)}",
        n=(len(taus),),
        needed_for=sign.smallest_n,
        needed_against=sign.smallest_n,
        effect=f"median tau within {sentence.one}s",
        value=typical,
        interval=(low, high),
        deciding_n=power.sign_n(max(share, 1 - share)),
        shares={name: not_measured(unknown)},
    )


def _along_factor(test: Trend, ladder: Ladder, data: Data) -> Finding:
    samples = [data.values(test.quantity, name) for name in ladder.names]
    steps = list(pairwise(ladder.names))
    together = all(data.share_draws(a, b) for a, b in steps)
    evidence, tau = _strict(samples, together) if test.strict else _overall(samples, together)
    medians = [float(np.median(each.values)) for each in samples]
    turns = np.sign(np.diff(medians))
    warnings = (_bent(test, ladder, medians),) if turns.min() < 0 < turns.max() else ()
    up = test.word == "rises"
    if test.strict:
        name = "every step, intersection-union of " + ("sign tests" if together else "permutation tests")
        null = "at least one step is level"
        if not up:
            evidence, tau = _strict([replace(s, values=-s.values) for s in samples], together)
            tau = -tau
    else:
        name = (
            "sign test of the trend within each replicate (Page)"
            if together
            else ("studentised permutation test of the trend (Jonckheere-Terpstra)")
        )
        null = f"no association between {test.along} and {spoken(test.quantity)}"
        evidence = evidence if up else evidence.negated()
    factor = len(steps) if test.strict else 1
    return Finding(
        setting=ladder.setting,
        evidence=evidence,
        test=name,
        null=null,
        sentence=f"{_climbed(test, ladder, medians)} (tau {digits(tau)})",
        n=tuple(len(each) for each in samples),
        needed_for=sign.smallest_n,
        needed_against=lambda rate: sign.smallest_n(rate / factor),
        effect="Kendall's tau",
        value=tau,
        paired=together,
        shares={name: dict(each.counts) for name, each in zip(ladder.names, samples, strict=True)},
        warnings=warnings,
    )


def _climbed(test: Trend, ladder: Ladder, medians: Sequence[float]) -> str:
    """The medians along a factor; of many levels the first and the last."""
    told = [said(test.quantity, median) for median in medians]
    if len(told) <= _TOLD:
        return f"along {test.along} ({', '.join(ladder.levels)}) median {spoken(test.quantity)} is {', '.join(told)}"
    first, last = ladder.levels[0], ladder.levels[-1]
    return (
        f"along {len(told)} levels of {test.along} median {spoken(test.quantity)} goes from {told[0]} ({first}) "
        f"to {told[-1]} ({last})"
    )


def _bent(test: Trend, ladder: Ladder, medians: Sequence[float]) -> str:
    """That medians are not monotone; of many levels, where they turn back the farthest."""
    if len(medians) <= _TOLD:
        return "the medians are not monotone: " + ", ".join(said(test.quantity, m) for m in medians)
    steps = np.diff(medians) * (1 if test.word == "rises" else -1)
    back = int(steps.argmin())
    return (
        f"the medians of {spoken(test.quantity)} are not monotone: they turn back in {int((steps < 0).sum())} of "
        f"{len(steps)} steps, the farthest from {ladder.levels[back]} ({said(test.quantity, medians[back])}) "
        f"to {ladder.levels[back + 1]} ({said(test.quantity, medians[back + 1])})"
    )


def _overall(samples: Sequence[Values], together: bool) -> tuple[Evidence, float]:
    """Evidence of a rise: within replicates that share a draw, else over all runs ranked together."""
    if together:
        table = by_replicate(samples)
        order = np.broadcast_to(np.arange(float(table.shape[1])), table.shape)
        taus = correlation.tau(order, table)
        return sign.below(-taus[None], np.zeros((1, len(taus)))), float(np.median(taus))
    level = np.repeat(np.arange(float(len(samples))), [len(each) for each in samples])[None]
    pooled = np.concatenate([each.values for each in samples])[None]
    evidence = correlation.trend(level, pooled, smallest=min(len(each) for each in samples))
    return evidence, float(correlation.tau(level, pooled)[0])


def _strict(samples: Sequence[Values], together: bool) -> tuple[Evidence, float]:
    steps: list[Evidence] = []
    for a, b in pairwise(samples):
        table = by_replicate([a, b]) if together else None
        left, right = (a.values, b.values) if table is None else (table[:, 0], table[:, 1])
        steps.append(evidence_below(left[None], right[None], paired=together))
    return all_of(steps), _overall(samples, together)[1]


def _together(data: Data, first: Quantity, second: Quantity, name: str) -> tuple[Values, Values, int]:
    """The values of both in the runs that have both, and how many have not."""
    x, y = paired(data.values(first, name, rank=False), data.values(second, name, rank=False))
    known = ~(np.isnan(x.values) | np.isnan(y.values))
    return x.kept(known), y.kept(known), int((~known).sum())


def _twice(rate: float) -> int:
    return 2 * sign.smallest_n(rate)
