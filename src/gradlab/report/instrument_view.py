"""The least that a result must offer of what its instruments measured."""

# ruff: noqa: D102  (protocols: the class says what each member is)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["CurvesView", "FailureView", "GroupView", "MeasuredView"]

Floats = NDArray[np.float64]


class CurvesView(Protocol):
    """A value along an instrument's own axis.

    Attributes:
        places: Places on the axis, increasing, [k].
        values: One row a unit (run, pair or set), [n, k]; NaN where it has no value.
        units: Indices of the units, [n].
    """

    @property
    def places(self) -> Floats: ...
    @property
    def values(self) -> Floats: ...
    @property
    def units(self) -> NDArray[np.int64]: ...


class MeasuredView(Protocol):
    """One measurement: values by name, none if it was refused.

    Attributes:
        group: The label of its group: a condition's, or that of a group of pairs or sets.
        unit: Its index there; for instruments of single runs the replicate.
        epoch: The epoch whose weights were looked at.
        failure: Why there are no values; empty where there are.
        warnings: What a reader should know before quoting a number.
    """

    @property
    def group(self) -> str: ...
    @property
    def unit(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def failure(self) -> str: ...
    @property
    def warnings(self) -> Sequence[str]: ...

    def get(self, name: str, /) -> Any:
        """A value with `value`, `error` and `places`, or `None`."""
        ...


class FailureView(Protocol):
    """An instrument that refused to measure; `text` is the cause."""

    @property
    def kind(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def unit(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def text(self) -> str: ...


class GroupView(Protocol):
    """What claims on an instrument's values speak of: a condition, or pairs or sets of its runs."""

    @property
    def label(self) -> str: ...
    @property
    def setting(self) -> str: ...
    @property
    def levels(self) -> Mapping[str, str]: ...
