"""The frame that all figures share: layers over named tables, colours and markers, type and grid."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gradlab.report.axes import Node, Size
from gradlab.report.palette import INK, Style

__all__ = ["HOVER", "Tables", "colour", "compose", "field", "layered", "pixels", "shape", "stacked"]

HOVER = "¶"
"""Descriptions that begin with this become hover text."""

PAGE_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
FILE_FONT = "Inter, Segoe UI, Noto Sans, DejaVu Sans, Verdana, Arial, sans-serif"
"""Files carry no fonts: the first of these that is there, and all of them have superscripts."""


def field(name: str, kind: str = "nominal") -> Node:
    """A channel that takes a data field as it is."""
    return {"field": name, "type": kind}


def pixels(name: str, height: float) -> Node:
    """A vertical channel in pixels from the top, without an axis."""
    scale = {"domain": [height, 0], "nice": False, "zero": False}
    return {"field": name, "type": "quantitative", "scale": scale, "axis": None}


def colour(styles: Mapping[str, Style], *, label: bool = False) -> Node:
    """The colour channel: one colour per condition, never a legend."""
    shades = [style.label if label else style.line for style in styles.values()]
    return field("condition") | {"scale": {"domain": list(styles), "range": shades}, "legend": None}


def shape(styles: Mapping[str, Style]) -> Node:
    """The marker channel, which repeats what colour says."""
    markers = [style.marker for style in styles.values()]
    return field("condition") | {"scale": {"domain": list(styles), "range": markers}, "legend": None}


class Tables:
    """The rows that a figure draws, each table under its own name."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Mapping[str, Any]]] = {}

    def __call__(self, rows: Iterable[Mapping[str, Any]], mark: str, look: Node, **channels: Node) -> Node:
        """A layer of marks over these rows.

        Args:
            rows: The data.
            mark: Vega-Lite's name of the mark.
            look: Properties of the mark.
            channels: Encoding.

        Returns:
            The layer.
        """
        name = f"table{len(self.rows)}"
        self.rows[name] = list(rows)
        return {"data": {"name": name}, "mark": {"type": mark, **look}, "encoding": channels}


def layered(layers: Sequence[Node], width: float, height: float) -> Node:
    """Layers over each other in one plot."""
    return {
        "layer": list(layers),
        "width": width,
        "height": height,
        "resolve": {"scale": {"color": "independent", "shape": "independent"}},
    }


def stacked(panels: Sequence[Node], spacing: int) -> Node:
    """Plots under each other with one horizontal axis."""
    return {
        "vconcat": list(panels),
        "spacing": spacing,
        "resolve": {"scale": {"x": "shared", "color": "independent", "shape": "independent"}},
    }


def compose(
    draw: Callable[[Size, Tables], Node], size: Size, *, title: str = "", subtitle: str = ""
) -> dict[str, Any]:
    """The finished definition of a chart.

    Args:
        draw: Makes the chart.
        size: The size to draw it in.
        title: Put inside the figure, which files need; pages set it as text.
        subtitle: The same.

    Returns:
        A Vega-Lite specification as plain data.
    """
    tables = Tables()
    definition = draw(size, tables) | {
        "background": INK.paper[0],
        "padding": 4 if title else 1,
        "datasets": tables.rows,
        "config": _config(size, FILE_FONT if title else PAGE_FONT),
    }
    if title:
        room = max(30, int(size.width / 8.4))
        definition["title"] = {
            "text": _wrapped(title, room),
            "subtitle": _wrapped(subtitle, int(room * 1.18)),
            "anchor": "start",
            "frame": "bounds",
            "offset": 18,
        }
    return definition


def _config(size: Size, font: str) -> Node:
    return {
        "font": font,
        "view": {"stroke": None},
        "title": {
            "color": INK.text[0],
            "subtitleColor": INK.soft[0],
            "fontSize": size.type + 3.5,
            "subtitleFontSize": size.type + 0.5,
            "fontWeight": 600,
            "subtitlePadding": 6,
        },
        "axis": {
            "labelColor": INK.soft[0],
            "titleColor": INK.soft[0],
            "labelFontSize": size.type,
            "titleFontSize": size.type,
            "titleFontWeight": "normal",
            "gridColor": INK.grid[0],
            "domainColor": INK.rule[0],
            "tickColor": INK.rule[0],
            "tickSize": 4,
            "labelPadding": 6,
            "titlePadding": 8,
        },
    }


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]
