"""Curves over epochs: the median over runs with its 10-90 % band, single runs behind, names at the ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab.report.frame import BEFORE_FIRST, HOVER, Axis, Size, Tables, colour, epoch_axis, spread, value_axis
from gradlab.report.numbers import count, epoch, number
from gradlab.report.palette import BAND_OPACITY, INK, Style
from gradlab.report.summary import Curves

__all__ = ["Line", "Mark", "lines"]

SINGLE_RUNS = 30
"""Up to this many runs a condition, each is drawn."""

_Rows = list[dict[str, Any]]
_MARKERS_A_LINE = 5


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
) -> Any:
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
        An Altair chart.
    """
    import altair as alt

    thumb = size.name == "thumb"
    first = BEFORE_FIRST if any(line.curves.epochs[0] == 0 for line in shown) else float(min(line.curves.epochs[0] for line in shown))
    x_axis = epoch_axis(last, size, first=first, title="epoch (0: before training)" if first < 1 else "epoch")
    y_axis = value_axis(_extent(shown, marks, single=single and not thumb), title, log=log)
    width = size.plot if labelled and not thumb else size.full if not thumb else size.width - 8
    x = x_axis.encode("epoch", "x", size, title=foot, labels=foot)
    y = y_axis.encode("value", "y", size)
    known = {line.condition: styles[line.condition] for line in shown}
    shade = colour(known)

    def place(at: Any) -> Any:
        return np.maximum(at, x_axis.low)

    layers: list[Any] = []
    if single and not thumb:
        layers.append(
            tables(_runs(shown, y_axis, place))
            .mark_line(strokeWidth=0.6, opacity=_paleness(shown), clip=True, strokeJoin="round")
            .encode(x=x, y=y, color=shade, detail="run:N")
        )
    layers.append(
        tables(_bands(shown, y_axis, place))
        .mark_area(opacity=BAND_OPACITY, clip=True)
        .encode(x=x, y=y, y2="high:Q", color=shade, detail="condition:N")
    )
    layers.append(
        tables(_medians(shown, y_axis, place))
        .mark_line(strokeWidth=1.5 if thumb else 2.3, clip=True, strokeJoin="round", strokeCap="round")
        .encode(
            x=x,
            y=y,
            color=shade,
            detail="line:N",
            strokeDash=alt.StrokeDash(
                "split:N", legend=None, scale=alt.Scale(domain=["", "test", "validation"], range=[[1, 0], [5, 4], [2, 3]])
            ),
        )
    )
    if not thumb:
        layers.append(
            tables(_markers(shown, y_axis, place, x_axis, width))
            .mark_point(size=42, filled=True, opacity=1, clip=False)
            .encode(x=x, y=y, color=shade, shape=alt.Shape("condition:N", scale=_shapes(known), legend=None))
        )
    crosses = [
        {"epoch": float(place(at)), "value": y_axis.low if at is None else value, "condition": line.condition,
         "text": f"{HOVER}{line.condition}: a run diverged after epoch {epoch(at)}"}
        for line in shown
        for at, value in line.curves.diverged
    ]
    if crosses and not thumb:
        layers.append(
            tables(crosses)
            .mark_point(shape="M-1,-1L1,1M1,-1L-1,1", size=60, strokeWidth=1.6, opacity=1)
            .encode(x=x, y=y, color=shade, description="text:N")
        )
    if labelled and not thumb:
        layers += _labels(shown, known, size, tables, y=y, axis=y_axis, width=width, height=height)
        layers.append(_zones(shown, tables, x, x_axis, width, height, title))
    if marks:
        rows = [
            {"epoch": float(place(mark.epoch)), "value": mark.value, "condition": mark.condition, "text": HOVER + mark.text}
            for mark in marks
        ]
        layers.append(
            tables(rows)
            .mark_point(shape="diamond", size=30 if thumb else 100, fill=INK.paper[0], strokeWidth=1.8, opacity=1)
            .encode(x=x, y=y, color=shade, description="text:N")
        )
    return alt.layer(*layers).properties(width=width, height=height)


def _extent(shown: Sequence[Line], marks: Sequence[Mark], *, single: bool) -> Any:
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


def _paleness(shown: Sequence[Line]) -> float:
    """The more single runs, the paler each."""
    many = sum(line.curves.n for line in shown if line.curves.n <= SINGLE_RUNS)
    return float(np.clip(2.2 / max(many, 1) ** 0.6, 0.14, 0.45))


def _shapes(styles: Mapping[str, Style]) -> Any:
    import altair as alt

    return alt.Scale(domain=list(styles), range=[style.marker for style in styles.values()])


def _kept(value: float, axis: Axis) -> float | None:
    """A value as it is drawn: zeros and infinities at the edges, nothing where nothing is known."""
    if np.isnan(value):
        return None
    return float(min(max(value, axis.low), axis.high))


def _runs(shown: Sequence[Line], axis: Axis, place: Any) -> _Rows:
    return [
        {"epoch": float(place(at)), "value": _kept(value, axis), "condition": line.condition, "run": f"{line.condition}{index}"}
        for line in shown
        if line.curves.n <= SINGLE_RUNS and not line.split
        for index, (epochs, values) in enumerate(line.curves.runs)
        for at, value in zip(epochs, values, strict=True)
    ]


