"""What happens in a worker process: sittings measured one after the other, on one thread."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.engine.readers import read
from gradlab.engine.recovery import short_of_memory
from gradlab.engine.shelf import Lost, fetched_data
from gradlab.errors import MeasureError
from gradlab.measure.measurement import Value
from gradlab.store.measurements import Stored

if TYPE_CHECKING:
    from gradlab.engine.readers.sitting import Sitting
    from gradlab.measure.measurement import Measurement

    Read = Callable[[Sitting], Sequence[Measurement]]

__all__ = ["sit"]


def sit(sittings: Sequence[Sitting], reading: Read | None = None) -> list[list[Stored]]:
    """Measure the subjects of some sittings.

    Where a sitting raises an error, its subjects are measured one by one, so that it fails, or is refused, for the
    one alone that it comes from.

    Args:
        sittings: Subjects, data and instruments.
        reading: What measures; `gradlab.engine.readers.read` if not given.

    Returns:
        For each sitting what was found on each subject.

    Raises:
        Lost: Data that a sitting names are not on the shelf any more.
    """
    found: list[list[Stored]] = []
    for sitting in sittings:
        whole = replace(sitting, data=fetched_data(sitting.data))
        found.append(_sit(whole, reading or read))
    return found


def _sit(sitting: Sitting, reading: Read) -> list[Stored]:
    begun = time.perf_counter()
    count = len(sitting.sitters)
    try:
        with np.errstate(all="ignore"):  # a network that diverged is a result, not a warning
            measured = reading(sitting)
        seconds = (time.perf_counter() - begun) / count
        return [_stored(one, seconds) for one in measured]
    except Lost:
        raise
    except Exception as error:  # of whatever kind: it is this subject's, and told with it
        if count > 1:
            return [_sit(sitting.one(place), reading)[0] for place in range(count)]
        seconds = time.perf_counter() - begun
        if isinstance(error, MeasureError):
            return [Stored("refused", failure=str(error), seconds=seconds)]
        return [Stored("failed", failure=_text(error), seconds=seconds)]


def _text(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error)).rstrip()
    if short_of_memory(error):
        text += "\nout of memory: give the instrument fewer examples, or measure with fewer workers"
    return text


def _stored(found: Measurement, seconds: float) -> Stored:
    """What was found, in plain numbers."""
    return Stored(
        values={name: _plain(value) for name, value in found.values.items()},
        warnings=tuple(map(str, found.warnings)),
        settings=_settings(found.settings),
        gradients=float(found.gradients),
        seconds=seconds,
    )


def _plain(value: Value) -> Value:
    number = np.asarray(value.value, np.float64)
    error = None if value.error is None else np.asarray(value.error, np.float64)
    return Value(
        value=number if number.ndim else float(number),
        means=value.means,
        error=error if error is None or error.ndim else float(error),
        uncertainty=value.uncertainty,
        axis=value.axis,
        places=None if value.places is None else np.asarray(value.places, np.float64),
    )


def _settings(settings: Mapping[str, Any]) -> dict[str, str | int | float]:
    plain: dict[str, str | int | float] = {}
    for name, value in settings.items():
        value = value.item() if isinstance(value, np.generic) else value
        plain[name] = value if isinstance(value, str | int | float) else str(value)
    return plain
