"""How the values of a quantity are written and drawn: accuracies in per cent, epochs as whole numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gradlab.report.numbers import epoch, number, points, rate
from gradlab.report.words import quantity
from gradlab.study.instruments.spoken import number_kind
from gradlab.study.known import BY_PLACE

__all__ = ["PLAIN", "Scale", "scale_of"]

_RATES = frozenset({"accuracy"})
_POINTS = frozenset({"accuracy_gap"})


def _typographic(value: float) -> str:
    return number(value, 3, typographic=True)


@dataclass(frozen=True)
class Scale:
    """How values are written and on which axis they lie.

    Attributes:
        write: A value as figures and sentences have it.
        table: A value as tables have it.
        tick: A value at an axis; `None` for the axis's own choice.
        log: Whether the axis is logarithmic; `None` where the span of the values decides.
        ends: What no value lies beyond.
    """

    write: Callable[[float], str] = _typographic
    table: Callable[[float], str] = number
    tick: Callable[[float], str] | None = None
    log: bool | None = None
    ends: tuple[float, float] | None = None


def _percent(value: float, *, typographic: bool = False) -> str:
    """A share in per cent with three digits."""
    return f"{number(100 * value, typographic=typographic)} %" if math.isfinite(value) else number(value)


PLAIN = Scale()
"""Values in no particular unit."""

_EPOCHS = Scale(epoch, epoch)
_SHARE = Scale(rate, rate, lambda value: f"{number(100 * value)} %", False, (0.0, 1.0))
_PART = Scale(
    lambda value: _percent(value, typographic=True),
    lambda value: _percent(value),
    lambda value: f"{number(100 * value)} %",
    False,
    (0.0, 1.0),
)
_DIFFERENCE = Scale(points, points, lambda value: number(100 * value, typographic=True), False)


def scale_of(given: object) -> Scale:
    """The scale of a quantity.

    Args:
        given: A quantity, or its text.

    Returns:
        The scale.

    Example:
        >>> scale_of("accuracy.test@last").write(0.9837), scale_of("loss").write(0.00049181)
        ('98.37 %', '4.92×10⁻⁴')
    """
    found = quantity(given)
    if found.is_epoch:
        return _EPOCHS
    if found.reducer in {"slope", "roughness"}:
        return PLAIN
    if found.instrument:
        return _of_instrument(found.instrument, found.split, by_place=found.reducer in BY_PLACE)
    if found.name in _RATES:
        return _SHARE
    return _DIFFERENCE if found.name in _POINTS else PLAIN


def _of_instrument(kind: str, value: str, *, by_place: bool) -> Scale:
    """The scale of an instrument's value; a place on its axis is a plain number."""
    if by_place:
        return Scale(log=False)
    return {"share": _PART, "accuracy": _SHARE, "points": _DIFFERENCE, "plain": PLAIN}[
        number_kind(kind, value)
    ]
