"""Proportions of runs with their exact 95 % intervals, a row per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradlab.report.axes import Axis, Node, Size
from gradlab.report.frame import HOVER, Tables, colour, field, layered, pixels, shape
from gradlab.report.numbers import percent, share
from gradlab.report.palette import INK, Style
from gradlab.report.summary import clopper_pearson

__all__ = ["Proportion", "shares"]

ROW = 50


@dataclass(frozen=True)
class Proportion:
    """How many of a condition's runs something is true of."""

    condition: str
    hits: int
    total: int


def shares(
    rows: Sequence[Proportion],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    title: str,
    reference: float | None = None,
) -> Node:
    """Dots with Clopper-Pearson intervals from 0 to 100 %.

    Args:
        rows: The conditions, from the top.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.
        title: What is counted.
        reference: The share that a claim names, drawn as a dashed line.

    Returns:
        A Vega-Lite view.
    """
    width, height = size.width - 28, ROW * len(rows) + 4
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    axis = Axis(0.0, 1.0, False, ticks, tuple(percent(tick) for tick in ticks), title)
    x = axis.encode("value", "x", size, grid=False)
    y, top = pixels("y", height), pixels("top", height)
    known = {row.condition: styles[row.condition] for row in rows}
    drawn: list[Node] = []
    for index, row in enumerate(rows):
        low, high = clopper_pearson(row.hits, row.total)
        said = f"{share(row.hits, row.total)}  [{percent(low)}, {percent(high)}]"
        drawn.append({
            "condition": row.condition,
            "value": row.hits / row.total if row.total else None,
            "low": low,
            "high": high,
            "name": f"{styles[row.condition].symbol} {row.condition}",
            "said": said if row.total else "no runs",
            "text": f"{HOVER}{row.condition}: {said}",
            "y": ROW * index + 34,
            "top": ROW * index + 13,
        })
    text = {"baseline": "middle", "fontSize": size.type}
    bar = {"strokeWidth": 7, "opacity": 0.25, "strokeCap": "round"}
    dot = {"filled": True, "size": 80, "opacity": 1}
    bold, soft = text | {"align": "left", "fontWeight": 600}, text | {"align": "right", "color": INK.soft[0]}
    layers = [
        tables(
            drawn, "text", bold, x={"value": 0}, y=top, text=field("name"), color=colour(known, label=True)
        ),
        tables(drawn, "text", soft, x={"value": width}, y=top, text=field("said")),
        tables(drawn, "rule", bar, x=x | {"field": "low"}, x2={"field": "high"}, y=y, color=colour(known)),
        tables(
            drawn, "point", dot, x=x, y=y, color=colour(known), shape=shape(known), description=field("text")
        ),
    ]
    if reference is not None:
        line = [
            {"value": reference, "y": ROW * index + 23, "to": ROW * index + 46} for index in range(len(rows))
        ]
        dashed = {"strokeDash": [5, 4], "color": INK.soft[0]}
        layers.insert(0, tables(line, "rule", dashed, x=x, y=y, y2={"field": "to"}))
    return layered(layers, width, height)
