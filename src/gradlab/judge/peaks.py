"""`peaks`: where an optimum lies, along a factor or along a quantity's own axis."""

from __future__ import annotations

import math

import numpy as np

from gradlab.judge.data import Data, not_measured
from gradlab.judge.evidence import Evidence, nothing
from gradlab.judge.finding import Finding
from gradlab.judge.ladders import by_replicate, ladders, setting_of
from gradlab.judge.proportion import clopper_pearson, share_at_least
from gradlab.judge.reduce import inside
from gradlab.judge.words import bracket, digits, percent, spoken
from gradlab.study.kinds import Peaks
from gradlab.study.select import select

__all__ = ["peaks"]


def peaks(test: Peaks, data: Data, alpha: float) -> list[Finding]:
    """Findings on where an optimum lies, one per setting of the other factors.

    Args:
        test: The claim.
        data: The runs.
        alpha: Error rate of each side of the interval.

    Returns:
        Findings.
    """
    findings: list[Finding] = []
    if test.along == test.quantity.axis:
        names = select(test.a, data.conditions).names
        return [_peaks_on_axis(test, name, setting_of(name, names), data, alpha) for name in names]
    for ladder in ladders(test.along, select(test.a, data.conditions).names, data):
        table = by_replicate([data.values(test.quantity, name) for name in ladder.names])
        worst = -np.inf if test.end == "high" else np.inf
        table = np.where(np.isinf(table), worst, table)
        best = table.argmax(axis=1) if test.end == "high" else table.argmin(axis=1)
        hits = np.array([ladder.levels[index] in test.within for index in best], dtype=bool)
        chance = len(test.within) / len(ladder.levels)
        count, n = int(hits.sum()), len(hits)
        low, high = clopper_pearson(count, n, alpha)
        findings.append(
            Finding(
                setting=ladder.setting,
                evidence=share_at_least(np.array([count]), n, chance),
                test="Clopper-Pearson on the best level of each replicate",
                null=f"the best level lies in the window in {percent(chance)} of the replicates, as by chance",
                sentence=f"the best {test.along} lies among {', '.join(test.within)} in {count} of {n} replicates: "
                f"{percent(count / n if n else math.nan)} {bracket(100 * low, 100 * high)}",
                n=(n,),
                needed_for=lambda rate, p=chance: math.ceil(math.log(rate) / math.log(p) - 1e-12),
                needed_against=lambda rate, p=chance: math.ceil(math.log(rate) / math.log(1 - p) - 1e-12),
                effect="share of replicates",
                value=count / n if n else None,
                interval=(low, high),
                shares={name: {} for name in ladder.names},
            )
        )
    return findings


def _peaks_on_axis(test: Peaks, name: str, setting: str, data: Data, alpha: float) -> Finding:
    """Where each run, pair or set is best along the quantity's own axis; what was not measured lies outside."""
    places, values, _ = data.series(test.quantity, name)
    unknown = data.unmeasured(test.quantity, name)
    window = test.window or (None, None)
    measured = ~np.isnan(values).all(axis=0)
    held = inside(window, places)
    worst = -np.inf if test.end == "high" else np.inf
    ranked = np.where(np.isnan(values), worst, values)
    best = [int(row.argmax() if test.end == "high" else row.argmin()) if len(row) else 0 for row in ranked]
    hits = np.array([not gone and bool(held[at]) for at, gone in zip(best, unknown, strict=True)], dtype=bool)
    count, most, n = int(hits.sum()), int((hits | unknown).sum()), len(best)
    chance = float(held[measured].mean()) if measured.any() else 0.0
    low, high = clopper_pearson(count, n, alpha)[0], clopper_pearson(most, n, alpha)[1]
    evidence, least = nothing(), None
    if 0 < chance < 1:
        ends = [share_at_least(np.array([k]), n, chance) for k in (count, most)]
        evidence = Evidence(ends[0].p_for, ends[1].p_against, ends[0].floor_for, ends[1].floor_against)
        least = chance
    told = f"{digits(float(window[0] or 0.0))} and {digits(float(window[1] or 0.0))}"
    return Finding(
        setting=setting,
        evidence=evidence,
        test=f"Clopper-Pearson on the best {test.along} of each {data.one}",
        null=f"the best {test.along} lies in the window in {percent(chance)} of the {data.counted}, as by chance",
        sentence=f"the best {test.along} of {spoken(test.quantity)} of {name} lies between {told} in {count} of {n} "
        f"{data.counted}: {percent(count / n)} {bracket(100 * low, 100 * high)}",
        n=(n,),
        needed_for=None
        if least is None
        else lambda rate, p=least: math.ceil(math.log(rate) / math.log(p) - 1e-12),
        needed_against=None
        if least is None
        else lambda rate, p=least: math.ceil(math.log(rate) / math.log(1 - p) - 1e-12),
        effect=f"share of {data.counted}",
        value=count / n,
        interval=(low, high),
        shares={name: not_measured(unknown)},
    )
