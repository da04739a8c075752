"""The page docs/calibration.md, written from the simulated rates."""

from __future__ import annotations

from collections.abc import Sequence

from gradlab.judge.calibration.cells import LIMIT, Rates
from gradlab.judge.calibration.rejected import Rejected
from gradlab.judge.words import percent

__all__ = ["page"]

_HEAD = """\
# How often a verdict is false

Every verdict promises that a false 'supported' and a false 'contradicted' each happen in at most 5 % of studies at
the null of their kind, however often a study is extended. This page is the evidence: {studies:,} simulated studies in
each of {cells} cells, judged by the same functions that judge real runs. A cell may show at most {limit}, which is 5 %
and the error of counting {studies:,} studies.

    python -m gradlab.judge.calibration --studies {studies} --out docs/calibration.md

{verdict}

**Reading it.** A verdict at the declared number of replicates spends 2.5 % on each direction, the k-th extension
2.5 % x 2^-k, so that all looks together spend at most 5 %. `n` is the number of runs on each side. '12 % dead': runs
that never learn and rank worst. 'Censored': values beyond a cap are never seen. 'Constant : two clusters': one side
always ends at the same value, the other half above and half below it; the hardest honest null for two samples.
'Adversarial': the worst of some thousand random pairs of distributions. A dash means that this n cannot decide; the
verdict then says 'too few replicates'.
"""

_NULL = """
## One look

Rates of false verdicts at the declared n, each cell exactly at its null: 'supported' / 'contradicted'.
"""

_LOOKS = """
## Extended until supported

The loop that a hopeful experimenter runs: look, extend, look again, and stop at the first 'supported' (and, in the
other column, at the first 'contradicted').

| claim | data | looks at n = | supported | contradicted |
|---|---|---|---|---|
"""

_POWER = """
## Power

How often a true effect is found at the declared n.
"""

_REJECTED = """
## What was not chosen, and why

The same nulls under common alternatives, at a nominal 2.5 % for each direction (the last two rows: 5 %, one-sided).

Pairs are judged by their directions alone. Flipping whole or ranked differences also uses their sizes, which is exact
only where differences are symmetric; a long tail or a partly dead arm makes it find what is not there, and more data
make it worse. Two samples are judged by a studentised statistic, because the spread of one architecture's losses is
rarely that of another's. Looking again and again at 5 % is what the halving of alpha prevents.

| test | data | n | false verdicts |
|---|---|---|---|
"""


def page(rates: Sequence[Rates], rejected: Sequence[Rejected]) -> str:
    """The page in Markdown.

    Args:
        rates: What all cells came to.
        rejected: What the alternatives came to.

    Returns:
        Text that ends with a newline.
    """
    studies = min(each.studies for each in rates)
    head = _HEAD.format(studies=studies, cells=len(rates), limit=percent(LIMIT), verdict=_verdict(rates))
    null = [each for each in rates if each.cell.table == "null"]
    looks = [each for each in rates if each.cell.table == "looks"]
    power = [each for each in rates if each.cell.table == "power"]
    lines = [
        f"| {each.cell.kind} | {each.cell.data} | {', '.join(map(str, each.cell.looks))} "
        f"| {percent(each.supported)} | {percent(each.contradicted)} |"
        for each in looks
    ]
    others = [f"| {each.test} | {each.data} | {each.n} | {percent(each.rate)} |" for each in rejected]
    return (
        head
        + _NULL
        + _table(null, both=True)
        + _LOOKS
        + "\n".join(lines)
        + "\n"
        + _POWER
        + _table(power, both=False)
        + _REJECTED
        + "\n".join(others)
        + "\n"
    )


def _verdict(rates: Sequence[Rates]) -> str:
    worst = max(rates, key=lambda each: each.worst)
    where = f"{worst.cell.kind}, {worst.cell.data}, n = {', '.join(map(str, worst.cell.looks))}"
    over = sum(each.worst > LIMIT for each in rates)
    told = "No cell is above the limit" if over == 0 else f"**{over} cells are above the limit**"
    return f"{told}. The worst is {percent(worst.worst)} ({where})."


def _table(rates: Sequence[Rates], *, both: bool) -> str:
    sizes = sorted({each.cell.looks[0] for each in rates})
    rows: dict[tuple[str, str], dict[int, Rates]] = {}
    for each in rates:
        rows.setdefault((each.cell.kind, each.cell.data), {})[each.cell.looks[0]] = each
    head = f"\n| claim | data | {' | '.join(f'n = {n}' for n in sizes)} |\n|---|---|{'---|' * len(sizes)}\n"
    lines = [
        f"| {kind} | {data} | {' | '.join(_cell(found.get(n), both) for n in sizes)} |"
        for (kind, data), found in rows.items()
    ]
    return head + "\n".join(lines) + "\n"


def _cell(rates: Rates | None, both: bool) -> str:
    if rates is None:
        return ""
    if rates.supported == 0 and rates.contradicted == 0:
        return "–"
    if not both or not rates.cell.both:
        return percent(rates.supported)
    return f"{percent(rates.supported)} / {percent(rates.contradicted)}"
