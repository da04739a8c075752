"""Curves over epochs: the median over runs with its 10-90 % band, single runs behind, names at the ends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import BEFORE_FIRST, Axis, Node, Size, epoch_axis, spread, value_axis
from gradlab.report.frame import HOVER, Tables, colour, field, layered, shape
from gradlab.report.numbers import count, number
from gradlab.report.palette import BAND_OPACITY, INK, Style
from gradlab.report.summary import Curves, envelope

__all__ = ["SINGLE_RUNS", "Line", "Mark", "label_texts", "lines", "run_bins"]

SINGLE_RUNS = 30
"""Up to this many runs a condition, each is drawn."""

_Rows = list[dict[str, Any]]
Floats = NDArray[np.float64]
_MARKERS = 5
_ZONES = 40
_BOLD = 0.66
"""Width of a bold letter in a wide system font, in units of its size."""


@dataclass(frozen=True)
class Line:
    """The curves of one condition; `split` is empty for the training set."""

    condition: str
    curves: Curves
    split: str = ""


@dataclass(frozen=True)
class Mark:
    """A published value, drawn as a diamond."""

    condition: str
    epoch: int
    value: float
    text: str


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
    log: bool | None = None,
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
        log: Whether the values are on a logarithmic axis; by default, decided by their span.
        labelled: Whether names stand at the ends of lines.
        foot: Whether the axis of epochs carries its ticks and title.
        single: Whether single runs are drawn, where they are few.

    Returns:
        A Vega-Lite view.
    """
    thumb = size.name == "thumb"
    first = min(float(line.curves.epochs[0]) for line in shown) or BEFORE_FIRST
    x_axis = epoch_axis(last, size, first=first, title="epoch (0: before training)" if first < 1 else "epoch")
    y_axis = value_axis(_extent(shown, marks, single=single and not thumb), title, log=log)
    width = size.width - 8 if thumb else size.plot if labelled else size.full
    x = x_axis.encode("epoch", "x", size, title=foot, labels=foot)
    y = y_axis.encode("value", "y", size)
    known = {line.condition: styles[line.condition] for line in shown}
    shade = colour(known)
    draw = _Drawing(shown, x_axis, y_axis)
    layers: list[Node] = []
    if single and not thumb:
        pale = {"strokeWidth": 0.6, "opacity": _paleness(shown, size), "clip": True, "strokeJoin": "round"}
        bins = run_bins(shown) if size.name == "wide" else run_bins(shown) // 2
        layers.append(tables(draw.runs(bins), "line", pale, x=x, y=y, color=shade, detail=field("run")))
    band = {"opacity": BAND_OPACITY, "clip": True}
    layers.append(tables(draw.bands(), "area", band, x=x, y=y, y2={"field": "high"}, color=shade))
    stroke = {"strokeWidth": 1.5 if thumb else 2.3, "clip": True, "strokeJoin": "round", "strokeCap": "round"}
    layers.append(
        tables(
            draw.medians(), "line", stroke, x=x, y=y, color=shade, detail=field("line"), strokeDash=_DASHES
        )
    )
    if not thumb:
        dot = {"size": 42, "filled": True, "opacity": 1}
        layers.append(tables(draw.markers(width), "point", dot, x=x, y=y, color=shade, shape=shape(known)))
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
        layers.append(
            tables(draw.marks(marks), "point", diamond, x=x, y=y, color=shade, description=field("text"))
        )
    return layered(layers, width, height)


