"""How numbers are written, on pages and on the terminal: three digits that matter, never nine.

| kind | written |
|---|---|
| a value | 0.0123, 4.92e-4, 20,000 |
| on figures | 4.92×10⁻⁴ |
| an interval | [0.41, 0.87] |
| a share | 60 % |
| an accuracy | 98.37 % |
| a time | 1 min 12 s |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gradlab.units import NOTHING, duration

__all__ = [
    "count",
    "duration",
    "epoch",
    "interval",
    "number",
    "p_value",
    "percent",
    "plural",
    "points",
    "power",
    "rate",
    "share",
]

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALLEST_PLAIN, _LARGEST_PLAIN = 0.01, 1e6


def number(value: float | None, digits: int = 3, *, typographic: bool = False) -> str:
    """A value with `digits` significant digits; trailing zeros go, thousands are separated.

    Args:
        value: The value; `None` and NaN are written as a dash, infinities as ∞.
        digits: Significant digits.
        typographic: Write powers of ten as `4.9×10⁻⁴` (figures) and not as `4.9e-4` (text).

    Returns:
        The text.

    Example:
        >>> [number(x) for x in (0.00049181, 0.0123456, 1.5, 20000, 12345.678, 3.2e9)]
        ['4.92e-4', '0.0123', '1.5', '20,000', '12,300', '3.2e9']
        >>> number(0.00049181, 2, typographic=True)
        '4.9×10⁻⁴'
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞" if typographic else "-∞"
    if value == 0:
        return "0"
    mantissa, exponent = _rounded(value, digits)
    if _SMALLEST_PLAIN <= abs(mantissa) * 10.0**exponent < _LARGEST_PLAIN:
        whole = float(f"{mantissa}e{exponent}")
        text = f"{whole:,.{max(0, digits - 1 - exponent)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{mantissa:.{digits - 1}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if typographic:
            text = f"{text}×10{str(exponent).translate(_SUPERSCRIPT)}"
            text = text.removeprefix("1×") if text.startswith("1×") else text
        else:
            text = f"{text}e{exponent}"
    return text.replace("-", "−", 1) if typographic and text.startswith("-") else text


def _rounded(value: float, digits: int) -> tuple[float, int]:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return float(mantissa), int(exponent)


def power(exponent: int) -> str:
    """A power of ten as a tick of a logarithmic axis; 1 and 10 as they are.

    Example:
        >>> power(-4), power(0), power(3)
        ('10⁻⁴', '1', '10³')
    """
    return {0: "1", 1: "10"}.get(exponent, f"10{str(exponent).translate(_SUPERSCRIPT)}")


def count(value: int) -> str:
    """A whole number, exact, with thousands separated.

    Example:
        >>> count(4210090)
        '4,210,090'
    """
    return f"{value:,d}"


def epoch(value: float | None) -> str:
    """An epoch: exact, with thousands separated; "never" where a threshold was not reached.

    Example:
        >>> epoch(16950.0), epoch(float("inf")), epoch(None)
        ('16,950', 'never', '–')
    """
    if value is None or math.isnan(value):
        return NOTHING
    return "never" if math.isinf(value) else count(round(value))


def plural(many: int, one: str, several: str | None = None) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "run"), plural(1200, "run")
        ('1 run', '1,200 runs')
    """
    return f"{count(many)} {one if many == 1 else several or one + 's'}"


def percent(value: float | None) -> str:
    """A proportion in per cent; only an exact 0 or 1 is written as 0 % or 100 %.

    Example:
        >>> percent(0.6), percent(0.999), percent(0.0004), percent(1.0)
        ('60 %', '99.9 %', '0.04 %', '100 %')
    """
    if value is None or math.isnan(value):
        return NOTHING
    hundred = 100 * value
    to_end = min(hundred, 100 - hundred)
    if to_end == 0 or to_end >= 1:
        return f"{hundred:.0f} %"
    digits = max(1, -math.floor(math.log10(to_end) + 1e-9)) if to_end > 0 else 0
    return f"{hundred:.{digits}f} %"


def rate(value: float | None) -> str:
    """An accuracy in per cent with two decimals, as published ones are; exact 0 and 1 have none.

    Example:
        >>> rate(0.9837), rate(0.1), rate(1.0), rate(None)
        ('98.37 %', '10.00 %', '100 %', '–')
    """
    if value is None or not math.isfinite(value):
        return number(value)
    return f"{100 * value:.0f} %" if value in {0.0, 1.0} else f"{100 * value:.2f} %"


def points(value: float | None) -> str:
    """A difference of accuracies in percentage points.

    Example:
        >>> points(0.0102), points(-0.0003)
        ('1.02 points', '−0.03 points')
    """
    if value is None or not math.isfinite(value):
        return number(value)
    return f"{100 * value:.2f} points".replace("-", "−")


def share(hits: int, total: int) -> str:
    """A share of runs with its counts.

    Example:
        >>> share(12, 20)
        '12 of 20 (60 %)'
    """
    return f"{count(hits)} of {count(total)}" + (f" ({percent(hits / total)})" if total else "")


def interval(
    bounds: Sequence[float] | None,
    *,
    epochs: bool = False,
    typographic: bool = False,
    write: Callable[[float], str] | None = None,
) -> str:
    """An interval in brackets.

    Args:
        bounds: Its ends; `None` where there is none.
        epochs: Whether they are epochs.
        typographic: Whether powers of ten are written as on figures.
        write: How to write an end, if neither of these.

    Returns:
        The text.

    Example:
        >>> interval((0.412, 0.8739)), interval((1200, float("inf")), epochs=True)
        ('[0.412, 0.874]', '[1,200, never]')
        >>> interval(None)
        ''
    """
    if bounds is None:
        return ""
    if write is None:
        low, high = (epoch(bound) if epochs else number(bound, typographic=typographic) for bound in bounds)
    else:
        low, high = (write(bound) for bound in bounds)
    return f"[{low}, {high}]"


def p_value(value: float | None) -> str:
    """A p-value with two digits.

    Example:
        >>> p_value(0.0312), p_value(1.9e-6), p_value(None)
        ('0.031', '1.9e-6', '–')
    """
    return number(value, 2)
