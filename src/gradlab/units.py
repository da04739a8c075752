"""Times and amounts of memory as people say them."""

from __future__ import annotations

import math

__all__ = ["NOTHING", "duration", "memory"]

NOTHING = "–"
"""What stands where a number is not known."""


def duration(seconds: float | None) -> str:
    """A time as one would say it; a dash where it is not known.

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


def memory(count: float) -> str:
    """Bytes as one would say them, in powers of ten.

    Example:
        >>> memory(614_400_000), memory(24.5e9), memory(2e4)
        ('614 MB', '24.5 GB', '20 kB')
    """
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= size:
            amount = count / size
            return f"{amount:.1f} {unit}" if amount < 100 and unit == "GB" else f"{amount:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"
