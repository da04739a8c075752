"""What is drawn of curves: the curves themselves, published values, and the rows that each layer of a panel takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab.report.axes import Axis, Size
from gradlab.report.frame import HOVER
from gradlab.report.numbers import count
from gradlab.report.scales import Scale
from gradlab.report.summary import Curves, envelope

__all__ = ["SINGLE_RUNS", "Drawing", "Line", "Mark", "Reference", "Rows"]

SINGLE_RUNS = 30
"""Up to this many runs a condition, each is drawn."""

Rows = list[dict[str, Any]]
_HELD_OUT = ("test", "validation")
_MARKERS = 5


@dataclass(frozen=True)
class Line:
    """The curves of one condition.

    Attributes:
        condition: Its name.
        curves: What is drawn.
        split: Where or how it was measured, such as `test`; empty for what is drawn solid.
    """

    condition: str
    curves: Curves
    split: str = ""


@dataclass(frozen=True)
class Mark:
    """A published value, drawn as a diamond; its outline is dashed where it belongs to no solid line."""

    condition: str
    epoch: int
    value: float
    text: str
    split: str = ""


@dataclass(frozen=True)
class Reference:
    """A value that means something by itself, such as that of guessing, drawn as a thin line with its name."""

    value: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """Rows for the layers: epochs and values moved onto the axes they are drawn on."""

    shown: Sequence[Line]
    x: Axis
    y: Axis
    scale: Scale

    @property
    def solid(self) -> list[Line]:
        """The curves of the training set."""
        return [line for line in self.shown if not line.split]

    @property
    def dashed(self) -> list[Line]:
        """The curves of held-out sets, which have hollow markers."""
        return [line for line in self.shown if line.split in _HELD_OUT]

    def named(self, size: Size) -> list[Line]:
        """The curves that have a name at their end: those of held-out sets where there is room."""
        few = len(self.solid) <= (4 if size.name == "wide" else 1)
        return [*self.solid, *self.dashed] if few else self.solid

    def name(self, line: Line) -> str:
        """What stands at the end of a line."""
        if len({each.condition for each in self.shown}) == 1 and self.dashed:
            return line.split or "train"
        return f"{line.condition} {line.split}".rstrip()

    def epoch(self, at: float) -> float:
        """An epoch as it is drawn: epoch 0 at the left edge."""
        return max(float(at), self.x.low)

    def value(self, value: float) -> float | None:
        """A value as it is drawn: zeros and infinities at the edges, nothing where nothing is known."""
        return None if math.isnan(value) else min(max(float(value), self.y.low), self.y.high)

    def runs(self, bins: int) -> Rows:
        """Single runs of solid lines, thinned to so many bins."""
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

    def bands(self) -> Rows:
        """The bands between the 10 and the 90 % quantile over runs."""
        return [
            {
                "epoch": self.epoch(at),
                "value": self.value(low),
                "high": self.value(high),
                "condition": line.condition,
                "line": f"{line.condition} {line.split}",
            }
            for line in (*self.solid, *self.dashed)
            if line.curves.n > 1
            for at, low, high in zip(line.curves.epochs, line.curves.low, line.curves.high, strict=True)
            if np.isfinite(low)
        ]

    def medians(self) -> Rows:
        """The medians over runs."""
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

    def markers(self, among: Sequence[Line], width: float) -> Rows:
        """A few markers a line, shifted from condition to condition so that they do not cover each other."""
        rows: Rows = []
        for index, line in enumerate(among):
            finite = np.flatnonzero(np.isfinite(line.curves.median))
            if not len(finite):
                continue
            places = np.array([self.x.place(self.epoch(at), width) for at in line.curves.epochs[finite]])
            wanted = width / _MARKERS * (np.arange(_MARKERS) + 0.35 + 0.5 * index / max(1, len(among)))
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

    def crosses(self) -> Rows:
        """Where runs diverged."""
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

    def marks(self, marks: Sequence[Mark]) -> Rows:
        """Published values."""
        return [
            {
                "epoch": self.epoch(mark.epoch),
                "value": mark.value,
                "condition": mark.condition,
                "text": HOVER + mark.text,
            }
            for mark in marks
        ]