def _bands(shown: Sequence[Line], axis: Axis, place: Any) -> _Rows:
    return [
        {"epoch": float(place(at)), "value": _kept(low, axis), "high": _kept(high, axis), "condition": line.condition}
        for line in shown
        if line.curves.n > 1 and not line.split
        for at, low, high in zip(line.curves.epochs, line.curves.low, line.curves.high, strict=True)
        if np.isfinite(low)
    ]


def _medians(shown: Sequence[Line], axis: Axis, place: Any) -> _Rows:
    return [
        {
            "epoch": float(place(at)),
            "value": _kept(value, axis),
            "condition": line.condition,
            "split": line.split,
            "line": f"{line.condition} {line.split}",
        }
        for line in shown
        for at, value in zip(line.curves.epochs, line.curves.median, strict=True)
    ]


def _markers(shown: Sequence[Line], axis: Axis, place: Any, x_axis: Axis, width: float) -> _Rows:
    """A few markers a line, shifted from condition to condition so that they do not cover each other."""
    rows: _Rows = []
    solid = [line for line in shown if not line.split]
    for index, line in enumerate(solid):
        finite = np.flatnonzero(np.isfinite(line.curves.median))
        if not len(finite):
            continue
        pixels = x_axis.place(place(line.curves.epochs[finite].astype(float)), width)
        step = width / _MARKERS_A_LINE
        wanted = step * (np.arange(_MARKERS_A_LINE) + 0.35 + 0.5 * index / max(1, len(solid)))
        places = {int(finite[np.abs(pixels - each).argmin()]) for each in wanted} | {int(finite[-1])}
        rows += [
            {
                "epoch": float(place(line.curves.epochs[at])),
                "value": _kept(line.curves.median[at], axis),
                "condition": line.condition,
            }
            for at in sorted(places)
        ]
    return rows


def _labels(
    shown: Sequence[Line],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    y: Any,
    axis: Axis,
    width: float,
    height: float,
) -> list[Any]:
    """Names at the ends of lines, moved apart where they would touch, with a thin leader where moved."""
    import altair as alt

    ends: list[tuple[str, float, float]] = []
    for line in shown:
        finite = np.flatnonzero(np.isfinite(line.curves.median))
        if len(finite) and not line.split:
            value = float(line.curves.median[finite[-1]])
            at = float(axis.place(min(max(value, axis.low), axis.high), height))
            ends.append((line.condition, value, at))
    gap = size.type + 4
    if not ends or gap * len(ends) > height:
        return []
    places = spread([at for _, _, at in ends], gap, gap / 2, height - gap / 2)
    said = label_texts([(name, value) for name, value, _ in ends], size.label - 20, size)
    texts = [
        {
            "condition": name,
            "value": axis.at(at, height),
            "moved": axis.at(place, height),
            "text": text,
        }
        for (name, _, at), place, text in zip(ends, places, said, strict=True)
    ]
    text = (
        tables(texts)
        .mark_text(align="left", baseline="middle", fontSize=size.type, fontWeight=600)
        .encode(
            x=alt.value(width + 18), y=_on(y, "moved"), text="text:N", color=colour(styles, label=True)
        )
    )
    leader = (
        tables(texts)
        .mark_rule(strokeWidth=0.8, opacity=0.75)
        .encode(x=alt.value(width + 6), x2=alt.value(width + 15), y=y, y2="moved:Q", color=colour(styles))
    )
    return [alt.layer(leader, text).resolve_scale(color="independent")]


def _on(channel: Any, field: str) -> Any:
    """The same axis for another field."""
    copy = channel.copy()
    copy.shorthand = f"{field}:Q"
    return copy


def label_texts(ends: Sequence[tuple[str, float]], room: float, size: Size) -> list[str]:
    """Names with their last values where all fit into `room` pixels, else names, shortened if they must be."""
    letters = int(room / (size.type * 0.56))
    full = [f"{name} {number(value, 3, typographic=True)}" for name, value in ends]
    if all(len(text) <= letters for text in full):
        return full
    return [name if len(name) <= letters else name[: max(letters - 1, 1)].rstrip() + "…" for name, _ in ends]


def _zones(
    shown: Sequence[Line], tables: Tables, x: Any, axis: Axis, width: float, height: float, quantity: str
) -> Any:
    """Invisible strips over the plot that say the exact values at an epoch when pointed at."""
    import altair as alt

    solid = [line for line in shown if not line.split]
    pixels = np.linspace(0, width, 41)
    rows = []
    for left, right in zip(pixels[:-1], pixels[1:], strict=True):
        middle = axis.at((left + right) / 2, width)
        said: list[str] = []
        at = 0
        for line in solid:
            curves = line.curves
            nearest = int(np.abs(np.log1p(curves.epochs) - np.log1p(max(middle - BEFORE_FIRST, 0.0))).argmin())
            at = int(curves.epochs[nearest])
            said.append(
                f"{line.condition}: {number(curves.median[nearest])} "
                f"[{number(curves.low[nearest])}, {number(curves.high[nearest])}]"
            )
        text = f"{HOVER}{quantity} at epoch {count(at)}, median [10-90 %]\n" + "\n".join(said)
        rows.append({"epoch": axis.at(left, width), "right": axis.at(right, width), "text": text})
    return (
        tables(rows)
        .mark_rect(opacity=0, fill=INK.soft[0])
        .encode(x=x, x2="right:Q", y=alt.value(0), y2=alt.value(height), description="text:N")
        .properties(name=f"zones{abs(hash(quantity)) % 997}")
    )
