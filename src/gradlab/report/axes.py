"""Sizes and axes: every figure is defined once and drawn in several sizes, so that type stays readable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradlab.report.numbers import count, number, power

__all__ = [
    "BEFORE_FIRST",
    "NARROW",
    "THUMB",
    "WIDE",
    "Axis",
    "Node",
    "Size",
    "epoch_axis",
    "spread",
    "value_axis",
]

Node = dict[str, Any]
"""A part of a Vega-Lite specification."""

BEFORE_FIRST = 0.5
"""Where epoch 0 stands on a logarithmic axis, which has no zero."""

FEW_EPOCHS = 20
"""Up to so many epochs stand on a linear axis."""


@dataclass(frozen=True)
class Size:
    """How large a figure is drawn.

    Attributes:
        name: `wide`, `narrow` or `thumb`.
        width: Whole width in pixels.
        left: Room for the labels of the vertical axis.
        label: Room for direct labels at the right.
        type: Font size in pixels.
    """

    name: Literal["wide", "narrow", "thumb"]
    width: int
    left: int
    label: int
    type: float

    @property
    def plot(self) -> int:
        """Width of the plot when there are labels at its right."""
        return self.width - self.left - self.label

    @property
    def full(self) -> int:
        """Width of the plot when there are none."""
        return self.width - self.left - 12


WIDE = Size("wide", 900, 52, 178, 13)
NARROW = Size("narrow", 344, 42, 76, 11.5)
THUMB = Size("thumb", 280, 4, 4, 9)


@dataclass(frozen=True)
class Axis:
    """A scale with its ticks.

    Attributes:
        low: Lower end.
        high: Upper end.
        log: Whether the scale is logarithmic.
        ticks: Where the ticks are.
        names: What stands at each tick.
        title: The quantity and its unit.
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]
    names: tuple[str, ...]
    title: str

    def place(self, value: float | NDArray[np.float64], length: float) -> Any:
        """Pixels from the lower end."""
        low, high = self._turned(self.low), self._turned(self.high)
        return (self._turned(value) - low) / (high - low) * length

    def at(self, pixels: float, length: float) -> float:
        """The value at so many pixels from the lower end."""
        low, high = self._turned(self.low), self._turned(self.high)
        turned = low + pixels / length * (high - low)
        return float(10.0**turned) if self.log else float(turned)

    def _turned(self, value: Any) -> Any:
        return np.log10(np.maximum(value, 1e-300)) if self.log else value

    def encode(
        self,
        field: str,
        channel: Literal["x", "y"],
        size: Size,
        *,
        title: bool = True,
        grid: bool | None = None,
        labels: bool = True,
    ) -> Node:
        """The Vega-Lite channel of a data field on this axis.

        Args:
            field: The data field.
            channel: "x" or "y".
            size: The size of the figure.
            title: Whether the axis says what it shows.
            grid: Whether there are grid lines; by default on the vertical axis only.
            labels: Whether ticks carry their values.

        Returns:
            The channel.
        """
        bare = size.name == "thumb"
        names = ",".join(f"'{name}'" for name in self.names)
        # A tick's label is found by its place among the ticks: exact, whatever the renderer makes of 1e-4.
        where = ",".join(repr(float(tick)) for tick in self.ticks)
        axis: Node = {
            "values": list(self.ticks),
            "labelExpr": f"[{names}][indexof([{where}], datum.value)]",
            "title": self.title if title else None,
            "grid": channel == "y" if grid is None else grid,
            "labels": labels and not bare,
            "ticks": channel == "x" and labels and not bare,
            "domain": channel == "x",
            "labelOverlap": "greedy",
        }
        if channel == "y":
            # One extent for all panels of a page, so that their plots begin at one place.
            axis |= {"minExtent": size.left - 4, "maxExtent": size.left - 4, "labelPadding": 9}
        if channel == "y" and title and not bare:
            # Horizontal, above the axis: read without turning one's head.
            axis |= {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleBaseline": "bottom"}
            axis |= {"titleX": -size.left + 4, "titleY": -10}
        scale = {
            "type": "log" if self.log else "linear",
            "domain": [self.low, self.high],
            "nice": False,
            "zero": False,
        }
        return {
            "field": field,
            "type": "quantitative",
            "scale": scale,
            "axis": None if bare and not grid else axis,
        }


def epoch_axis(last: int, size: Size, *, title: str = "epoch", first: float = BEFORE_FIRST) -> Axis:
    """The axis of epochs: logarithmic, with epoch 0 at its left edge; linear for a few epochs."""
    if last <= FEW_EPOCHS:
        step = max(1, last // 5)
        ticks = tuple(float(tick) for tick in range(0, last + 1, step))
        return Axis(0.0, float(max(last, 1)), False, ticks, tuple(count(int(tick)) for tick in ticks), title)
    ticks = [10.0**k for k in range(math.ceil(math.log10(max(first, 1))), int(math.log10(last) + 1e-9) + 1)]
    names = [count(int(tick)) if tick < 1e5 else power(round(math.log10(tick))) for tick in ticks]
    if len(ticks) < 3:
        ticks = _fine_ticks(max(first, 1.0), float(last), most=8 if size.name == "wide" else 4)
        names = [count(int(tick)) if tick < 1e5 else number(tick, typographic=True) for tick in ticks]
    elif size.name == "narrow":
        names = [name if index % 2 == 0 or len(names) < 4 else "" for index, name in enumerate(names)]
    if first < 1:
        ticks, names = [first, *ticks], ["0", *names]
    return Axis(first, float(last), True, tuple(ticks), tuple(names), title)


def _fine_ticks(low: float, high: float, most: int) -> list[float]:
    """Ticks within a decade or two, the densest of three patterns that is not crowded."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for pattern in ((1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**k for k in decades for m in pattern if low <= m * 10.0**k <= high]
        if len(ticks) <= most:
            return ticks or [low, high]
    return [low, high]


def value_axis(
    values: Sequence[float] | NDArray[np.float64],
    title: str,
    *,
    log: bool | None = None,
    pad: float = 0.06,
    tick: Callable[[float], str] | None = None,
    ends: tuple[float, float] | None = None,
) -> Axis:
    """An axis that holds all finite values.

    Args:
        values: What will be drawn; what is not finite is left out.
        title: The quantity and its unit.
        log: Whether it is logarithmic; by default where all values are positive and span more than a factor 5.
        pad: Room at both ends, as a share of the length.
        tick: How ticks of a linear axis are written; three digits otherwise, or as many as tell them apart.
        ends: What no tick of a linear axis lies beyond.

    Returns:
        The axis; from 0 to 1 where nothing is finite.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    positive = finite[finite > 0]
    if not len(finite):
        return Axis(0.0, 1.0, False, (0.0, 1.0), ("0", "1"), title)
    if log is None:
        log = len(positive) == len(finite) and positive.max() > 5 * positive.min()
    if log and len(positive):
        return _log_axis(float(positive.min()), float(positive.max()), title, pad)
    low, high = float(finite.min()), float(finite.max())
    room = (high - low) * pad if high > low else abs(high) * 0.1 or 1.0
    ticks = _even_ticks(low - room, high + room)
    if ends is not None:
        ticks = tuple(each for each in ticks if ends[0] <= each <= ends[1])
    return Axis(low - room, high + room, False, ticks, _told_apart(ticks, tick), title)


def _told_apart(ticks: tuple[float, ...], tick: Callable[[float], str] | None) -> tuple[str, ...]:
    """What stands at the ticks of a linear axis: three digits, or as many as no two ticks share."""
    if tick:
        return tuple(map(tick, ticks))
    names: tuple[str, ...] = ()
    for digits in range(3, 13):
        names = tuple(number(each, digits, typographic=True) for each in ticks)
        if len(set(names)) == len(names):
            break
    return names


def _log_axis(low: float, high: float, title: str, pad: float) -> Axis:
    room = max((math.log10(high) - math.log10(low)) * pad, 0.05)
    bottom, top = math.log10(low) - room, math.log10(high) + room
    exponents = range(math.ceil(bottom - 1e-9), math.floor(top + 1e-9) + 1)
    if len(exponents) >= 2:
        step = math.ceil(len(exponents) / 8)
        chosen = [k for k in exponents if k % step == 0]
        return Axis(
            10**bottom, 10**top, True, tuple(10.0**k for k in chosen), tuple(power(k) for k in chosen), title
        )
    ticks = [m * 10.0**k for k in range(math.floor(bottom), math.ceil(top) + 1) for m in (1, 2, 3, 5, 7)]
    ticks = [tick for tick in ticks if 10**bottom <= tick <= 10**top]
    if len(ticks) < 2:
        ticks = list(_even_ticks(10**bottom, 10**top))
    names = tuple(number(tick, 2, typographic=True) for tick in ticks)
    return Axis(10**bottom, 10**top, True, tuple(ticks), names, title)


def _even_ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    rough = (high - low) / about
    scale = 10 ** math.floor(math.log10(rough))
    step = next(scale * m for m in (1, 2, 2.5, 5, 10) if scale * m >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(k * step, 12) for k in range(first, last + 1))


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least `gap` apart, as near to the wanted ones as order allows, within [low, high].

    Example:
        >>> spread([10.0, 12.0, 50.0], 10, 0, 100)
        [6.0, 16.0, 50.0]
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    groups: list[tuple[list[int], float]] = []
    for index in order:
        groups.append(([index], float(wanted[index])))
        while len(groups) > 1:
            (left, a), (right, b) = groups[-2:]
            if b - (len(right) - 1) / 2 * gap - (a + (len(left) - 1) / 2 * gap) >= gap:
                break
            groups[-2:] = [(left + right, (a * len(left) + b * len(right)) / (len(left) + len(right)))]
    places = [0.0] * len(wanted)
    for members, centre in groups:
        for step, index in enumerate(members):
            places[index] = centre + (step - (len(members) - 1) / 2) * gap
    # Pushed in from both ends; the lower end wins where there is not enough room.
    for step, index in enumerate(reversed(order)):
        places[index] = min(places[index], high - step * gap)
    for step, index in enumerate(order):
        places[index] = max(places[index], low + step * gap)
    return places
