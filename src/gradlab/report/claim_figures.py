"""The small figures beside a claim: what its test compares, one dot per run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradlab.report import findings, measured, source
from gradlab.report.claim_pairs import cloud, correlated, within
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.shares import Proportion, shares
from gradlab.report.figures.strips import Row, strips
from gradlab.report.numbers import number, plural
from gradlab.report.scales import scale_of
from gradlab.report.sweeps import size_of_claim
from gradlab.report.view import ResultView
from gradlab.report.words import capital, event_words, quantity_words
from gradlab.study.quantity import GrammarError, Quantity
from gradlab.study.select import pairs, select

__all__ = ["budgeted", "claim_figures", "slug"]

_MOST = 2


def claim_figures(result: ResultView, claim: Any, name: str) -> list[Figure]:
    """Figures for a claim, at most two; none for facts and for what cannot be tested.

    Args:
        result: The result.
        claim: A `study.claims.Claim`.
        name: What the files are called.

    Returns:
        The figures, those that have nothing to draw included.
    """
    found: list[Figure] = []
    compared: set[str] = set()
    leaves = list(claim.test.leaves())
    for leaf in leaves:
        here = f"{name}-{len(found) + 1}" if found else name
        grid = measured.grid(result, leaf.quantities())
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
            return correlated(result, test, select(test.of, grid).names, name)
        case "trend" if test.along in {"epoch", test.quantity.axis}:
            return within(result, test.quantity, None, select(test.a, grid).names, name)
        case "peaks" if test.along == test.quantity.axis:
            return None  # the figure of the instrument shows the whole curve
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
        return cloud(result, test.quantity, second, among, name, word=str(test.word))
    return _strip(result, test.quantity, among, name, reference=float(test.than))


def _strip(
    result: ResultView, wanted: Any, among: Sequence[str], name: str, reference: float | None = None
) -> Figure:
    rows = source.rows(result, wanted, among)
    what = quantity_words(wanted)
    if not any(np.isfinite(row.values).any() for row in rows):
        return Figure(name, capital(what), measured.dots([wanted]), missing=_why(rows, what, wanted))
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
    if not wanted.instrument and wanted.known.shape == "series" and not wanted.reducer and wanted.at is None:
        notes.append("final: geometric mean over the last 1 % of the epochs")
    if any(row.published for row in rows):
        notes.append("diamond: published value")
    if reference is not None:
        notes.append(f"dashed: {scale.write(reference)}, named in the claim")
    undefined = sum(int(np.isnan(row.values).sum()) for row in rows)
    if undefined:
        many = plural(undefined, *measured.unit_words([wanted]))
        notes.append(
            f"{many} {'has' if undefined == 1 else 'have'} no value and {'is' if undefined == 1 else 'are'} not drawn"
        )
    return Figure(
        name,
        findings.valued(rows, what, scale.write),
        "; ".join([measured.dots([wanted]), *notes]),
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


def _why(rows: Sequence[Row], what: str, wanted: Quantity) -> str:
    one, several = measured.unit_words([wanted])
    if not rows:
        return f"No {one} has a {what}: nothing was stored for these conditions."
    runs = sum(len(row.values) for row in rows)
    infinite = sum(int(np.isinf(row.values).sum()) for row in rows)
    if infinite == runs:
        return f"No value to draw: none of {runs} {several} got there ({what})."
    return f"No value to draw: {what} is not defined in any of {runs} {several}."


def _matches(result: ResultView, test: Any, grid: Mapping[str, Any], name: str) -> Figure:
    found = source.rows(result, test.quantity, select(test.a, grid).names)
    rows = [
        Row(row.condition, row.values, row.replicates, (float(test.value), "in the claim")) for row in found
    ]
    what = quantity_words(test.quantity)
    if not any(np.isfinite(row.values).any() for row in rows):
        dots = measured.dots([test.quantity])
        return Figure(name, capital(what), dots, missing=_why(rows, what, test.quantity))
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
    several = measured.unit_words([test.event.quantity])[1]
    subtitle = f"share of {several} with exact 95 % interval (Clopper-Pearson)"
    reference = test.at_least if test.at_least is not None else test.at_most
    if reference is not None:
        subtitle += f"; dashed: {number(100 * reference)} %, named in the claim"
    if not any(row.total for row in rows):
        return Figure(
            name,
            capital(what),
            subtitle,
            missing=f"None of the {several} has the value that this share counts.",
        )
    looks = source.looks(result)
    title = findings.counted(rows, what, several)
    return Figure(
        name,
        title,
        subtitle,
        draw=lambda size, tables: shares(
            rows, looks, size, tables, title=f"share of {several}: {what}", reference=reference
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


def slug(text: str) -> str:
    """A text as part of a file name or an anchor.

    Example:
        >>> slug("less(loss, deep, than=shallow)")
        'less-loss-deep-than-shallow'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "claim"
