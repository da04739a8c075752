"""The figures of landscapes: the loss on planes of random directions through one network, one small map a plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradlab.report import measured, source
from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.panels import arranged, headed, width_of
from gradlab.report.frame import HOVER, Tables, field, layered
from gradlab.report.instrument_view import MeasuredView
from gradlab.report.numbers import number, plural
from gradlab.report.palette import INK, Style
from gradlab.report.view import ResultView

__all__ = ["landscape_figures"]

Floats = NDArray[np.float64]
_MOST = 3
"""So many planes are drawn of each condition."""


def landscape_figures(result: ResultView) -> list[Figure]:
    """The planes of the first run of each condition."""
    looks = source.looks(result)
    shown = {
        group: found[0]
        for group in measured.groups(result, "landscape")
        if (found := [each for each in measured.last(result, "landscape", group) if _grid(each) is not None])
    }
    if not shown:
        return [Figure("landscape", "Loss around the networks", "", missing="No run has a plane to draw.")]

    def draw(size: Size, tables: Tables) -> Node:
        columns = _MOST if size.name == "wide" else 1
        width = width_of(size, columns)
        panels: list[Node] = []
        for group, each in shown.items():
            grid, steps = _grid(each) or (np.zeros((1, 2, 2)), np.array([-1.0, 1.0]))
            for at, plane in enumerate(grid[:_MOST]):
                panel = _map(plane, steps, grid, looks[group], size, tables, width)
                name = (
                    f"{looks[group].symbol} {group}, plane {at + 1}" if len(shown) > 1 else f"plane {at + 1}"
                )
                panels.append(headed(panel, name, size, looks[group].label))
        return arranged(panels, columns)

    ends: list[str] = []
    for group, each in shown.items():
        grid, _ = _grid(each) or (np.zeros((1, 1, 1)), None)
        centre = float(measured.scalars([each], "centre")[0])
        whose = f"{group}: " if len(shown) > 1 else ""
        low, high = (number(float(end(grid)), typographic=True) for end in (np.nanmin, np.nanmax))
        at = f"{number(centre, typographic=True)} at the network, " if np.isfinite(centre) else ""
        ends.append(f"{whose}{at}{low} to {high} on its planes")
    planes = max(len((_grid(each) or (np.zeros((0,)), 0))[0]) for each in shown.values())
    return [
        Figure(
            "landscape",
            f"The loss is {'; '.join(ends[:2])}",
            f"The first run of each condition on {plural(min(planes, _MOST), 'plane')} of two random directions each, "
            "in filter-normalised lengths; the stronger the colour the higher, logarithmic; cross: the network itself",
            draw=draw,
        )
    ]


def _grid(each: MeasuredView) -> tuple[Floats, Floats] | None:
    """Losses [planes, rows, columns] and the steps; `None` where nothing is finite."""
    grid = measured.array(each, "loss")
    if grid.ndim != 3 or not np.isfinite(grid).any():
        return None
    steps = measured.array(each, "coordinates").ravel()
    if len(steps) != grid.shape[1]:
        steps = np.linspace(-1, 1, grid.shape[1])
    return grid, steps


def _map(
    plane: Floats, steps: Floats, every: Floats, style: Style, size: Size, tables: Tables, width: int
) -> Node:
    """One plane as cells, shaded on a scale that all planes of a network share."""
    floor = max(float(np.nanmin(every)), 1e-300)
    depth = np.log10(np.maximum(every, floor))
    low, span = float(np.nanmin(depth)), float(np.nanmax(depth) - np.nanmin(depth)) or 1.0
    half = (steps[1] - steps[0]) / 2 if len(steps) > 1 else 0.5
    rows = [
        {
            "x": float(c - half),
            "x2": float(c + half),
            "y": float(r - half),
            "y2": float(r + half),
            "shade": float((np.log10(max(plane[i, j], floor)) - low) / span)
            if np.isfinite(plane[i, j])
            else 0.0,
            "text": f"{HOVER}{number(float(r))}, {number(float(c))}: loss {number(float(plane[i, j]))}",
        }
        for i, r in enumerate(steps)
        for j, c in enumerate(steps)
    ]
    x, y = (_steps(steps, half, name) for name in ("first direction", "second direction"))
    across, up = x.encode("x", "x", size, grid=False), y.encode("y", "y", size, grid=False)
    shade = field("shade", "quantitative") | {
        "scale": {"domain": [0, 1], "range": [0.04, 0.95]},
        "legend": None,
    }
    cell = {"color": style.line, "strokeWidth": 0}
    cross = {"shape": "cross", "size": 60, "filled": True, "color": INK.text[0], "opacity": 1}
    layers = [
        tables(
            rows,
            "rect",
            cell,
            x=across,
            x2={"field": "x2"},
            y=up,
            y2={"field": "y2"},
            fillOpacity=shade,
            description=field("text"),
        ),
        tables([{"x": 0.0, "y": 0.0}], "point", cross, x=across, y=up),
    ]
    return layered(layers, width, min(width, 240))


def _steps(steps: Floats, half: float, title: str) -> Axis:
    return value_axis([float(steps[0]) - half, float(steps[-1]) + half], title, log=False, pad=0.0)
