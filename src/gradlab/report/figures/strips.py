"""One dot per run, a row per condition: the values that a claim compares, with median and interval.

Runs that never got there stand in a lane of their own at the right edge; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Axis, Node, Size, epoch_axis, value_axis
from gradlab.report.frame import HOVER, Tables, colour, field, layered, pixels, shape
from gradlab.report.numbers import interval
from gradlab.report.palette import INK, Style
from gradlab.report.scales import PLAIN, Scale
from gradlab.report.summary import median, median_interval

__all__ = ["Row", "strips"]

ROW, DOTS = 58, 37
"""Height of a row, and where its dots are, in pixels."""
_Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """The runs of one condition.

    Attributes:
        condition: Its name.
        values: One value per run; infinite for never reached or diverged, NaN for not defined.
        replicates: Replicate numbers, for hover.
        published: A published value and where it stands.
    """

    condition: str
    values: NDArray[np.float64]
    replicates: NDArray[np.int64]
    published: tuple[float, str] | None = None

    def summary(self, letters: int, scale: Scale = PLAIN) -> str:
        """Median, interval and n, as much of it as fits into so many letters."""
        defined = self.values[~np.isnan(self.values)]
        if not len(defined):
            return "no value in any run"
        said = scale.write(median(defined))
        bounds = interval(median_interval(defined), write=scale.write)
        short = f"{said} {bounds}".rstrip()
        longest = (f"median {short}, n = {len(defined)}", f"median {short}", short, said)
        return next((text for text in longest if len(text) <= letters), said)


def strips(
    rows: Sequence[Row],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    title: str,
    scale: Scale = PLAIN,
    epochs: bool = False,
    lane: str = "never",
    log: bool | None = None,
    reference: float | None = None,
) -> Node:
    """A row of dots per condition.

    Args:
        rows: The conditions, from the top.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.
        title: The quantity and its unit.
        scale: How values are written, and on which axis they lie.
        epochs: Whether values are epochs, which are whole numbers.
        lane: What an infinite value means.
        log: Whether the axis is logarithmic; by default, the scale or the span decides.
        reference: A value that the claim names, drawn as a dashed line.

    Returns:
        A Vega-Lite view.
    """
    width = size.width - 16
    height = ROW * len(rows) + 4
    finite = np.concatenate([row.values[np.isfinite(row.values)] for row in rows] or [np.empty(0)])
    extra = [row.published[0] for row in rows if row.published] + (
        [reference] if reference is not None else []
    )
    lost = any(np.isinf(row.values).any() for row in rows)
    lane_width = 56.0 if lost else 0.0
    inner = width - lane_width
    axis = _axis(
        np.concatenate([finite, np.array(extra, dtype=float)]), title, size, scale, epochs=epochs, log=log
    )
    # The scale reaches past the last value so that the lane is part of the same axis, beyond a dotted line.
    far = axis.at(width, inner) if lost else axis.high
    lane_at = axis.at(inner + lane_width * 0.55, inner)
    whole = Axis(axis.low, far, axis.log, axis.ticks, axis.names, title)
    if lost:
        # Ticks that would touch the name of the lane go.
        free = [
            (tick, name)
            for tick, name in zip(axis.ticks, axis.names, strict=True)
            if axis.place(tick, inner) < inner + lane_width * 0.55 - 62
        ]
        ticks, names = [*(tick for tick, _ in free), lane_at], [*(name for _, name in free), lane]
        whole = Axis(axis.low, far, axis.log, tuple(ticks), tuple(names), title)
    x = whole.encode("value", "x", size, grid=False)
    known = {row.condition: styles[row.condition] for row in rows}
    shade = colour(known)
    y = pixels("y", height)
    places = [(ROW * index, row) for index, row in enumerate(rows)]
    text = {"baseline": "middle", "fontSize": size.type}
    layers: list[Node] = []
    if lost:
        lane_line = [{"value": axis.high, "y": top + 24, "to": top + 52} for top, _ in places]
        layers.append(
            tables(
                lane_line, "rule", {"strokeDash": [2, 3], "color": INK.rule[0]}, x=x, y=y, y2={"field": "to"}
            )
        )
    if reference is not None:
        said = f"{HOVER}named in the claim: {scale.table(reference)}"
        line = [{"value": reference, "y": top + 22, "to": top + 54, "text": said} for top, _ in places]
        look = {"strokeDash": [5, 4], "color": INK.soft[0]}
        layers.append(tables(line, "rule", look, x=x, y=y, y2={"field": "to"}, description=field("text")))
    headings = [
        {"y": top + 13, "condition": row.condition, "text": f"{styles[row.condition].symbol} {row.condition}"}
        for top, row in places
    ]
    summaries = [
        {"y": top + 13, "text": row.summary(_letters(row, width, size), scale)} for top, row in places
    ]
    dots = [
        {**dot, "condition": row.condition}
        for top, row in places
        for dot in _dots(row, top + DOTS, axis, inner, lane_at, scale)
    ]
    many = max((len(row.values) for row in rows), default=0)
    dot = {"filled": True, "size": 34 if many <= 40 else 14, "opacity": 0.62}
    bar = {"strokeWidth": 9, "opacity": 0.22, "strokeCap": "round"}
    tick = {"thickness": 2.6, "size": 26, "opacity": 1}
    dark = colour(known, label=True)
    layers += [
        tables(
            headings,
            "text",
            text | {"align": "left", "fontWeight": 600},
            x={"value": 0},
            y=y,
            text=field("text"),
            color=dark,
        ),
        tables(
            summaries,
            "text",
            text | {"align": "right", "color": INK.soft[0]},
            x={"value": width},
            y=y,
            text=field("text"),
        ),
        tables(_bars(rows, axis), "rule", bar, x=x, x2={"field": "high"}, y=y, color=shade),
        tables(dots, "point", dot, x=x, y=y, color=shade, shape=shape(known), description=field("text")),
        tables(_medians(rows, lane_at), "tick", tick, x=x, y=y, color=dark),
    ]
    marks = [
        {
            "value": row.published[0],
            "y": top + DOTS,
            "condition": row.condition,
            "text": f"{HOVER}{_published(*row.published, scale)}",
        }
        for top, row in places
        if row.published
    ]
    if marks:
        diamond = {"shape": "diamond", "size": 110, "fill": INK.paper[0], "strokeWidth": 1.8, "opacity": 1}
        layers.append(tables(marks, "point", diamond, x=x, y=y, color=shade, description=field("text")))
    return layered(layers, width, height)


def _letters(row: Row, width: float, size: Size) -> int:
    """How many letters the summary may have beside the condition's name."""
    return int(width / (size.type * 0.6)) - int(1.15 * len(row.condition)) - 4


