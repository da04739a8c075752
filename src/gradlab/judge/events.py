"""Whether an event happened in a run."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gradlab.judge.evidence import Array
from gradlab.study.quantity import Event

__all__ = ["holds"]

_COMPARE: Final[Mapping[str, Callable[[Array, float], NDArray[np.bool_]]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def holds(event: Event, values: Array) -> NDArray[np.bool_]:
    """Whether an event happened in each run.

    Args:
        event: The event.
        values: Its quantity, one number per run; NaN where a run has none, which stands at the bad end.

    Returns:
        True or false for each run.

    Example:
        >>> from gradlab.study.quantity import parse_event
        >>> holds(parse_event("loss@last < 0.01"), np.array([0.001, 0.1, np.nan])).tolist()
        [True, False, False]
        >>> holds(parse_event("epochs_to(loss, 1e-3)"), np.array([120.0, np.inf])).tolist()
        [True, False]
    """
    if event.operator is None or event.value is None:
        reached = event.quantity.reducer == "epochs_to"
        return np.isfinite(values) if reached else (values != 0) & ~np.isnan(values)
    worst = np.inf if event.quantity.worst == "high" else -np.inf
    return _COMPARE[event.operator](np.where(np.isnan(values), worst, values), event.value)
