"""Slices of the loss around a network, as a study declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gradlab.study.instruments.base import Instrument, Positive, by_ratio
from gradlab.study.known import Known

__all__ = ["Landscape"]


class Landscape(Instrument):
    """Loss on planes of filter-normalised random directions through a network, several of them.

    Attributes:
        directions: Pairs of directions.
        span: How far the grid goes each way, in filter-normalised lengths.
        points: Grid points each way.
    """

    kind: Literal["landscape"] = "landscape"
    directions: Annotated[int, Field(ge=1)] = 3
    span: Positive = 1.0
    points: Annotated[int, Field(ge=3)] = 21

    gives: ClassVar[Mapping[str, Known]] = {
        "loss": Known("loss on the grid of each pair of directions", shape="array"),
        "coordinates": Known("steps along the two directions, of rows and of columns", shape="array"),
        "centre": by_ratio("loss of the network itself"),
        "curvature": Known("second derivative of the loss along each direction of each pair", shape="array"),
        "cosine": Known("cosine between the directions of a pair", scale="difference", axis="pair"),
        "rise": Known("mean loss of a plane above that of the network", scale="difference", axis="pair"),
        "spread": by_ratio("standard deviation of the curvatures over their mean size"),
    }
