"""How numbers are written, on pages and on the terminal: three digits that matter, never nine.

| kind | written |
|---|---|
| a value | 0.0123, 4.92e-4, 20,000 |
| on figures | 4.92×10⁻⁴ |
| an interval | [0.41, 0.87] |
| a share | 60 % |
| a time | 1 min 12 s |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = [
    "count",
    "duration",
    "epoch",
    "interval",
    "number",
    "p_value",
    "percent",
    "plural",
    "power",
    "share",
]

NOTHING = "–"
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


def share(hits: int, total: int) -> str:
    """A share of runs with its counts.

    Example:
        >>> share(12, 20)
        '12 of 20 (60 %)'
    """
    return f"{count(hits)} of {count(total)}" + (f" ({percent(hits / total)})" if total else "")


def interval(bounds: Sequence[float] | None, *, epochs: bool = False, typographic: bool = False) -> str:
    """An interval in brackets.

    Example:
        >>> interval((0.412, 0.8739)), interval((1200, float("inf")), epochs=True)
        ('[0.412, 0.874]', '[1,200, never]')
        >>> interval(None)
        ''
    """
    if bounds is None:
        return ""
    low, high = (epoch(bound) if epochs else number(bound, typographic=typographic) for bound in bounds)
    return f"[{low}, {high}]"


def p_value(value: float | None) -> str:
    """A p-value with two digits.

    Example:
        >>> p_value(0.0312), p_value(1.9e-6), p_value(None)
        ('0.031', '1.9e-6', '–')
    """
    return number(value, 2)


def duration(seconds: float | None) -> str:
    """A time as one would say it.

    Example:
        >>> duration(72), duration(0.0341), duration(3.21), duration(5400), duration(200000)
        ('1 min 12 s', '34 ms', '3.2 s', '1 h 30 min', '2 d 7 h')
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    units = (("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    first = next(index for index, (_, amount) in enumerate(units) if amount)
    return " ".join(f"{amount} {unit}" for unit, amount in units[first : first + 2] if amount)
