"""A quantity against the number of parameters: one place on the axis a network, a stroke and a marker a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Axis, Node, Size, spread, value_axis
from gradlab.report.figures.lines import SINGLE_RUNS, label_texts
from gradlab.report.frame import HOVER, Tables, colour, field, layered, shape
from gradlab.report.numbers import count, interval
from gradlab.report.palette import INK, Style, styles
from gradlab.report.scales import PLAIN, Scale
from gradlab.report.summary import median, median_interval

__all__ = ["Point", "Series", "sizes"]

_STROKES = ([1, 0], [6, 4], [1.5, 3], [9, 3, 2, 3])
_SPREAD = 5.0
"""How far apart the dots of single runs stand, at most, in pixels from their place."""


@dataclass(frozen=True)
class Point:
    """The runs of one network.

    Attributes:
        condition: Its name.
        parameters: How large it is.
        values: One value a run; what is not finite is left out of the drawing.
        published: A published value.
    """

    condition: str
    parameters: int
    values: NDArray[np.float64]
    published: float | None = None

    @property
    def middle(self) -> float:
        """The median over runs."""
        return median(self.values)


@dataclass(frozen=True)
class Series:
    """One way to measure a quantity, such as on the test set, over all networks, the smallest first."""

    name: str
    points: Sequence[Point]


def sizes(
    shown: Sequence[Series],
    size: Size,
    tables: Tables,
    *,
    title: str,
    height: int,
    scale: Scale = PLAIN,
    labelled: bool = True,
) -> Node:
    """Medians over runs against parameter counts, with intervals, single runs and published values.

    Args:
        shown: The series; the first is drawn solid with filled markers, the others dashed with hollow ones.
        size: The size.
        tables: Takes the rows.
        title: The quantity and its unit.
        height: Height of the plot.
        scale: How values are written, and on which axis they lie.
        labelled: Whether names stand at the ends of lines.

    Returns:
        A Vega-Lite view.
    """
    thumb = size.name == "thumb"
    known = styles([series.name for series in shown])
    everything = [point for series in shown for point in series.points]
    values = np.concatenate([point.values for point in everything])
    told = [point.published for point in everything if point.published is not None]
    values = np.append(values[np.isfinite(values)], told)
    y_axis = value_axis(values, title, log=scale.log, tick=scale.tick, ends=scale.ends)
    x_axis = _counts([point.parameters for point in everything], size)
    width = size.width - 8 if thumb else size.plot if labelled else size.full
    x, y = x_axis.encode("parameters", "x", size), y_axis.encode("value", "y", size)
    shade, dark = colour(known), colour(known, label=True)
    dashes = field("condition") | {"legend": None, "scale": {"domain": list(known), "range": list(_STROKES)}}
    layers: list[Node] = []
    if not thumb:
        dot = {"filled": True, "size": 11, "opacity": 0.35}
        layers.append(tables(_runs(shown, x_axis, width), "circle", dot, x=x, y=y, color=shade))
        bar = {"strokeWidth": 2.5, "opacity": 0.4, "strokeCap": "round"}
        layers.append(
            tables(_bars(shown, x_axis, width), "rule", bar, x=x, y=y, y2={"field": "high"}, color=shade)
        )
    stroke = {"strokeWidth": 1.5 if thumb else 2, "strokeJoin": "round"}
    middles = _middles(shown, scale)
    layers.append(tables(middles, "line", stroke, x=x, y=y, color=shade, strokeDash=dashes))
    if not thumb:
        filled = {"filled": True, "size": 52, "opacity": 1}
        hollow = {"fill": INK.paper[0], "size": 46, "strokeWidth": 1.8, "opacity": 1}
        for place, series in reversed(list(enumerate(shown))):
            rows = [row for row in middles if row["condition"] == series.name]
            look = hollow if place else filled
            layers.append(
                tables(
                    rows, "point", look, x=x, y=y, color=shade, shape=shape(known), description=field("text")
                )
            )
        diamond = {"shape": "diamond", "size": 80, "fillOpacity": 0, "strokeWidth": 1.5, "opacity": 1}
        published = _published(shown, scale)
        if published:
            layers.append(
                tables(published, "point", diamond, x=x, y=y, color=dark, description=field("text"))
            )
    if labelled and not thumb:
        layers += _labels(shown, known, size, tables, y, y_axis, scale, width=width, height=height)
    return layered(layers, width, height)


def _counts(parameters: Sequence[int], size: Size) -> Axis:
    """A logarithmic axis of parameter counts, ticks written in thousands and millions."""
    low, high = np.log10(min(parameters)), np.log10(max(parameters))
    room = max(0.06 * (high - low), 0.03)
    bottom, top = low - room, high + room
    decades = range(int(np.floor(bottom)), int(np.ceil(top)) + 1)
    found: list[float] = []
    for pattern in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [m * 10.0**k for k in decades for m in pattern if bottom <= np.log10(m * 10.0**k) <= top]
        if len(found) <= (8 if size.name == "wide" else 4):
            break
    names = tuple(_short(tick) for tick in found)
    return Axis(10**bottom, 10**top, True, tuple(found), names, "parameters")


def _short(value: float) -> str:
    """A round count: 500, 20 k, 2 M."""
    for unit, letter in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def _runs(shown: Sequence[Series], axis: Axis, width: float) -> list[dict[str, object]]:
    """Single runs, the series side by side so that they do not hide each other."""
    rows: list[dict[str, object]] = []
    for place, series in enumerate(shown):
        for point in series.points:
            if len(point.values) > SINGLE_RUNS or len(point.values) < 2:
                continue
            at = _beside(point, place, len(shown), axis, width)
            finite = point.values[np.isfinite(point.values)].tolist()
            rows.extend({"parameters": at, "value": value, "condition": series.name} for value in finite)
    return rows


def _beside(point: Point, place: int, many: int, axis: Axis, width: float) -> float:
    """Where the runs of the series at `place` of `many` stand: beside those of the others."""
    aside = (place - (many - 1) / 2) * 2 * _SPREAD / max(many, 1)
    return axis.at(float(axis.place(point.parameters, width)) + aside, width)


def _bars(shown: Sequence[Series], axis: Axis, width: float) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for place, series in enumerate(shown):
        for point in series.points:
            found = median_interval(point.values)
            if found and np.isfinite(found).all():
                rows.append({
                    "parameters": _beside(point, place, len(shown), axis, width),
                    "value": found[0],
                    "high": found[1],
                    "condition": series.name,
                })
    return rows


def _middles(shown: Sequence[Series], scale: Scale) -> list[dict[str, object]]:
    return [
        {
            "parameters": point.parameters,
            "value": point.middle,
            "condition": series.name,
            "text": f"{HOVER}{point.condition} ({count(point.parameters)} parameters), {series.name}: "
            f"{scale.table(point.middle)} {interval(median_interval(point.values), write=scale.table)}".rstrip(),
        }
        for series in shown
        for point in series.points
        if np.isfinite(point.middle)
    ]


def _published(shown: Sequence[Series], scale: Scale) -> list[dict[str, object]]:
    return [
        {
            "parameters": point.parameters,
            "value": point.published,
            "condition": series.name,
            "text": f"{HOVER}published, {point.condition}, {series.name}: {scale.table(point.published)}",
        }
        for series in shown
        for point in series.points
        if point.published is not None
    ]


def _labels(
    shown: Sequence[Series],
    known: dict[str, Style],
    size: Size,
    tables: Tables,
    y: Node,
    axis: Axis,
    scale: Scale,
    *,
    width: float,
    height: float,
) -> list[Node]:
    """Names at the ends of lines, moved apart where they would touch."""
    ends = [
        (series.name, last.middle)
        for series in shown
        for last in series.points[-1:]
        if np.isfinite(last.middle)
    ]
    if not ends or len(ends) != len({name for name, _ in ends}):
        return []
    gap = size.type + 4
    places = spread([float(axis.place(value, height)) for _, value in ends], gap, gap / 2, height - gap / 2)
    said = label_texts(ends, size.label - 4, size, scale)
    rows = [
        {"condition": name, "value": axis.at(place, height), "text": text}
        for (name, _), place, text in zip(ends, places, said, strict=True)
    ]
    text = {"align": "left", "baseline": "middle", "fontSize": size.type, "fontWeight": 600}
    return [
        tables(
            rows,
            "text",
            text,
            x={"value": width + 6},
            y=y,
            text=field("text"),
            color=colour(known, label=True),
        )
    ]
