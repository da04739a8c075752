"""What figures take from the instruments of a result, with absent data as nothing and never as an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report.instrument_view import CurvesView, FailureView, MeasuredView
from gradlab.report.view import ResultView
from gradlab.study.instruments import INSTRUMENTS, UNITS
from gradlab.study.quantity import Quantity, counted_in

__all__ = [
    "along",
    "array",
    "declared",
    "dots",
    "failures",
    "grid",
    "groups",
    "last",
    "scalars",
    "unit_words",
]

Floats = NDArray[np.float64]
_ABSENT = (KeyError, LookupError, ValueError)


def declared(result: ResultView) -> Mapping[str, Any]:
    """The instruments of a study by kind; none where it only trains."""
    return getattr(result.study, "measure", None) or {}


def _first(result: ResultView) -> object:
    """The setting that is drawn: the study as declared."""
    every = list(result.plan.conditions)
    return getattr(every[0], "setting", None) if every else None


def groups(result: ResultView, kind: str) -> dict[str, Mapping[str, str]]:
    """Levels of the groups of an instrument as declared, by label: conditions, or pairs and sets of them."""
    if kind not in declared(result):
        return {}
    setting = _first(result)
    found: Mapping[str, Any] = result.plan.groups(kind)
    return {str(each.label): each.levels for each in found.values() if each.setting == setting}


def last(result: ResultView, kind: str, group: str) -> list[MeasuredView]:
    """The measurements of a group at the last epoch that each unit was measured at, the refused ones left out."""
    found: dict[int, MeasuredView] = {}
    for each in _all(result, kind, group):
        if not each.failure:
            found[int(each.unit)] = each
    return [found[unit] for unit in sorted(found)]


def _all(result: ResultView, kind: str, group: str) -> Sequence[MeasuredView]:
    if kind not in declared(result):
        return []
    try:
        return result.measured(kind, group)
    except _ABSENT:
        return []


def failures(result: ResultView) -> list[FailureView]:
    """What instruments could not measure."""
    return list(getattr(result, "failures", ()))


def along(result: ResultView, trace: str, group: str) -> CurvesView | None:
    """A value along its instrument's own axis, or `None` where nobody has it."""
    try:
        found = result.curves(trace, group)
    except (*_ABSENT, AttributeError):
        return None
    return found if np.isfinite(found.values).any() else None


def array(each: MeasuredView, name: str) -> Floats:
    """A value of one measurement as an array; empty where it has none."""
    value = each.get(name)
    return np.empty(0) if value is None else np.asarray(value.value, np.float64)


def scalars(found: Iterable[MeasuredView], name: str) -> Floats:
    """A value that is one number, of each of some measurements; NaN where there is none."""
    numbers = [array(each, name) for each in found]
    return np.array([float(each) if each.ndim == 0 else np.nan for each in numbers], np.float64)


def grid(result: ResultView, quantities: Iterable[Quantity]) -> dict[str, Mapping[str, str]]:
    """What quantities are taken of, with its levels: conditions, or an instrument's groups of pairs or sets."""
    kind = next((kind for kind in sorted(counted_in(quantities)) if kind), "")
    if kind:
        return groups(result, kind)
    setting = _first(result)
    return {
        each.name: each.levels for each in result.plan.conditions if getattr(each, "setting", None) == setting
    }


def unit_words(quantities: Iterable[Quantity]) -> tuple[str, str]:
    """What is counted, one and several of it: run and runs, pair and pairs, set and sets.

    Example:
        >>> from gradlab.study.quantity import parse_quantity
        >>> unit_words([parse_quantity("interpolation.barrier")]), unit_words([parse_quantity("loss")])
        (('pair', 'pairs'), ('run', 'runs'))
    """
    kind = next((kind for kind in sorted(counted_in(quantities)) if kind), "")
    return UNITS[INSTRUMENTS[kind].scope] if kind else UNITS["run"]


def dots(quantities: Iterable[Quantity]) -> str:
    """What the dots of a claim's figure are."""
    return f"one dot per {unit_words(quantities)[0]}; bar: 95 % interval of the median"
