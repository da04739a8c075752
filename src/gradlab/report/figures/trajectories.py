"""Paths through weight space on the plane of two components, and what components explain beside random walks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.figures.panels import Profile, profiles
from gradlab.report.frame import HOVER, Tables, field, layered
from gradlab.report.numbers import count
from gradlab.report.palette import INK, Style
from gradlab.report.scales import Scale, scale_of

__all__ = ["Paths", "Variance", "plane", "variance"]

Floats = NDArray[np.float64]
_SHOWN = 10
_ARROW = "M0,-1L0.65,0.8L0,0.4L-0.65,0.8Z"


@dataclass(frozen=True)
class Paths:
    """The runs of one set on a plane.

    Attributes:
        places: Positions, [rows, 2].
        run: Which run a row is of, [rows].
        epoch: Its epoch, [rows].
        shares: Share of the variance on each of the two axes, NaN where the axes are not components of these rows.
    """

    places: Floats
    run: Floats
    epoch: Floats
    shares: tuple[float, float] = (float("nan"), float("nan"))

    def moved(self) -> Paths:
        """The same, each run from its own start."""
        places = self.places.copy()
        for run in np.unique(self.run):
            rows = np.flatnonzero(self.run == run)
            places[rows] -= self.places[rows[np.argmin(self.epoch[rows])]]
        return Paths(places, self.run, self.epoch)


@dataclass(frozen=True)
class Variance:
    """Shares of the variance by component.

    Attributes:
        condition: Whose they are.
        shares: One row a set, [n, k].
        null: Mean over random walks, [k].
        band: The 2.5 and 97.5 % percentiles of random walks, [2, k].
    """

    condition: str
    shares: Floats
    null: Floats
    band: Floats


def plane(
    paths: Paths, colours: Sequence[Style], size: Size, tables: Tables, *, width: int, height: int
) -> Node:
    """Lines with an arrow at the end and a ring at the start, one a run, on axes of equal scale.

    Args:
        paths: The runs.
        colours: A style for each run.
        size: The size.
        tables: Takes the rows.
        width: Of the plot.
        height: Of the plot.

    Returns:
        A Vega-Lite view.
    """
    x, y = _equal(paths, width, height)
    across, up = x.encode("x", "x", size, grid=True), y.encode("y", "y", size)
    layers: list[Node] = []
    for place, run in enumerate(np.unique(paths.run).tolist()):
        kept = np.flatnonzero((paths.run == run) & np.isfinite(paths.places).all(axis=1))
        kept = kept[np.argsort(paths.epoch[kept], kind="stable")]
        if not len(kept):
            continue
        style = colours[place % len(colours)]
        rows = [
            {"x": float(a), "y": float(b), "epoch": float(epoch)}
            for (a, b), epoch in zip(paths.places[kept], paths.epoch[kept], strict=True)
        ]
        line = {"strokeWidth": 1.8, "color": style.line, "opacity": 0.9, "strokeJoin": "round"}
        order = {"field": "epoch", "type": "quantitative"}
        layers.append(tables(rows, "line", line, x=across, y=up, order=order))
        first = rows[0] | {"text": f"{HOVER}run {int(run) + 1}: start, epoch {count(int(rows[0]['epoch']))}"}
        ring = {"shape": "circle", "size": 40, "fill": INK.paper[0], "stroke": style.line, "opacity": 1}
        layers.append(
            tables([first], "point", ring | {"strokeWidth": 1.6}, x=across, y=up, description=field("text"))
        )
        last = rows[-1] | {"text": f"{HOVER}run {int(run) + 1}: end, epoch {count(int(rows[-1]['epoch']))}"}
        turn = _turn(paths.places[kept], x, y, width, height)
        arrow = {"shape": _ARROW, "size": 110, "filled": True, "color": style.line, "opacity": 1}
        layers.append(
            tables([last], "point", arrow | {"angle": turn}, x=across, y=up, description=field("text"))
        )
    return layered(layers, width, height)


def _turn(places: Floats, x: Axis, y: Axis, width: float, height: float) -> float:
    """Degrees, clockwise from upwards, in which a path ends, on the page."""
    ends = np.stack([x.place(places[:, 0], width), y.place(places[:, 1], height)], axis=1)
    away = np.flatnonzero(np.linalg.norm(ends - ends[-1], axis=1) > 3)
    step = ends[-1] - ends[away[-1] if len(away) else 0]
    return float(np.degrees(np.arctan2(step[0], step[1])) % 360)


def _equal(paths: Paths, width: int, height: int) -> tuple[Axis, Axis]:
    """Axes of equal scale that hold all rows."""
    finite = paths.places[np.isfinite(paths.places).all(axis=1)]
    if not len(finite):
        finite = np.zeros((1, 2))
    low, high = finite.min(axis=0), finite.max(axis=0)
    per_pixel = float(max((high - low) / np.array([width, height]))) * 1.16 or 1.0 / width
    axes: list[Axis] = []
    for at, length in enumerate((width, height)):
        middle, half = (low[at] + high[at]) / 2, per_pixel * length / 2
        axis = value_axis(
            [middle - half, middle + half], _component(at, paths.shares[at]), log=False, pad=0.0
        )
        axes.append(axis)
    return axes[0], axes[1]


def _component(at: int, share: float) -> str:
    name = ("first", "second")[at] + " component"
    return f"{name} ({scale_of('trajectory.explained_two').write(share)})" if np.isfinite(share) else name


def variance(
    shown: Variance,
    style: Style,
    size: Size,
    tables: Tables,
    *,
    width: int,
    height: int,
) -> Node:
    """Shares by component over sets, over the band of random walks of the same layout."""
    many = min(_SHOWN, shown.shares.shape[1])
    at = np.arange(1.0, many + 1)
    scale: Scale = scale_of("trajectory.explained_two")
    values = np.concatenate([shown.shares[:, :many].ravel(), shown.band[:, :many].ravel(), [0.0]])
    y = value_axis(values, "share of the variance", log=False, tick=scale.tick, ends=(0.0, 1.0))
    ticks = tuple(float(k) for k in at)
    x = Axis(0.6, many + 0.4, False, ticks, tuple(count(int(k)) for k in at), "component")
    across, up = x.encode("place", "x", size, grid=False), y.encode("value", "y", size)
    grey = [
        {"place": float(k), "low": float(low), "high": float(high), "value": float(mean)}
        for k, low, high, mean in zip(
            at, shown.band[0, :many], shown.band[1, :many], shown.null[:many], strict=True
        )
        if np.isfinite(mean)
    ]
    area = {"color": INK.soft[0], "opacity": 0.25}
    line = {"color": INK.soft[0], "strokeWidth": 1.6}
    names = [{"text": "random walks"}]
    text = {"align": "right", "baseline": "top", "fontSize": size.type, "fontWeight": 600}
    below = {"value": 8 + size.type + 5}
    under = [
        tables(grey, "area", area, x=across, y=up | {"field": "low"}, y2={"field": "high"}),
        tables(grey, "line", line, x=across, y=up),
        tables(
            names, "text", text | {"color": INK.soft[0]}, x={"value": width - 4}, y=below, text=field("text")
        ),
        tables(
            [{"text": f"{style.symbol} trained networks"}],
            "text",
            text | {"color": style.label},
            x={"value": width - 4},
            y={"value": 8},
            text=field("text"),
        ),
    ]
    return profiles(
        [Profile(shown.condition, at, shown.shares[:, :many])],
        {shown.condition: style},
        size,
        tables,
        x=x,
        y=y,
        width=width,
        height=height,
        scale=scale,
        unit="set",
        under=under,
        dots=True,
    )
