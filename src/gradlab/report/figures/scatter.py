"""Two quantities of the same runs against each other, a colour and a marker per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report.axes import Node, Size, value_axis
from gradlab.report.frame import HOVER, Tables, colour, field, layered, shape
from gradlab.report.numbers import number
from gradlab.report.palette import Style

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
) -> Node:
    """A dot per run.

    Args:
        clouds: The conditions.
        styles: How conditions look.
        size: The size.
        tables: Takes the rows.
        x_title: The first quantity.
        y_title: The second quantity.

    Returns:
        A Vega-Lite view.
    """
    known = {cloud.condition: styles[cloud.condition] for cloud in clouds}
    x = value_axis(np.concatenate([cloud.x for cloud in clouds]), x_title).encode("x", "x", size, grid=True)
    y = value_axis(np.concatenate([cloud.y for cloud in clouds]), y_title).encode("y", "y", size)
    rows = [
        {
            "x": float(a),
            "y": float(b),
            "condition": cloud.condition,
            "text": f"{HOVER}{cloud.condition}, replicate {int(replicate)}: {number(a)}, {number(b)}",
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
