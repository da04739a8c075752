"""What an instrument hands back: numbers that know what they are, how sure they are and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Measurement", "Value"]

Floats = NDArray[np.float64]

Uncertainty = Literal["none", "standard error", "residual", "bound", "band"]


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


@dataclass(frozen=True)
class Measurement(Mapping[str, Value]):
    """What one instrument found on one network, pair or set of networks.

    Attributes:
        instrument: Its name, such as `spectrum`.
        values: The values by name.
        settings: What it was done with: data, mode, dtype, parameters, tolerances, probes.
        gradients: The cost, in full-batch gradients of the same loss.
        warnings: What a reader should know before quoting a number.
    """

    instrument: str
    values: Mapping[str, Value]
    settings: Mapping[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    gradients: float = 0.0
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)
