"""What an instrument hands back: numbers that know what they are, how sure they are and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "Measurement", "Row", "Value", "spread"]

Floats = NDArray[np.float64]

Uncertainty = Literal["none", "standard error", "residual", "bound", "band"]

COLUMNS = ("value", "axis", "place", "index", "number", "low", "high")
"""What a row of `spread` holds: the name of a value, what its places are, the place, which of the numbers there if
there are several, the number, the lowest and the highest that it may be; `None` where there is no such thing."""

Row = tuple[str, str, float | None, int | None, float | None, float | None, float | None]


@dataclass(frozen=True)
class Value:
    """One measured number, or one for each place along an axis.

    Attributes:
        value: The number, or float64 `[k]` along `axis`, or `[k, ...]` where it is an array to draw.
        means: The definition in a few words, with scaling and unit.
        error: How far it may be off, as `uncertainty` says; the shape of `value`, or of a band `[2, k]`.
        uncertainty: "none" for what is exact up to rounding; "standard error" of a randomised estimate;
            "residual" for an eigenpair; "bound" that is certain; "band" for lowest and highest.
        axis: What the places are ("alpha", "rank", "component", "batch"); empty for one number.
        places: Positions along the axis, float64 `[k]`; `None` for one number.
    """

    value: float | Floats
    means: str
    error: float | Floats | None = None
    uncertainty: Uncertainty = "none"
    axis: str = ""
    places: Floats | None = None

    def __float__(self) -> float:
        return float(self.value)

    def __array__(self, dtype: object = None, copy: bool | None = None) -> Floats:
        del dtype, copy
        return np.asarray(self.value, np.float64)

    def __str__(self) -> str:
        return f"{_short(self.value)}{_off(self)}  {self.means}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; what is not finite is text."""
        found: dict[str, Any] = {
            "value": _plain(self.value),
            "means": self.means,
            "uncertainty": self.uncertainty,
        }
        if self.error is not None:
            found["error"] = _plain(self.error)
        if self.axis:
            found |= {"axis": self.axis, "places": None if self.places is None else _plain(self.places)}
        return found


@dataclass(frozen=True, repr=False)
class Measurement(Mapping[str, Value]):
    """What one instrument found on one network, pair or set of networks.

    Attributes:
        instrument: Its name, such as `spectrum`.
        values: The values by name.
        settings: What it was done with: data, mode, dtype, parameters, tolerances, probes.
        gradients: The cost, in full-batch gradients of the same loss.
        warnings: What a reader should know before quoting a number.

    Example:
        >>> print(Measurement("trace", {"trace": Value(12.34567, "sum of eigenvalues", 0.5, "standard error")}))
        trace  (0 gradients)
          trace  12.3  +/- 0.5  sum of eigenvalues
    """

    instrument: str
    values: Mapping[str, Value]  # pyright: ignore[reportIncompatibleMethodOverride]
    settings: Mapping[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    gradients: float = 0.0
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        lines = [f"{self.instrument}  ({self.gradients:,.0f} gradients)"]
        lines += [
            f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {error:<{widths[2]}}  {means}".rstrip()
            for name, value, error, means in rows
        ]
        if self.settings:
            lines.append(
                "  " + ", ".join(f"{name}: {_setting(value)}" for name, value in self.settings.items())
            )
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in self.warnings)])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data: values with errors and definitions, settings, cost and warnings."""
        return {
            "instrument": self.instrument,
            "values": {name: value.to_dict() for name, value in self.values.items()},
            "settings": dict(self.settings),
            "gradients": _plain(self.gradients),
            "warnings": list(self.warnings),
        }

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (name, _short(value.value), _off(value).strip(), value.means)
            for name, value in self.values.items()
        ]

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._rows()
        )
        settings = escape(", ".join(f"{name}: {_setting(value)}" for name, value in self.settings.items()))
        warnings = "".join(f"<p><strong>Warning:</strong> {escape(each)}</p>" for each in self.warnings)
        head = "<tr><th>value</th><th></th><th>error</th><th>definition</th></tr>"
        caption = f"{escape(self.instrument)} ({self.gradients:,.0f} gradients)"
        return f"<table><caption>{caption}</caption>{head}{rows}</table><p>{settings}</p>{warnings}"


def spread(values: Mapping[str, Value]) -> Iterator[Row]:
    """Every number of some values on its own; one row without a number where there are no values.

    Args:
        values: The values by name.

    Yields:
        The numbers in the order of the values, and of the places of each, with `COLUMNS`. Errors become ends:
        those of a band are the band's, any other error is taken off and added.

    Example:
        >>> pair = Value(np.array([1.0, 2.0]), "a pair", np.array([0.5, 0.25]), "bound", "rank", np.array([1.0, 2.0]))
        >>> for row in spread({"top": pair}):
        ...     print(*row)
        top rank 1.0 None 1.0 0.5 1.5
        top rank 2.0 None 2.0 1.75 2.25
    """
    if not values:
        yield "", "", None, None, None, None, None
    for name, value in values.items():
        numbers = np.asarray(value.value, np.float64)
        width = int(np.prod(numbers.shape[1:])) if numbers.ndim else 1
        low, high = (None if end is None else end.reshape(-1).tolist() for end in _ends(value, numbers))
        places = None if value.places is None or not numbers.ndim else value.places.tolist()
        for each, number in enumerate(numbers.reshape(-1).tolist()):
            yield (
                name,
                value.axis,
                None if places is None else float(places[each // width]),
                each % width if numbers.ndim > 1 else None,
                number,
                None if low is None else low[each],
                None if high is None else high[each],
            )


def _ends(value: Value, numbers: Floats) -> tuple[Floats | None, Floats | None]:
    """The lowest and the highest that a value may be: its band, or itself with its error taken and added."""
    if value.error is None:
        return None, None
    error = np.asarray(value.error, np.float64)
    if value.uncertainty == "band" and error.shape == (2, *numbers.shape):
        return error[0], error[1]
    off = np.broadcast_to(error, numbers.shape)
    return numbers - off, numbers + off


def _number(value: float) -> str:
    """Three significant digits; whole numbers as they are."""
    value = float(value)
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.3g}"


def _short(value: float | Floats) -> str:
    """A number, a few of them, or how many there are and between which."""
    array = np.asarray(value, np.float64)
    if not array.ndim:
        return _number(float(array))
    if array.ndim == 1 and len(array) <= 5:
        return ", ".join(_number(each) for each in array)
    shape = " x ".join(str(size) for size in array.shape)
    if not array.size or np.isnan(array).all():
        return f"{shape} numbers"
    return f"{shape} from {_number(np.nanmin(array))} to {_number(np.nanmax(array))}"


def _off(value: Value) -> str:
    """How far a value may be off, or the worst of several."""
    if value.error is None:
        return ""
    error = np.asarray(value.error, np.float64)
    if value.uncertainty == "band":
        return f" [{_number(float(error[0]))}, {_number(float(error[1]))}]" if error.ndim == 1 else ""
    return f" +/- {_number(float(error.max()))}" if error.size else ""


def _setting(value: str | int | float) -> str:
    return value if isinstance(value, str) else _number(value)


def _plain(value: float | Floats) -> Any:
    """Numbers as lists; what is not finite as text."""
    array = np.asarray(value, np.float64)
    if not array.ndim:
        return float(array) if np.isfinite(array) else str(float(array))
    return [_plain(each) for each in array]
