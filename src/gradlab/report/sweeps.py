"""Figures of studies that go through many sizes of network: sizes on the axis, data sets told apart by stroke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradlab.report import findings, source
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.sizes import Point, Series, sizes
from gradlab.report.numbers import plural
from gradlab.report.scales import Scale, scale_of
from gradlab.report.view import ResultView
from gradlab.report.words import (
    axis_name,
    capital,
    loss_of,
    quantity,
    quantity_words,
    split_words,
    trace_name,
)

__all__ = ["size_of_claim", "size_thumbnail", "sweep_figures"]

_INTERVALS = 6
"""So many runs a network or more have an interval of the median."""


def sweep_figures(result: ResultView) -> list[Figure]:
    """One figure for each recorded quantity: how it ends, against the number of parameters."""
    names = dict.fromkeys(trace.partition(".")[0] for trace in source.traces(result))
    return [
        _figure(result, name)
        for name in names
        if quantity(source.solid(result, name)).known.shape == "series"
    ]


def size_of_claim(result: ResultView, wanted: Any, name: str) -> Figure | None:
    """The figure of a claim that goes along the sizes: what it looks at, and nothing else."""
    found = _series(result, {wanted.trace: str(wanted)})
    if not found:
        return None
    what, scale = quantity_words(wanted), scale_of(wanted)
    return _drawn(result, name, found, what, what, scale, labelled=False)


def size_thumbnail(result: ResultView, name: str) -> Figure | None:
    """The main figure without words, for overviews."""
    of = "accuracy" if _mentions(result, "accuracy") > _mentions(result, "loss") else "loss"
    found = _series(result, _wanted(result, of))
    if not found:
        return None
    scale = scale_of(found[0][0])
    shown = [series for _, series in found]
    return Figure(
        name,
        _title(found, trace_name(of), scale),
        "",
        draw=lambda size, tables: sizes(
            shown, size, tables, title="", height=130, scale=scale, labelled=False
        ),
    )


def _mentions(result: ResultView, name: str) -> int:
    return sum(q.name == name for verdict in result.verdicts for q in verdict.claim.test.quantities())


def _wanted(result: ResultView, name: str) -> dict[str, str]:
    """The recorded series of a quantity that share an axis, with the value that is drawn of each: the final one."""
    traces = [source.solid(result, name), *source.companions(result, name)]
    return {trace: trace for trace in traces if trace in source.traces(result)}


def _series(result: ResultView, wanted: Mapping[str, str]) -> list[tuple[str, Series]]:
    """(trace, series), each over the networks from the smallest on."""
    order = sorted(source.sweep(result).items(), key=lambda item: item[1])
    found: list[tuple[str, Series]] = []
    for trace, value in wanted.items():
        points: list[Point] = []
        for condition, parameters in order:
            sample = source.sample(result, value, condition)
            if sample is not None and np.isfinite(sample.values).any():
                told = source.published(result, value, condition)
                points.append(
                    Point(condition, parameters, np.asarray(sample.values, float), told[0] if told else None)
                )
        if points:
            found.append((trace, Series(split_words(trace), points)))
    return found


def _figure(result: ResultView, name: str) -> Figure:
    found = _series(result, _wanted(result, name))
    what = trace_name(name) if len(found) < 2 else name.replace("_", " ")
    if not found:
        return Figure(
            f"{name}-sizes", capital(what), "", missing=f"No {what} to draw: no run has been stored."
        )
    scale = scale_of(found[0][0])
    axis = axis_name(name, loss_of(result)) if len(found) < 2 else axis_name(name, loss_of(result), whose="")
    return _drawn(result, f"{name.replace('_', '-')}-sizes", found, what, axis, scale)


def _drawn(
    result: ResultView,
    name: str,
    found: Sequence[tuple[str, Series]],
    what: str,
    axis: str,
    scale: Scale,
    *,
    labelled: bool = True,
) -> Figure:
    shown = [series for _, series in found]
    several = len(shown) > 1
    return Figure(
        name,
        _title(found, what, scale),
        _subtitle(result, shown),
        draw=lambda size, tables: sizes(
            shown,
            size,
            tables,
            title=axis,
            height=300 if size.name == "wide" else 230,
            scale=scale,
            labelled=labelled and several,
        ),
    )


def _title(found: Sequence[tuple[str, Series]], what: str, scale: Scale) -> str:
    """The medians of the smallest and the largest network; of training and test if there are more series."""
    named = [(trace, series) for trace, series in found if trace.partition(".")[2] in {"", "test"}]
    told = [series for _, series in (named or found)][:2]
    counts = [point.parameters for point in told[0].points]
    medians = {
        series.name if len(told) > 1 else "": [point.middle for point in series.points] for series in told
    }
    return findings.sized(counts, medians, what, scale.write)


def _subtitle(result: ResultView, shown: Sequence[Series]) -> str:
    runs = max(len(point.values) for series in shown for point in series.points)
    networks = max(len(series.points) for series in shown)
    said = [
        f"Median over {plural(runs, 'run')} of each of {plural(networks, 'network')}, after the last epoch"
        if runs > 1
        else f"One run of each of {plural(networks, 'network')}, after the last epoch"
    ]
    if runs > 1:
        said.append("dots: single runs")
    if runs >= _INTERVALS:
        said.append("bar: 95 % interval of the median")
    if any(point.published is not None for series in shown for point in series.points):
        said.append("diamond: published value, outlined in the colour of its line")
    return "; ".join(said)