def _published(value: float, note: str, scale: Scale) -> str:
    return f"published: {scale.table(value)}" + (f" ({note})" if note else "")


def _axis(
    values: NDArray[np.float64], title: str, size: Size, scale: Scale, *, epochs: bool, log: bool | None
) -> Axis:
    positive = values[values > 0] if len(values) else values
    if epochs and len(positive):
        low, high = float(positive.min()), float(positive.max())
        if high > 5 * low:
            return epoch_axis(int(high * 1.15), size, title=title, first=max(1.0, low / 1.3))
    return value_axis(values, title, log=scale.log if log is None else log, tick=scale.tick, ends=scale.ends)


def _dots(row: Row, middle: float, axis: Axis, width: float, lane_at: float, scale: Scale) -> _Rows:
    """Dots with small vertical steps where they would cover each other."""
    places: list[tuple[float, float, float, int]] = []
    radius = 6.4 if len(row.values) <= 40 else 4.2
    shown = [(float(v), int(r)) for v, r in zip(row.values, row.replicates, strict=True) if not np.isnan(v)]
    taken: list[tuple[float, float]] = []
    lane_pixels = float(axis.place(lane_at, width))
    for value, replicate in sorted(shown):
        x = lane_pixels if np.isinf(value) else float(axis.place(value, width))
        offset = _free(x, taken, radius)
        taken.append((x, offset))
        places.append((value, offset, x, replicate))
    return [
        {
            "value": lane_at if np.isinf(value) else value,
            "y": middle + offset,
            "text": f"{HOVER}{row.condition}, replicate {replicate}: {scale.table(value)}",
        }
        for value, offset, _, replicate in places
    ]


def _free(x: float, taken: Sequence[tuple[float, float]], radius: float) -> float:
    """The smallest step up or down at which a dot at `x` touches none before it."""
    near = [(a, b) for a, b in taken[-40:] if abs(a - x) < radius]
    steps = [0.0] + [sign * k * radius * 0.5 for k in range(1, 5) for sign in (1.0, -1.0)]
    for step in steps:
        if all((a - x) ** 2 + (b - step) ** 2 >= radius**2 * 0.9 for a, b in near):
            return step
    return steps[len(taken) % len(steps)]


def _bars(rows: Sequence[Row], axis: Axis) -> _Rows:
    bars: _Rows = []
    for index, row in enumerate(rows):
        found = median_interval(row.values)
        if found and np.isfinite(found[0]):
            low, high = (float(np.clip(bound, axis.low, axis.high)) for bound in found)
            bars.append({"value": low, "high": high, "y": ROW * index + DOTS, "condition": row.condition})
    return bars


def _medians(rows: Sequence[Row], lane_at: float) -> _Rows:
    found = [(index, row.condition, median(row.values)) for index, row in enumerate(rows)]
    return [
        {"value": lane_at if np.isinf(value) else value, "y": ROW * index + DOTS, "condition": name}
        for index, name, value in found
        if not np.isnan(value)
    ]
