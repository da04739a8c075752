"""Proportions of runs with their exact 95 % intervals, a row per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradlab.report.frame import HOVER, Axis, Size, Tables, colour
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
) -> Any:
    """Dots with Clopper-Pearson intervals from 0 to 100 %.

    Args:
        rows: The conditions, from the top.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.
        title: What is counted.
        reference: The share that a claim names, drawn as a dashed line.

    Returns:
        An Altair chart.
    """
    import altair as alt

    width, height = size.width - 28, ROW * len(rows) + 4
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    axis = Axis(0.0, 1.0, False, ticks, tuple(percent(tick) for tick in ticks), title)
    x = axis.encode("value", "x", size, grid=False)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[height, 0], nice=False, zero=False), axis=None)
    known = {row.condition: styles[row.condition] for row in rows}
    drawn = []
    for index, row in enumerate(rows):
        low, high = clopper_pearson(row.hits, row.total)
        said = f"{share(row.hits, row.total)}  [{percent(low)}, {percent(high)}]"
        drawn.append(
            {
                "condition": row.condition,
                "value": row.hits / row.total if row.total else None,
                "low": low,
                "high": high,
                "name": f"{styles[row.condition].symbol} {row.condition}",
                "said": said if row.total else "no runs",
                "text": f"{HOVER}{row.condition}: {said}",
                "y": ROW * index + 34,
                "top": ROW * index + 13,
            }
        )
    top = alt.Y("top:Q", scale=alt.Scale(domain=[height, 0], nice=False, zero=False), axis=None)
    shape = alt.Scale(domain=list(known), range=[style.marker for style in known.values()])
    layers = [
        tables(drawn)
        .mark_text(align="left", baseline="middle", fontSize=size.type + 0.5, fontWeight=600)
        .encode(x=alt.value(0), y=top, text="name:N", color=colour(known, label=True)),
        tables(drawn)
        .mark_text(align="right", baseline="middle", fontSize=size.type, color=INK.soft[0])
        .encode(x=alt.value(width), y=top, text="said:N"),
        tables(drawn)
        .mark_rule(strokeWidth=7, opacity=0.25, strokeCap="round")
        .encode(x=axis.encode("low", "x", size, grid=False), x2="high:Q", y=y, color=colour(known)),
        tables(drawn)
        .mark_point(filled=True, size=80, opacity=1)
        .encode(x=x, y=y, color=colour(known), shape=alt.Shape("condition:N", scale=shape, legend=None), description="text:N"),
    ]
    if reference is not None:
        layers.insert(0, tables([{"value": reference}]).mark_rule(strokeDash=[5, 4], color=INK.soft[0]).encode(x=x))
    return alt.layer(*layers).resolve_scale(color="independent").properties(width=width, height=height)
