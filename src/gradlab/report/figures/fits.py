"""Fitted curves over the truth: the median prediction with its 10-90 % band, a small panel per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.frame import Tables, field, layered, stacked
from gradlab.report.palette import BAND_OPACITY, INK, Style
from gradlab.report.summary import quantiles

__all__ = ["Fit", "fits"]

_DRAWN = {"wide": 320, "narrow": 200}
_PANELS = 8
"""With more panels than this, each has fewer points."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Predictions of one condition for a function of one variable.

    Attributes:
        condition: Its name.
        x: Grid in rising order, [G].
        truth: The function there, [G].
        outputs: Predictions of each run, [n, G]; NaN for runs that diverged.
    """

    condition: str
    x: NDArray[np.float64]
    truth: NDArray[np.float64]
    outputs: NDArray[np.float64]

    @property
    def errors(self) -> NDArray[np.float64]:
        """Root mean square error of each run over the grid; infinite for runs that diverged, [n]."""
        found = np.sqrt(np.mean((self.outputs - self.truth) ** 2, axis=1))
        return np.where(np.isnan(found), np.inf, found)


def fits(shown: Sequence[Fit], styles: Mapping[str, Style], size: Size, tables: Tables) -> Node:
    """Panels that share both axes, one under the other so that the horizontal detail stays readable.

    Args:
        shown: The conditions, from the top.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.

    Returns:
        A Vega-Lite view.
    """
    bands = [_band(fit) for fit in shown]
    everything = np.concatenate([
        np.concatenate([fit.truth for fit in shown]),
        *(part for band in bands for part in band),
    ])
    reach = [float(np.nanmin(shown[0].truth)), float(np.nanmax(shown[0].truth))]
    room = 0.35 * (reach[1] - reach[0] or 1.0)
    # A run that is far off would flatten all panels: they reach a third beyond the function at most.
    y_axis = value_axis(np.clip(everything, reach[0] - room, reach[1] + room), "output", log=False)
    x_axis = value_axis(np.concatenate([fit.x for fit in shown]), "x", log=False, pad=0.0)
    points = int(_DRAWN.get(size.name, 200) * min(1.0, _PANELS / len(shown)))
    height = 118 if size.name == "wide" else 92
    panels = [
        _panel(
            fit,
            band,
            styles[fit.condition],
            size,
            tables,
            (x_axis, y_axis),
            height,
            points,
            last=index == len(shown) - 1,
            first=index == 0,
        )
        for index, (fit, band) in enumerate(zip(shown, bands, strict=True))
    ]
    return stacked(panels, spacing=10)


def _band(fit: Fit) -> tuple[Floats, Floats, Floats]:
    alive = fit.outputs[np.isfinite(fit.outputs).all(axis=1)]
    if not len(alive):
        empty = np.full_like(fit.x, np.nan)
        return empty, empty, empty
    low, middle, high = quantiles(alive, (0.1, 0.5, 0.9))
    return low, middle, high


def _panel(
    fit: Fit,
    band: tuple[Floats, Floats, Floats],
    style: Style,
    size: Size,
    tables: Tables,
    axes: tuple[Axis, Axis],
    height: int,
    points: int,
    *,
    last: bool,
    first: bool,
) -> Node:
    x_axis, y_axis = axes
    low, middle, high = band
    kept = np.unique(np.linspace(0, len(fit.x) - 1, min(len(fit.x), points)).round().astype(int))
    rows = [
        {
            "x": float(fit.x[at]),
            "truth": float(fit.truth[at]),
            "value": _finite(float(middle[at])),
            "low": _finite(float(low[at])),
            "high": _finite(float(high[at])),
        }
        for at in kept
    ]
    lower = [row for row in rows if row["value"] is not None]
    x = x_axis.encode("x", "x", size, title=last, grid=False, labels=last)
    y = y_axis.encode("value", "y", size, title=first)
    name = f"{style.symbol} {fit.condition}"
    halo = {"strokeWidth": 5, "clip": True, "color": INK.rule[0], "opacity": 0.8, "strokeJoin": "round"}
    area = {"opacity": BAND_OPACITY + 0.08, "clip": True, "color": style.line}
    stroke = {"strokeWidth": 1.8, "clip": True, "color": style.line}
    text = {
        "align": "left",
        "baseline": "top",
        "fontSize": size.type,
        "fontWeight": 600,
        "color": style.label,
    }
    layers = [
        tables(rows, "line", halo, x=x, y=y | {"field": "truth"}),
        tables(lower, "area", area, x=x, y=y | {"field": "low"}, y2={"field": "high"}),
        tables(lower, "line", stroke, x=x, y=y),
        tables([{"text": name}], "text", text, x={"value": 6}, y={"value": 2}, text=field("text")),
    ]
    return layered(layers, size.full, height)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
