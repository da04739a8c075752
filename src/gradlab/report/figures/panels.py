"""Panels beside and under each other, and profiles: a quantity over places on any axis, with its band over units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Axis, Node, Size, spread
from gradlab.report.figures.drawing import SINGLE_RUNS
from gradlab.report.frame import HOVER, Tables, field, layered
from gradlab.report.numbers import number, power
from gradlab.report.palette import BAND_OPACITY, INK, Style
from gradlab.report.scales import PLAIN, Scale

__all__ = ["Diamond", "Profile", "arranged", "headed", "profiles", "symlog", "width_of"]

Floats = NDArray[np.float64]
_GAP = 18


@dataclass(frozen=True)
class Profile:
    """A quantity of one condition or group over places.

    Attributes:
        condition: Whose it is; says the colour.
        places: Increasing, [k].
        values: One row a unit, [n, k]; NaN where a unit has no value.
        dashed: Whether it belongs to a held-out set.
        label: What stands at its end; nothing if empty.
    """

    condition: str
    places: Floats
    values: Floats
    dashed: bool = False
    label: str = ""

    @property
    def summary(self) -> tuple[Floats, Floats, Floats]:
        """10 % quantile, median and 90 % quantile over units; NaN where no unit has a value."""
        rows = [column[np.isfinite(column)] for column in self.values.T]
        low, middle, high = (
            np.array([np.quantile(row, share) if len(row) else np.nan for row in rows], np.float64)
            for share in (0.1, 0.5, 0.9)
        )
        return low, middle, high


@dataclass(frozen=True)
class Diamond:
    """A published value; its outline is dashed where it belongs to a dashed profile."""

    condition: str
    place: float
    value: float
    text: str
    dashed: bool = False


def width_of(size: Size, columns: int) -> int:
    """Width of the plot where so many panels stand beside each other; a phone has one column."""
    return int((size.width - _GAP * (columns - 1)) / columns - size.left - 12)


def arranged(panels: Sequence[Node], columns: int, spacing: int = 34) -> Node:
    """Panels in rows of so many, each with its own axes."""
    rows = [list(panels[at : at + columns]) for at in range(0, len(panels), columns)]
    own = {"scale": {"color": "independent", "shape": "independent"}}
    across: list[Node] = [
        row[0] if len(row) == 1 else {"hconcat": row, "spacing": _GAP, "resolve": own} for row in rows
    ]
    return across[0] if len(across) == 1 else {"vconcat": across, "spacing": spacing, "resolve": own}


def headed(panel: Node, text: str, size: Size, colour: str = INK.text[0]) -> Node:
    """A panel with its own heading, above the title of its vertical axis."""
    title = {"text": text, "anchor": "start", "frame": "bounds", "fontSize": size.type, "color": colour}
    return panel | {"title": title | {"offset": 8, "fontWeight": 600}}


def symlog(values: Floats, title: str, band: float) -> tuple[Axis, Any]:
    """An axis of values of both signs over decades: linear within the band around 0, logarithmic beyond it.

    Args:
        values: What will be drawn.
        title: The quantity.
        band: Half the width of the linear part.

    Returns:
        An axis of turned values, and the function that turns.
    """
    band = band if np.isfinite(band) and band > 0 else 1e-8

    def turned(value: Any) -> Any:
        return np.sign(value) * np.log10(1.0 + np.abs(value) / band)

    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    reach = [min(float(finite.min()), 0.0), max(float(finite.max()), 0.0)] if len(finite) else [0.0, 1.0]
    ticks: list[float] = [0.0]
    for sign, end in ((-1.0, -reach[0]), (1.0, reach[1])):
        if end > band:
            powers = list(range(int(np.ceil(np.log10(band) + 0.5)), int(np.floor(np.log10(end) + 1e-9)) + 1))
            ticks += [sign * 10.0**k for k in powers[:: -max(1, len(powers) // 4)]]
    ticks.sort()
    low, high = (float(turned(end)) for end in reach)
    room = 0.05 * (high - low or 1.0)
    names = tuple(_signed(tick) for tick in ticks)
    places = tuple(float(turned(tick)) for tick in ticks)
    return Axis(low - room, high + room, False, places, names, title), turned


def _signed(tick: float) -> str:
    """0 or a power of ten with its sign."""
    if not tick:
        return "0"
    return ("−" if tick < 0 else "") + power(round(np.log10(abs(tick))))


def profiles(
    shown: Sequence[Profile],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    x: Axis,
    y: Axis,
    width: float,
    height: float,
    scale: Scale = PLAIN,
    unit: str = "run",
    under: Sequence[Node] = (),
    diamonds: Sequence[Diamond] = (),
    dots: bool = False,
    single: bool = True,
    foot: bool = True,
) -> Node:
    """Medians over units with their 10-90 % bands, single units behind them.

    Args:
        shown: The profiles.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.
        x: The axis of places.
        y: The axis of values.
        width: Of the plot.
        height: Of the plot.
        scale: How values are written.
        unit: What one row is, for hover.
        under: Layers that are drawn first.
        diamonds: Published values.
        dots: Whether each place has a marker.
        single: Whether single units are drawn where they are few.
        foot: Whether the horizontal axis carries its ticks and title.

    Returns:
        A Vega-Lite view.
    """
    across, up = x.encode("place", "x", size, title=foot, labels=foot), y.encode("value", "y", size)
    layers: list[Node] = list(under)
    for each in shown:
        style, clip = styles[each.condition], {"clip": True, "color": styles[each.condition].line}
        dash = {"strokeDash": [5, 4]} if each.dashed else {}
        low, middle, high = each.summary
        rows = _rows(each, low, middle, high, y)
        if len(each.values) > 1 and not (single and len(each.values) <= 4):
            area = clip | {"opacity": BAND_OPACITY}
            layers.append(tables(rows, "area", area, x=across, y=up | {"field": "low"}, y2={"field": "high"}))
        if single and 1 < len(each.values) <= SINGLE_RUNS:
            pale = clip | {"strokeWidth": 0.7, "opacity": 0.3} | dash
            layers.append(tables(_single(each, y), "line", pale, x=across, y=up, detail=field("unit")))
        stroke = clip | {"strokeWidth": 2.3, "strokeJoin": "round"} | dash
        layers.append(tables(rows, "line", stroke, x=across, y=up))
        look = {"filled": not each.dashed, "size": 44 if dots else 0, "opacity": 1, "shape": style.marker}
        fill = {"fill": INK.paper[0], "stroke": style.line} if each.dashed else {"color": style.line}
        said = [
            row
            | {
                "text": f"{HOVER}{each.condition}{' test' if each.dashed else ''} at {number(row['place'])}: "
                f"{scale.table(row['median'])} [{scale.table(row['from'])}, {scale.table(row['to'])}] "
                f"over {len(each.values)} {unit}{'' if len(each.values) == 1 else 's'}"
            }
            for row in rows
        ]
        if not dots:
            look = look | {"size": 60, "opacity": 0}
        layers.append(tables(said, "point", look | fill, x=across, y=up, description=field("text")))
    layers += _labels(shown, styles, size, tables, up, y, width, height)
    for mark in (False, True):
        rows = [
            {"place": each.place, "value": each.value, "text": HOVER + each.text, "condition": each.condition}
            for each in diamonds
            if each.dashed is mark
        ]
        if rows:
            look = {"shape": "diamond", "size": 80, "fill": INK.paper[0], "strokeWidth": 1.6, "opacity": 1}
            look |= {"strokeDash": [2.2, 1.8]} if mark else {}
            shade = field("condition") | {
                "legend": None,
                "scale": {"domain": list(styles), "range": [style.line for style in styles.values()]},
            }
            layers.append(
                tables(rows, "point", look, x=across, y=up, stroke=shade, description=field("text"))
            )
    return layered(layers, width, height)


def _bounded(value: float, y: Axis) -> float | None:
    return min(max(float(value), y.low), y.high) if np.isfinite(value) else None


def _rows(each: Profile, low: Floats, middle: Floats, high: Floats, y: Axis) -> list[dict[str, Any]]:
    return [
        {
            "place": float(place),
            "value": _bounded(m, y),
            "low": _bounded(a, y),
            "high": _bounded(b, y),
            "median": float(m),
            "from": float(a),
            "to": float(b),
        }
        for place, a, m, b in zip(each.places, low, middle, high, strict=True)
        if np.isfinite(m)
    ]


def _single(each: Profile, y: Axis) -> list[dict[str, Any]]:
    return [
        {"place": float(place), "value": _bounded(value, y), "unit": str(unit)}
        for unit, row in enumerate(each.values)
        for place, value in zip(each.places, row, strict=True)
        if np.isfinite(value)
    ]


def _labels(
    shown: Sequence[Profile],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    up: Node,
    y: Axis,
    width: float,
    height: float,
) -> list[Node]:
    """Names at the right ends, moved apart where they would touch."""
    ends: list[tuple[Profile, float]] = []
    for each in shown:
        middle = each.summary[1]
        finite = np.flatnonzero(np.isfinite(middle))
        if each.label and len(finite):
            ends.append((each, float(y.place(_bounded(float(middle[finite[-1]]), y) or y.low, height))))
    gap = size.type + 3
    if not ends or gap * len(ends) > height:
        return []
    found: list[Node] = []
    for (each, _), at in zip(
        ends, spread([at for _, at in ends], gap, gap / 2, height - gap / 2), strict=True
    ):
        look = {"align": "left", "baseline": "middle", "fontSize": size.type, "fontWeight": 600}
        row = [{"value": y.at(at, height), "text": each.label}]
        look |= {"color": styles[each.condition].label}
        found.append(tables(row, "text", look, x={"value": width + 7}, y=up, text=field("text")))
    return found
