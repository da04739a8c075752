"""Shares against the loss, one dot a run, small panels on common axes; and the shares of classes as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.figures.panels import arranged, headed, width_of
from gradlab.report.frame import HOVER, Tables, colour, field, layered, pixels, shape
from gradlab.report.numbers import count, number, percent, share
from gradlab.report.palette import INK, Style
from gradlab.report.scales import scale_of

__all__ = ["Bar", "Dots", "bars", "dotted"]

Floats = NDArray[np.float64]
_ROW = 54


@dataclass(frozen=True)
class Dots:
    """One panel: the runs of one or several conditions under one definition.

    Attributes:
        name: What stands over the panel.
        x: One number a run, [n].
        y: A share of each run, [n].
        looks: The key of each run's style, [n].
        said: What each run is called, [n].
    """

    name: str
    x: Floats
    y: Floats
    looks: Sequence[str]
    said: Sequence[str]

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Which runs have both values."""
        return np.isfinite(self.x) & np.isfinite(self.y)


@dataclass(frozen=True)
class Bar:
    """How many runs of a condition are of each class."""

    condition: str
    counts: Mapping[str, int]


def dotted(
    shown: Sequence[Dots],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    x_title: str,
    y_title: str,
    keyed: bool = False,
) -> Node:
    """The panels, on common axes.

    Args:
        shown: The panels.
        styles: The style of each key.
        size: The size.
        tables: Takes the rows.
        x_title: What is on the horizontal axis.
        y_title: What is on the vertical axis.
        keyed: Whether a key of the styles stands on top.

    Returns:
        A Vega-Lite view.
    """
    columns = min(len(shown), 4 if size.name == "wide" else 1)
    width = width_of(size, columns)
    height = 190 if size.name == "wide" else 150
    scale = scale_of("minimal_ratio.inertia")
    x = value_axis(np.concatenate([each.x[each.drawn] for each in shown]), x_title)
    if columns > 2:
        x = _thinned(x, most=3)
    y = Axis(-0.03, 1.03, False, (0.0, 0.5, 1.0), ("0 %", "50 %", "100 %"), y_title)
    across, up = x.encode("x", "x", size, grid=True), y.encode("y", "y", size)
    panels: list[Node] = []
    for each in shown:
        rows = [
            {
                "x": float(a),
                "y": float(b),
                "condition": look,
                "text": f"{HOVER}{said}: {number(float(a))}, {scale.table(float(b))}",
            }
            for a, b, look, said, kept in zip(each.x, each.y, each.looks, each.said, each.drawn, strict=True)
            if kept
        ]
        known = {look: styles[look] for look in styles if look in set(each.looks)}
        dot = {"filled": True, "size": 30, "opacity": 0.6}
        layers = [
            tables(
                rows,
                "point",
                dot,
                x=across,
                y=up,
                color=colour(known),
                shape=shape(known),
                description=field("text"),
            )
        ]
        if not rows:
            text = {"align": "center", "fontSize": size.type, "color": INK.soft[0]}
            middle = {"x": {"value": width / 2}, "y": {"value": height / 2}}
            layers = [
                tables([{"x": None, "y": None}], "point", dot, x=across, y=up),
                tables([{"text": "no run has it"}], "text", text, text=field("text"), **middle),
            ]
        panels.append(headed(layered(layers, width, height), each.name, size))
    return _under_key(arranged(panels, columns), styles, size, tables) if keyed else arranged(panels, columns)


def _under_key(chart: Node, styles: Mapping[str, Style], size: Size, tables: Tables) -> Node:
    """The chart under the names of its styles, in their colours, in as many lines as they take."""
    rows: list[Node] = []
    x, line, height = 0.0, 0, size.type + 6
    for name, style in styles.items():
        text = f"{style.symbol} {name}"
        wide = (len(text) + 3) * size.type * 0.56
        if x and x + wide > size.full:
            x, line = 0.0, line + 1
        rows.append({"x": x, "y": line * height + size.type / 2, "text": text, "condition": name})
        x += wide
    whole = (line + 1) * height
    across = {"field": "x", "type": "quantitative", "axis": None}
    across |= {"scale": {"domain": [0, size.full], "nice": False, "zero": False}}
    look = {"align": "left", "baseline": "middle", "fontSize": size.type, "fontWeight": 600}
    layer = tables(
        rows,
        "text",
        look,
        x=across,
        y=pixels("y", whole),
        text=field("text"),
        color=colour(styles, label=True),
    )
    own = {"scale": {"color": "independent", "shape": "independent"}}
    return {"vconcat": [layered([layer], size.full, whole), chart], "spacing": 10, "resolve": own}


def _thinned(axis: Axis, most: int) -> Axis:
    """The same axis with fewer ticks."""
    step = -(-len(axis.ticks) // most)
    return Axis(axis.low, axis.high, axis.log, axis.ticks[::step], axis.names[::step], axis.title)


def bars(rows: Sequence[Bar], styles: Mapping[str, Style], size: Size, tables: Tables) -> Node:
    """One bar of 100 % a condition, cut into classes, with the counts under it.

    Args:
        rows: The conditions.
        styles: The style of each class, in the order in which they stand.
        size: The size.
        tables: Takes the rows.

    Returns:
        A Vega-Lite view.
    """
    width, height = size.width - 16, _ROW * len(rows) + 4
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    axis = Axis(0.0, 1.0, False, ticks, tuple(percent(tick) for tick in ticks), "share of the runs")
    x = axis.encode("value", "x", size, grid=False)
    names: list[Node] = []
    pieces: list[Node] = []
    for at, row in enumerate(rows):
        total, before = sum(row.counts.values()), 0
        names.append({"text": row.condition, "y": at * _ROW + 12})
        for name in styles:
            hits = row.counts.get(name, 0)
            if hits:
                pieces.append({
                    "value": before / total,
                    "to": (before + hits) / total,
                    "condition": name,
                    "text": f"{HOVER}{row.condition}: {name}, {share(hits, total)}",
                    "middle": (before + hits / 2) / total,
                    "said": count(hits) if hits / total * width > 22 else "",
                    "y": at * _ROW + 36,
                })
                before += hits
    y = pixels("y", height)
    known = {name: styles[name] for name in styles}
    block = {"height": 22, "opacity": 0.5, "stroke": INK.paper[0], "strokeWidth": 1.5}
    text = {"baseline": "middle", "fontSize": size.type, "fontWeight": 600}
    layers = [
        tables(
            names,
            "text",
            text | {"align": "left", "color": INK.text[0]},
            x={"value": 0},
            y=y,
            text=field("text"),
        ),
        tables(
            pieces, "bar", block, x=x, x2={"field": "to"}, y=y, color=colour(known), description=field("text")
        ),
        tables(
            pieces,
            "text",
            text | {"color": INK.text[0]},
            x=x | {"field": "middle"},
            y=y,
            text=field("said"),
        ),
    ]
    return _under_key(layered(layers, width, height), styles, size, tables)
