"""The small figures of claims about two quantities together: clouds of dots, and rank correlations within runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.judge.correlation import tau, tau_within
from gradlab.report import findings, measured, source
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.scatter import Cloud, scatter
from gradlab.report.figures.strips import Row, strips
from gradlab.report.numbers import number
from gradlab.report.scales import scale_of
from gradlab.report.view import ResultView
from gradlab.report.words import capital, quantity_words, trace_name
from gradlab.study.instruments.spoken import AXES

__all__ = ["cloud", "correlated", "within"]

Floats = NDArray[np.float64]


def correlated(result: ResultView, test: Any, among: Sequence[str], name: str) -> Figure:
    """The figure of a claim that two quantities go together.

    Args:
        result: The result.
        test: The claim's test.
        among: The conditions, or groups of pairs or sets, that it speaks of.
        name: What the file is called.

    Returns:
        The figure.
    """
    if test.over == "epochs":
        return within(result, test.first, test.second, among, name)
    return cloud(result, test.first, test.second, among, name)


def cloud(
    result: ResultView, first: Any, second: Any, among: Sequence[str], name: str, *, word: str = ""
) -> Figure:
    """Two quantities of the same runs (pairs, sets) against each other.

    Args:
        result: The result.
        first: The quantity on the horizontal axis.
        second: The quantity on the vertical axis.
        among: The conditions or groups.
        name: What the file is called.
        word: "more" or "less" where the claim compares the two; their correlation is told otherwise.

    Returns:
        The figure.
    """
    one, several = measured.unit_words([first, second])
    clouds = [found for each in among if (found := _cloud(result, first, second, each)) is not None]
    x_title, y_title = quantity_words(first), quantity_words(second)
    everything = [np.isfinite(cloud.x) & np.isfinite(cloud.y) for cloud in clouds]
    drawn = sum(int(each.sum()) for each in everything)
    total = sum(len(cloud.x) for cloud in clouds)
    marks = "colour and marker by condition" if len(among) > 1 else "of one condition"
    subtitle = f"{capital(y_title)} against {x_title}; one dot per {one}, {marks}"
    if not drawn:
        return Figure(
            name, f"{capital(y_title)} against {x_title}", subtitle, missing=f"No {one} has both values."
        )
    x, y = (np.concatenate([getattr(cloud, side) for cloud in clouds]) for side in ("x", "y"))
    undefined = int((np.isnan(x) | np.isnan(y)).sum())
    if drawn + undefined < total:
        subtitle += f"; {total - drawn - undefined} of {total} {several} lie at infinity and are not drawn"
    if undefined:
        subtitle += f"; {undefined} of {total} {several} have not both values"
    looks = source.looks(result)
    known = ~(np.isnan(x) | np.isnan(y))
    found = float(tau(x[known][None], y[known][None])[0]) if known.sum() > 1 else float("nan")
    said = f"Kendall's τ {number(found, 2, typographic=True)} over {int(known.sum())} {several}"
    title = f"{capital(y_title)} and {x_title}: {said}"
    if word:
        hits = int(((x > y) if word == "more" else (x < y))[known].sum())
        degree = "higher" if word == "more" else "lower"
        title = f"{capital(x_title)} is {degree} than {y_title} in {hits} of {int(known.sum())} {several}"
    return Figure(
        name,
        title,
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


def _cloud(result: ResultView, first: Any, second: Any, condition: str) -> Cloud | None:
    """The runs of which both quantities are known: not all that were trained need have been measured."""
    one, two = (source.sample(result, wanted, condition) for wanted in (first, second))
    if one is None or two is None:
        return None
    shared, left, right = np.intersect1d(
        np.asarray(one.replicates), np.asarray(two.replicates), return_indices=True
    )
    return Cloud(condition, np.asarray(one.values)[left], np.asarray(two.values)[right], shared)


def _series(result: ResultView, wanted: Any, name: str) -> tuple[Floats, Floats, Any] | None:
    """Places, values and units of a series over epochs, or over an instrument's own axis inside its window."""
    if wanted.axis == "epoch":
        over = source.series(result, wanted.trace, name)
        return None if over is None else (np.asarray(over.epochs, float), over.values, over.replicates)
    found = measured.along(result, wanted.trace, name)
    if found is None:
        return None
    low, high = wanted.window or (None, None)
    kept = (found.places >= (-np.inf if low is None else low)) & (
        found.places <= (np.inf if high is None else high)
    )
    return found.places[kept], found.values[:, kept], found.units


def within(result: ResultView, first: Any, second: Any, among: Sequence[str], name: str) -> Figure:
    """Rank correlations within runs (pairs, sets): with a second series, or with the place on the axis itself."""
    rows: list[Row] = []
    for each in among:
        one = _series(result, first, each)
        if one is None:
            continue
        at, left, units = one
        right = np.broadcast_to(at, left.shape)
        if second is not None:
            two = _series(result, second, each)
            if two is None or len(two[1]) != len(left):
                continue
            common = np.intersect1d(at, two[0])
            left = left[:, np.searchsorted(at, common)]
            right = two[1][:, np.searchsorted(two[0], common)]
        rows.append(Row(each, tau_within(np.asarray(left, float), np.asarray(right, float)), units))
    axis = AXES.get(first.axis, first.axis)
    what = f"Kendall's τ of {quantity_words(first) if first.window else trace_name(first.trace)} and "
    what += axis if second is None else trace_name(second.trace)
    places = "recorded epochs" if first.axis == "epoch" else f"places on {axis}"
    subtitle = f"over the {places}; −1: always opposite, 1: always together; {measured.dots([first])}"
    if not any(np.isfinite(row.values).any() for row in rows):
        one = measured.unit_words([first])[0]
        missing = f"No {one} recorded enough epochs of both."
        if first.axis != "epoch":
            missing = f"No {one} was measured at enough places."
        return Figure(name, capital(what), subtitle, missing=missing)
    looks = source.looks(result)
    return Figure(
        name,
        findings.valued(rows, what),
        subtitle,
        draw=lambda size, tables: strips(rows, looks, size, tables, title=what, log=False, reference=0.0),
    )
