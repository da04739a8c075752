"""Numbers as the store writes them: arrays as little-endian bytes, non-finite scalars spelt out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["epochs_of", "numbers_of", "plain", "to_bytes", "to_json", "unplain", "values_of"]

_SPELT = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def plain(value: Any) -> Any:
    """A tree in which floats that JSON cannot hold are the words "nan", "inf" and "-inf".

    Example:
        >>> plain({"p": [0.5, float("nan")], "effect": float("-inf")})
        {'p': [0.5, 'nan'], 'effect': '-inf'}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[object, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, np.ndarray):
        return plain(cast("NDArray[Any]", value).tolist())
    return value


def unplain(value: float | str) -> float:
    """One number that `plain` wrote.

    Example:
        >>> unplain("-inf"), unplain(2)
        (-inf, 2.0)
    """
    return _SPELT[value] if isinstance(value, str) else float(value)


def to_json(value: Any) -> str:
    """JSON in which every number survives; keys are sorted."""
    return json.dumps(
        plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )


def numbers_of(values: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers as they are stored: a little-endian float64 copy in which every NaN has the same bits.

    Example:
        >>> numbers_of(-float("nan")).tobytes() == numbers_of(float("nan")).tobytes()
        True
    """
    numbers = np.array(values, "<f8", order="C")
    numbers[np.isnan(numbers)] = np.nan
    return numbers


def to_bytes(epochs: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[int, bytes, bytes]:
    """A series as it is stored.

    Args:
        epochs: Epochs, [k].
        values: Values, [k] or [k, width]; float32 is widened, which keeps every value.

    Returns:
        The width (0 for a series of single numbers) and the two arrays as little-endian bytes; every NaN has
        the same bits, whichever operation made it.
    """
    width = 0 if values.ndim == 1 else int(np.prod(values.shape[1:]))
    return width, np.asarray(epochs, "<i8").tobytes(), numbers_of(values).tobytes()


def epochs_of(blob: bytes) -> NDArray[np.int64]:
    """The epochs of a stored series, [k]."""
    return np.frombuffer(blob, "<i8").astype(np.int64)


def values_of(blob: bytes, width: int) -> NDArray[np.float64]:
    """The values of a stored series, [k], or [k, width] where `width` is not 0."""
    values = np.frombuffer(blob, "<f8").astype(np.float64)
    return values.reshape(-1, width) if width else values
