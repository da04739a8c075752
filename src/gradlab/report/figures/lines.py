"""Curves over epochs: the median over runs with its 10-90 % band, single runs behind, names at the ends."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import BEFORE_FIRST, Node, Size, epoch_axis, spread, value_axis
from gradlab.report.figures.drawing import SINGLE_RUNS, Drawing, Line, Mark, Reference, Rows
from gradlab.report.frame import HOVER, Tables, colour, field, layered, shape
from gradlab.report.numbers import count
from gradlab.report.palette import BAND_OPACITY, INK, Style
from gradlab.report.scales import PLAIN, Scale

__all__ = ["SINGLE_RUNS", "Line", "Mark", "Reference", "label_texts", "lines", "run_bins"]

Floats = NDArray[np.float64]
_ZONES = 40
_BOLD = 0.66
"""Width of a bold letter in a wide system font, in units of its size."""


def lines(
    shown: Sequence[Line],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    title: str,
    height: int,
    last: int,
    marks: Sequence[Mark] = (),
    scale: Scale = PLAIN,
    references: Sequence[Reference] = (),
    labelled: bool = True,
    foot: bool = True,
    single: bool = True,
) -> Node:
    """A panel of curves.

    Args:
        shown: The curves, in the order of the conditions.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.
        title: The quantity and its unit.
        height: Height of the plot.
        last: The horizon in epochs.
        marks: Published values.
        scale: How values are written, and on which axis they lie.
        references: Values that mean something by themselves.
        labelled: Whether names stand at the ends of lines.
        foot: Whether the axis of epochs carries its ticks and title.
        single: Whether single runs are drawn, where they are few.

    Returns:
        A Vega-Lite view.
    """
    thumb = size.name == "thumb"
    first = min(float(line.curves.epochs[0]) for line in shown) or BEFORE_FIRST
    x_axis = epoch_axis(last, size, first=first, title="epoch (0: before training)" if first < 1 else "epoch")
    extent = np.append(
        _extent(shown, marks, single=single and not thumb), [each.value for each in references]
    )
    y_axis = value_axis(extent, title, log=scale.log, tick=scale.tick, ends=scale.ends)
    width = size.width - 8 if thumb else size.plot if labelled else size.full
    x = x_axis.encode("epoch", "x", size, title=foot, labels=foot)
    y = y_axis.encode("value", "y", size)
    known = {line.condition: styles[line.condition] for line in shown}
    shade = colour(known)
    draw = Drawing(shown, x_axis, y_axis, scale)
    layers: list[Node] = [] if thumb else _references(references, size, tables, y)
    if single and not thumb:
        pale = {"strokeWidth": 0.6, "opacity": _paleness(shown, size), "clip": True, "strokeJoin": "round"}
        bins = run_bins(shown) if size.name == "wide" else run_bins(shown) // 2
        layers.append(tables(draw.runs(bins), "line", pale, x=x, y=y, color=shade, detail=field("run")))
    band = {"opacity": BAND_OPACITY, "clip": True}
    layers.append(
        tables(draw.bands(), "area", band, x=x, y=y, y2={"field": "high"}, color=shade, detail=field("line"))
    )
    stroke = {"strokeWidth": 1.5 if thumb else 2.3, "clip": True, "strokeJoin": "round", "strokeCap": "round"}
    layers.append(
        tables(
            draw.medians(), "line", stroke, x=x, y=y, color=shade, detail=field("line"), strokeDash=_DASHES
        )
    )
    if not thumb:
        dot = {"size": 42, "filled": True, "opacity": 1}
        hollow = {"size": 36, "fill": INK.paper[0], "strokeWidth": 1.5, "opacity": 1}
        for look, among in ((hollow, draw.dashed), (dot, draw.solid)):
            if among:
                rows = draw.markers(among, width)
                layers.append(tables(rows, "point", look, x=x, y=y, color=shade, shape=shape(known)))
    crosses = draw.crosses()
    if crosses and single and not thumb:
        cross = {"shape": "M-1,-1L1,1M1,-1L-1,1", "size": 60, "strokeWidth": 1.6, "opacity": 1}
        layers.append(tables(crosses, "point", cross, x=x, y=y, color=shade, description=field("text")))
    if labelled and not thumb:
        layers += _labels(draw, known, size, tables, y=y, width=width, height=height)
        layers.append(_zones(draw, tables, x, width, height, title))
    if marks:
        diamond = {
            "shape": "diamond",
            "size": 30 if thumb else 100,
            "fill": INK.paper[0],
            "strokeWidth": 1.8,
            "opacity": 1,
        }
        for look, among in (
            (diamond, [mark for mark in marks if not mark.split]),
            (diamond | {"strokeDash": [2.2, 1.8]}, [mark for mark in marks if mark.split]),
        ):
            if among:
                rows = draw.marks(among)
                layers.append(tables(rows, "point", look, x=x, y=y, color=shade, description=field("text")))
    return layered(layers, width, height)


def run_bins(shown: Sequence[Line]) -> int:
    """Into how many logarithmic intervals single runs are thinned: fewer where there are many runs.

    Example:
        >>> run_bins([])
        90
    """
    runs = sum(line.curves.n for line in shown if line.curves.n <= SINGLE_RUNS and not line.split)
    return max(24, min(90, 5_400 // max(runs, 1)))


_STROKES = {
    "": [1, 0],
    "test": [5, 4],
    "validation": [2, 3],
    "running": [1, 3],
    "last_batch": [1, 3],
    "augmented": [3, 2],
    "test_training_mode": [9, 3, 2, 3],
}
_DASHES: Node = field("split") | {
    "legend": None,
    "scale": {"domain": list(_STROKES), "range": list(_STROKES.values())},
}


def _references(shown: Sequence[Reference], size: Size, tables: Tables, y: Node) -> list[Node]:
    """Thin lines across the plot, each with its name at the left above it."""
    if not shown:
        return []
    rows = [{"value": each.value, "text": each.text} for each in shown]
    rule = {"color": INK.soft[0], "strokeWidth": 1, "opacity": 0.6}
    text = {
        "align": "left",
        "baseline": "bottom",
        "fontSize": size.type - 1,
        "color": INK.soft[0],
        "dx": 4,
        "dy": -2,
    }
    return [
        tables(rows, "rule", rule, y=y),
        tables(rows, "text", text, x={"value": 0}, y=y, text=field("text")),
    ]


def _extent(shown: Sequence[Line], marks: Sequence[Mark], *, single: bool) -> Floats:
    """The values that the axis must hold: bands and published values; single runs up to half a decade beyond."""
    parts = [np.concatenate([line.curves.median, line.curves.low, line.curves.high]) for line in shown]
    parts.append(np.array([mark.value for mark in marks], dtype=float))
    inner = np.concatenate(parts)
    inner = inner[np.isfinite(inner)]
    outer = [values for line in shown if line.curves.n <= SINGLE_RUNS for _, values in line.curves.runs]
    if not single or not outer or not len(inner):
        return inner
    runs = np.concatenate(outer)
    runs = runs[np.isfinite(runs)]
    if inner.min() > 0:
        return np.concatenate([inner, np.clip(runs, inner.min() / 3, inner.max() * 3)])
    room = 0.15 * float(np.ptp(inner))
    return np.concatenate([inner, np.clip(runs, inner.min() - room, inner.max() + room)])


def _paleness(shown: Sequence[Line], size: Size) -> float:
    """The more single runs, the paler each."""
    many = sum(line.curves.n for line in shown if line.curves.n <= SINGLE_RUNS)
    pale = float(np.clip(2.2 / max(many, 1) ** 0.6, 0.14, 0.45))
    return pale if size.name == "wide" else pale * 0.7


def _labels(
    draw: Drawing,
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    y: Node,
    width: float,
    height: float,
) -> list[Node]:
    """Names at the ends of lines, moved apart where they would touch, with a thin leader to each."""
    ends: list[tuple[str, str, float, float]] = []
    for line in draw.named(size):
        finite = np.flatnonzero(np.isfinite(line.curves.median))
        if len(finite):
            value = float(line.curves.median[finite[-1]])
            place = float(draw.y.place(draw.value(value) or draw.y.low, height))
            ends.append((line.condition, draw.name(line), value, place))
    gap = size.type + 4
    if not ends or gap * len(ends) > height:
        return []
    places = spread([at for *_, at in ends], gap, gap / 2, height - gap / 2)
    said = label_texts([(name, value) for _, name, value, _ in ends], size.label - 20, size, draw.scale)
    rows = [
        {"condition": whose, "value": draw.y.at(at, height), "moved": draw.y.at(place, height), "text": text}
        for (whose, _, _, at), place, text in zip(ends, places, said, strict=True)
    ]
    leader = {"strokeWidth": 0.8, "opacity": 0.75}
    text = {"align": "left", "baseline": "middle", "fontSize": size.type, "fontWeight": 600}
    return [
        tables(
            rows,
            "rule",
            leader,
            x={"value": width + 6},
            x2={"value": width + 15},
            y=y,
            y2={"field": "moved"},
            color=colour(styles),
        ),
        tables(
            rows,
            "text",
            text,
            x={"value": width + 18},
            y=y | {"field": "moved"},
            text=field("text"),
            color=colour(styles, label=True),
        ),
    ]


def label_texts(
    ends: Sequence[tuple[str, float]], room: float, size: Size, scale: Scale = PLAIN
) -> list[str]:
    """Names with their last values where all fit into `room` pixels, else names, shortened if they must be."""
    letters = int(room / (size.type * _BOLD))
    full = [f"{name} {scale.write(value)}" for name, value in ends]
    if all(len(text) <= letters for text in full):
        return full
    return [_short(name, letters) for name, _ in ends]


def _short(name: str, letters: int) -> str:
    """A name that fits: without its factors (`batch_size=32, lr=0.1` is `32, 0.1`), and cut if it must be."""
    if len(name) > letters:
        name = ", ".join(part.split("=")[-1] for part in name.split(", "))
    return name if len(name) <= letters else name[: max(letters - 1, 1)].rstrip() + "…"


def _zones(draw: Drawing, tables: Tables, x: Node, width: float, height: float, quantity: str) -> Node:
    """Invisible strips over the plot that say the exact values at an epoch when pointed at."""
    edges = np.linspace(0, width, _ZONES + 1)
    rows: Rows = []
    for left, right in itertools.pairwise(edges.tolist()):
        middle = draw.x.at((left + right) / 2, width)
        said: list[str] = []
        at = 0
        for line in (*draw.solid, *draw.dashed):
            curves = line.curves
            nearest = int(
                np.abs(np.log1p(curves.epochs) - np.log1p(max(middle - BEFORE_FIRST, 0.0))).argmin()
            )
            at = int(curves.epochs[nearest])
            write = draw.scale.table
            band = f"[{write(curves.low[nearest])}, {write(curves.high[nearest])}]"
            said.append(f"{draw.name(line)}: {write(curves.median[nearest])} {band}")
        text = f"{HOVER}{quantity} at epoch {count(at)}, median [10-90 %]\n" + "\n".join(said)
        rows.append({"epoch": draw.x.at(left, width), "right": draw.x.at(right, width), "text": text})
    strip = {"opacity": 0, "fill": INK.soft[0]}
    layer = tables(
        rows,
        "rect",
        strip,
        x=x,
        x2={"field": "right"},
        y={"value": 0},
        y2={"value": height},
        description=field("text"),
    )
    # Views need names of their own; the style sheet finds these marks by the word in front.
    return layer | {"name": f"zones_{len(tables.rows)}"}
