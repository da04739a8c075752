"""Two quantities of the same runs against each other, a colour and a marker per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.frame import HOVER, Tables, colour, field, layered, shape
from gradlab.report.palette import Style
from gradlab.report.scales import PLAIN, Scale

__all__ = ["Cloud", "scatter"]


@dataclass(frozen=True)
class Cloud:
    """The runs of one condition; values that are not finite are left out of the drawing."""

    condition: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    replicates: NDArray[np.int64]


def scatter(
    clouds: Sequence[Cloud],
    styles: Mapping[str, Style],
    size: Size,
    tables: Tables,
    *,
    x_title: str,
    y_title: str,
    x_scale: Scale = PLAIN,
    y_scale: Scale = PLAIN,
) -> Node:
    """A dot per run.

    Args:
        clouds: The conditions.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.
        x_title: The first quantity.
        y_title: The second quantity.
        x_scale: How the first one's values are written and drawn.
        y_scale: The same of the second one's.

    Returns:
        A Vega-Lite view.
    """
    known = {cloud.condition: styles[cloud.condition] for cloud in clouds}
    x = _axis([cloud.x for cloud in clouds], x_title, x_scale).encode("x", "x", size, grid=True)
    y = _axis([cloud.y for cloud in clouds], y_title, y_scale).encode("y", "y", size)
    rows = [
        {
            "x": float(a),
            "y": float(b),
            "condition": cloud.condition,
            "text": f"{HOVER}{cloud.condition}, replicate {int(replicate)}: {x_scale.table(a)}, {y_scale.table(b)}",
        }
        for cloud in clouds
        for a, b, replicate in zip(cloud.x, cloud.y, cloud.replicates, strict=True)
        if np.isfinite(a) and np.isfinite(b)
    ]
    dot = {"filled": True, "size": 40 if len(rows) < 100 else 18, "opacity": 0.65}
    layer = tables(
        rows, "point", dot, x=x, y=y, color=colour(known), shape=shape(known), description=field("text")
    )
    return layered([layer], size.full, 240)


def _axis(values: Sequence[NDArray[np.float64]], title: str, scale: Scale) -> Axis:
    return value_axis(np.concatenate(values), title, log=scale.log, tick=scale.tick, ends=scale.ends)