def run_bins(shown: Sequence[Line]) -> int:
    """Into how many logarithmic intervals single runs are thinned: fewer where there are many runs.

    Example:
        >>> run_bins([])
        90
    """
    runs = sum(line.curves.n for line in shown if line.curves.n <= SINGLE_RUNS and not line.split)
    return max(24, min(90, 5_400 // max(runs, 1)))


_DASHES: Node = field("split") | {
    "legend": None,
    "scale": {"domain": ["", "test", "validation"], "range": [[1, 0], [5, 4], [2, 3]]},
}


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


@dataclass(frozen=True)
class _Drawing:
    """Rows for the layers: epochs and values moved onto the axes they are drawn on."""

    shown: Sequence[Line]
    x: Axis
    y: Axis

    @property
    def solid(self) -> list[Line]:
        """The curves of the training set."""
        return [line for line in self.shown if not line.split]

    def epoch(self, at: float) -> float:
        """An epoch as it is drawn: epoch 0 at the left edge."""
        return max(float(at), self.x.low)

    def value(self, value: float) -> float | None:
        """A value as it is drawn: zeros and infinities at the edges, nothing where nothing is known."""
        return None if math.isnan(value) else min(max(float(value), self.y.low), self.y.high)

    def runs(self, bins: int) -> _Rows:
        return [
            {
                "epoch": self.epoch(at),
                "value": self.value(value),
                "condition": line.condition,
                "run": f"{place}.{run}",
            }
            for place, line in enumerate(self.solid)
            if line.curves.n <= SINGLE_RUNS
            for run, (epochs, values) in enumerate(line.curves.runs)
            for at, value in zip(*(part.tolist() for part in envelope(epochs, values, bins)), strict=True)
        ]

    def bands(self) -> _Rows:
        return [
            {
                "epoch": self.epoch(at),
                "value": self.value(low),
                "high": self.value(high),
                "condition": line.condition,
            }
            for line in self.solid
            if line.curves.n > 1
            for at, low, high in zip(line.curves.epochs, line.curves.low, line.curves.high, strict=True)
            if np.isfinite(low)
        ]

    def medians(self) -> _Rows:
        return [
            {
                "epoch": self.epoch(at),
                "value": self.value(value),
                "condition": line.condition,
                "split": line.split,
                "line": f"{line.condition} {line.split}",
            }
            for line in self.shown
            for at, value in zip(line.curves.epochs, line.curves.median, strict=True)
        ]

    def markers(self, width: float) -> _Rows:
        """A few markers a line, shifted from condition to condition so that they do not cover each other."""
        rows: _Rows = []
        for index, line in enumerate(self.solid):
            finite = np.flatnonzero(np.isfinite(line.curves.median))
            if not len(finite):
                continue
            places = np.array([self.x.place(self.epoch(at), width) for at in line.curves.epochs[finite]])
            wanted = width / _MARKERS * (np.arange(_MARKERS) + 0.35 + 0.5 * index / max(1, len(self.solid)))
            kept = {int(finite[np.abs(places - each).argmin()]) for each in wanted} | {int(finite[-1])}
            rows += [
                {
                    "epoch": self.epoch(line.curves.epochs[at]),
                    "value": self.value(line.curves.median[at]),
                    "condition": line.condition,
                }
                for at in sorted(kept)
            ]
        return rows

    def crosses(self) -> _Rows:
        return [
            {
                "epoch": self.epoch(at),
                "value": self.value(value),
                "condition": line.condition,
                "text": f"{HOVER}{line.condition}: a run diverged after epoch {count(at)}",
            }
            for line in self.solid
            for at, value in line.curves.diverged
        ]

    def marks(self, marks: Sequence[Mark]) -> _Rows:
        return [
            {
                "epoch": self.epoch(mark.epoch),
                "value": mark.value,
                "condition": mark.condition,
                "text": HOVER + mark.text,
            }
            for mark in marks
        ]


def _labels(
    draw: _Drawing,
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    y: Node,
    width: float,
    height: float,
) -> list[Node]:
    """Names at the ends of lines, moved apart where they would touch, with a thin leader to each."""
    ends: list[tuple[str, float, float]] = []
    for line in draw.solid:
        finite = np.flatnonzero(np.isfinite(line.curves.median))
        if len(finite):
            value = float(line.curves.median[finite[-1]])
            ends.append((line.condition, value, float(draw.y.place(draw.value(value) or draw.y.low, height))))
    gap = size.type + 4
    if not ends or gap * len(ends) > height:
        return []
    places = spread([at for _, _, at in ends], gap, gap / 2, height - gap / 2)
    said = label_texts([(name, value) for name, value, _ in ends], size.label - 20, size)
    rows = [
        {"condition": name, "value": draw.y.at(at, height), "moved": draw.y.at(place, height), "text": text}
        for (name, _, at), place, text in zip(ends, places, said, strict=True)
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


def label_texts(ends: Sequence[tuple[str, float]], room: float, size: Size) -> list[str]:
    """Names with their last values where all fit into `room` pixels, else names, shortened if they must be."""
    letters = int(room / (size.type * _BOLD))
    full = [f"{name} {number(value, 3, typographic=True)}" for name, value in ends]
    if all(len(text) <= letters for text in full):
        return full
    return [_short(name, letters) for name, _ in ends]


def _short(name: str, letters: int) -> str:
    """A name that fits: without its factors (`batch_size=32, lr=0.1` is `32, 0.1`), and cut if it must be."""
    if len(name) > letters:
        name = ", ".join(part.split("=")[-1] for part in name.split(", "))
    return name if len(name) <= letters else name[: max(letters - 1, 1)].rstrip() + "…"


def _zones(draw: _Drawing, tables: Tables, x: Node, width: float, height: float, quantity: str) -> Node:
    """Invisible strips over the plot that say the exact values at an epoch when pointed at."""
    edges = np.linspace(0, width, _ZONES + 1)
    rows: _Rows = []
    for left, right in itertools.pairwise(edges.tolist()):
        middle = draw.x.at((left + right) / 2, width)
        said: list[str] = []
        at = 0
        for line in draw.solid:
            curves = line.curves
            nearest = int(
                np.abs(np.log1p(curves.epochs) - np.log1p(max(middle - BEFORE_FIRST, 0.0))).argmin()
            )
            at = int(curves.epochs[nearest])
            band = f"[{number(curves.low[nearest])}, {number(curves.high[nearest])}]"
            said.append(f"{line.condition}: {number(curves.median[nearest])} {band}")
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
