"""The small figures beside a claim: what its test compares, one dot per run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradlab.judge.correlation import tau, tau_within
from gradlab.report import findings, source
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.scatter import Cloud, scatter
from gradlab.report.figures.shares import Proportion, shares
from gradlab.report.figures.strips import Row, strips
from gradlab.report.numbers import number
from gradlab.report.scales import scale_of
from gradlab.report.sweeps import size_of_claim
from gradlab.report.view import ResultView
from gradlab.report.words import capital, event_words, quantity_words, trace_name
from gradlab.study.quantity import GrammarError, Quantity
from gradlab.study.select import pairs, select

__all__ = ["budgeted", "claim_figures", "slug"]

_MOST = 2
_DOTS = "one dot per run; bar: 95 % interval of the median"


def claim_figures(result: ResultView, claim: Any, name: str) -> list[Figure]:
    """Figures for a claim, at most two; none for facts and for what cannot be tested.

    Args:
        result: The result.
        claim: A `study.claims.Claim`.
        name: What the files are called.

    Returns:
        The figures, those that have nothing to draw included.
    """
    grid = {condition.name: condition.levels for condition in source.conditions(result)}
    found: list[Figure] = []
    compared: set[str] = set()
    leaves = list(claim.test.leaves())
    for leaf in leaves:
        here = f"{name}-{len(found) + 1}" if found else name
        try:
            sides = _sides(leaf, grid)
            if not sides:
                figure = _figure(result, leaf, grid, here)
            elif str(leaf.quantity) in compared:
                continue
            else:
                # Parts of a conjunction that compare one quantity share one figure.
                compared.add(str(leaf.quantity))
                alike = [each for each in leaves if str(getattr(each, "quantity", "")) == str(leaf.quantity)]
                named = {side for each in alike for side in _sides(each, grid)}
                figure = _strip(result, leaf.quantity, [side for side in grid if side in named], here)
        except GrammarError:
            continue
        if figure is not None:
            found.append(figure)
    return budgeted(result, found[:_MOST])


def budgeted(result: ResultView, figures: Sequence[Figure]) -> list[Figure]:
    """The same figures; those of a quick budget say so."""
    if result.budget != "quick":
        return list(figures)
    words = source.budget_words(result)
    return [
        replace(each, subtitle=f"{each.subtitle}; {words}" if each.subtitle else words) for each in figures
    ]


def _sides(test: Any, grid: Mapping[str, Any]) -> list[str]:
    """The conditions that a claim compares with each other; none where it is about something else."""
    other = {"compare": "than", "equal": "b"}.get(str(test.kind))
    if other is None or isinstance(getattr(test, other), int | float) or test.other(grid) is not None:
        return []
    return [side for pair in pairs(test.a, getattr(test, other), grid) for side in (pair.a, pair.b) if side]


def _figure(result: ResultView, test: Any, grid: Mapping[str, Any], name: str) -> Figure | None:
    match str(test.kind):
        case "compare" | "equal":
            return _one_sided(result, test, grid, name)
        case "matches":
            return _matches(result, test, grid, name)
        case "share":
            return _share(result, test, grid, name)
        case "correlates":
            return _correlates(result, test, grid, name)
        case "trend" if test.along == "epoch":
            among = select(test.a, grid).names
            return _within_runs(result, test.quantity, None, among, name)
        case "trend" | "peaks" if test.along == "model" and source.sweep(result):
            return size_of_claim(result, test.quantity, name)
        case "trend" | "peaks":
            return _strip(result, test.quantity, select(test.a, grid).names, name)
        case _:
            return None


def _one_sided(result: ResultView, test: Any, grid: Mapping[str, Any], name: str) -> Figure:
    """A comparison with a number, or of two quantities of the same runs."""
    among = select(test.a, grid).names
    second = test.other(grid)
    if second is not None:
        return _cloud(result, test.quantity, second, among, name)
    return _strip(result, test.quantity, among, name, reference=float(test.than))


def _strip(
    result: ResultView, wanted: Any, among: Sequence[str], name: str, reference: float | None = None
) -> Figure:
    rows = source.rows(result, wanted, among)
    what = quantity_words(wanted)
    if not any(np.isfinite(row.values).any() for row in rows):
        return Figure(name, capital(what), _DOTS, missing=_why(rows, what))
    return strip_figure(result, rows, name, what, wanted, reference=reference)


def strip_figure(
    result: ResultView,
    rows: Sequence[Row],
    name: str,
    what: str,
    wanted: Quantity,
    *,
    reference: float | None = None,
) -> Figure:
    """Dots per run for any quantity; the title gives the medians."""
    epochs, scale = wanted.is_epoch, scale_of(wanted)
    looks = source.looks(result)
    lane = "never" if epochs else "diverged"
    notes: list[str] = []
    if wanted.known.shape == "series" and not wanted.reducer and wanted.at is None:
        notes.append("final: geometric mean over the last 1 % of the epochs")
    if any(row.published for row in rows):
        notes.append("diamond: published value")
    if reference is not None:
        notes.append(f"dashed: {scale.write(reference)}, named in the claim")
    undefined = sum(int(np.isnan(row.values).sum()) for row in rows)
    if undefined:
        notes.append(f"{undefined} runs have no value and are not drawn")
    return Figure(
        name,
        findings.valued(rows, what, scale.write),
        "; ".join([_DOTS, *notes]),
        draw=lambda size, tables: strips(
            rows,
            looks,
            size,
            tables,
            title=what,
            scale=scale,
            epochs=epochs,
            lane=lane,
            reference=reference,
        ),
    )


def _why(rows: Sequence[Row], what: str) -> str:
    if not rows:
        return f"No run has a {what}: nothing was stored for these conditions."
    runs = sum(len(row.values) for row in rows)
    infinite = sum(int(np.isinf(row.values).sum()) for row in rows)
    if infinite == runs:
        return f"No value to draw: none of {runs} runs got there ({what})."
    return f"No value to draw: {what} is not defined in any of {runs} runs."


def _matches(result: ResultView, test: Any, grid: Mapping[str, Any], name: str) -> Figure:
    found = source.rows(result, test.quantity, select(test.a, grid).names)
    rows = [
        Row(row.condition, row.values, row.replicates, (float(test.value), "in the claim")) for row in found
    ]
    what = quantity_words(test.quantity)
    if not any(np.isfinite(row.values).any() for row in rows):
        return Figure(name, capital(what), _DOTS, missing=_why(rows, what))
    return strip_figure(result, rows, name, what, test.quantity)


def _share(result: ResultView, test: Any, grid: Mapping[str, Any], name: str) -> Figure:
    named = list(select(test.a, grid).names)
    if test.than is not None:
        sides = [side for pair in pairs(test.a, test.than, grid) for side in (pair.a, pair.b) if side]
        named = [condition for condition in grid if condition in sides]
    rows: list[Proportion] = []
    for condition in named:
        values = source.sample(result, test.event.quantity, condition)
        if values is not None:
            known = values.values[~np.isnan(values.values)]
            rows.append(Proportion(condition, int(_true(test.event, known).sum()), len(known)))
    what = event_words(test.event)
    subtitle = "share of runs with exact 95 % interval (Clopper-Pearson)"
    reference = test.at_least if test.at_least is not None else test.at_most
    if reference is not None:
        subtitle += f"; dashed: {number(100 * reference)} %, named in the claim"
    if not any(row.total for row in rows):
        return Figure(name, capital(what), subtitle, missing="No run has the value that this share counts.")
    looks = source.looks(result)
    title = findings.counted(rows, what)
    return Figure(
        name,
        title,
        subtitle,
        draw=lambda size, tables: shares(
            rows, looks, size, tables, title=f"share of runs: {what}", reference=reference
        ),
    )


def _true(event: Any, values: Any) -> Any:
    if event.operator is None:
        return np.isfinite(values) if event.quantity.reducer == "epochs_to" else values != 0
    tests = {
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
        "!=": np.not_equal,
    }
    return tests[event.operator](values, event.value)


def _correlates(result: ResultView, test: Any, grid: Mapping[str, Any], name: str) -> Figure:
    among = select(test.of, grid).names
    if test.over == "epochs":
        return _within_runs(result, test.first, test.second, among, name)
    return _cloud(result, test.first, test.second, among, name)


def _cloud(result: ResultView, first: Any, second: Any, among: Sequence[str], name: str) -> Figure:
    clouds: list[Cloud] = []
    for condition in among:
        one, two = (source.sample(result, wanted, condition) for wanted in (first, second))
        if one is not None and two is not None and len(one.values) == len(two.values):
            clouds.append(Cloud(condition, one.values, two.values, one.replicates))
    x_title, y_title = quantity_words(first), quantity_words(second)
    everything = [np.isfinite(cloud.x) & np.isfinite(cloud.y) for cloud in clouds]
    drawn = sum(int(each.sum()) for each in everything)
    total = sum(len(cloud.x) for cloud in clouds)
    subtitle = f"{capital(y_title)} against {x_title}; one dot per run, colour and marker by condition"
    if not drawn:
        return Figure(
            name, f"{capital(y_title)} against {x_title}", subtitle, missing="No run has both values."
        )
    if drawn < total:
        subtitle += f"; {total - drawn} of {total} runs lie at infinity and are not drawn"
    looks = source.looks(result)
    x, y = (np.concatenate([getattr(cloud, side) for cloud in clouds]) for side in ("x", "y"))
    known = ~(np.isnan(x) | np.isnan(y))
    found = float(tau(x[known][None], y[known][None])[0]) if known.sum() > 1 else float("nan")
    said = f"Kendall's τ {number(found, 2, typographic=True)} over {int(known.sum())} runs"
    return Figure(
        name,
        f"{capital(y_title)} and {x_title}: {said}",
        subtitle,
        draw=lambda size, tables: scatter(
            clouds,
            looks,
            size,
            tables,
            x_title=x_title,
            y_title=y_title,
            x_scale=scale_of(first),
            y_scale=scale_of(second),
        ),
    )


def _within_runs(result: ResultView, first: Any, second: Any, among: Sequence[str], name: str) -> Figure:
    """Rank correlations over epochs, one per run: with a second series, or with the epoch itself."""
    rows: list[Row] = []
    for condition in among:
        one = source.series(result, first.trace, condition)
        if one is None:
            continue
        left, at = one.values, one.epochs
        if second is None:
            right = np.broadcast_to(at.astype(float), left.shape)
        else:
            two = source.series(result, second.trace, condition)
            if two is None or len(two.values) != len(left):
                continue
            common = np.intersect1d(at, two.epochs)
            left = left[:, np.searchsorted(at, common)]
            right = two.values[:, np.searchsorted(two.epochs, common)]
        rows.append(
            Row(condition, tau_within(np.asarray(left, float), np.asarray(right, float)), one.replicates)
        )
    other = "epoch" if second is None else trace_name(second.trace)
    what = f"Kendall's τ of {trace_name(first.trace)} and {other}"
    subtitle = f"over the recorded epochs; −1: always opposite, 1: always together; {_DOTS}"
    if not any(np.isfinite(row.values).any() for row in rows):
        return Figure(name, capital(what), subtitle, missing="No run recorded enough epochs of both.")
    looks = source.looks(result)
    return Figure(
        name,
        findings.valued(rows, what),
        subtitle,
        draw=lambda size, tables: strips(rows, looks, size, tables, title=what, log=False, reference=0.0),
    )


def slug(text: str) -> str:
    """A text as part of a file name or an anchor.

    Example:
        >>> slug("less(loss, deep, than=shallow)")
        'less-loss-deep-than-shallow'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "claim"
