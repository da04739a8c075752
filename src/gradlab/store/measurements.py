"""What instruments found, as rows: one measurement of one subject by one instrument, and its values."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradlab.measure.measurement import Uncertainty, Value
from gradlab.store.codec import numbers_of, to_json

__all__ = ["Entry", "NewMeasurement", "Outcome", "Stored", "bits", "entries", "found", "insert"]

Query = Callable[[str, Sequence[Any], Sequence[Any]], Iterator[tuple[Any, ...]]]
"""Rows of a query with `{}` for a list, given the list and further values; see `Reader`."""

AT_ONCE = 64
"""Measurements that are read together where all of them are gone through: each may hold a large array."""

Outcome = Literal["measured", "refused", "failed"]
"""Measured; refused by the instrument, with the cause, which is a result; failed, which is tried again."""


@dataclass(frozen=True)
class Stored:
    """What a lab holds of one measurement.

    Attributes:
        outcome: "measured", "refused" (the instrument cannot be right on this subject, and says why) or "failed"
            (an error; the same command tries again).
        values: The values by name; none unless it was measured.
        failure: The text of the refusal or of the error; empty where it was measured.
        warnings: What a reader should know before quoting a number.
        settings: What it was done with.
        gradients: The cost in full-batch gradients.
        seconds: The time it took, the time of those measured together shared equally.
    """

    outcome: Outcome = "measured"
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    failure: str = ""
    warnings: tuple[str, ...] = ()
    settings: Mapping[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    gradients: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class NewMeasurement:
    """One measurement to be stored.

    Attributes:
        subject: The key of what was measured.
        members: The runs and epochs whose weights were looked at.
        found: What was found.
    """

    subject: str
    members: tuple[tuple[str, int], ...]
    found: Stored


@dataclass(frozen=True)
class Entry:
    """One measurement with all that a lab knows of it.

    Attributes:
        instrument: Digest of the instrument.
        declaration: Its declaration: the kind, and the settings that are not as usual.
        subject: The key of what was measured.
        members: The runs and epochs whose weights were looked at.
        found: What was found.
    """

    instrument: str
    declaration: Mapping[str, Any]
    subject: str
    members: tuple[tuple[str, int], ...]
    found: Stored


def insert(
    database: sqlite3.Connection,
    instrument: str,
    declaration: Any,
    entries: Iterable[NewMeasurement],
    environment: int | None,
    now: str,
) -> None:
    """Remember measurements, inside a transaction; what was measured or refused before stays as it is."""
    database.execute(
        "INSERT OR IGNORE INTO instrument (digest, declaration) VALUES (?, ?)",
        (instrument, to_json(declaration)),
    )
    number = database.execute("SELECT number FROM instrument WHERE digest = ?", (instrument,)).fetchone()[0]
    for entry in entries:
        one = entry.found
        database.execute(
            "DELETE FROM measurement WHERE instrument = ? AND subject = ? AND outcome = 'failed'",
            (number, entry.subject),
        )
        added = database.execute(
            "INSERT OR IGNORE INTO measurement (instrument, subject, members, outcome, failure, warnings, settings, "
            "gradients, environment, measured, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                entry.subject,
                to_json([list(member) for member in entry.members]),
                one.outcome,
                one.failure,
                to_json(one.warnings),
                to_json(one.settings),
                float(one.gradients) if math.isfinite(one.gradients) else 0.0,
                environment,
                now,
                float(one.seconds),
            ),
        )
        if added.rowcount:
            _insert_values(database, added.lastrowid, one.values)


def _insert_values(
    database: sqlite3.Connection, measurement: int | None, values: Mapping[str, Value]
) -> None:
    for name, value in values.items():
        about = (value.means, value.axis, value.uncertainty)
        database.execute("INSERT OR IGNORE INTO meaning (means, axis, uncertainty) VALUES (?, ?, ?)", about)
        meaning = database.execute(
            "SELECT number FROM meaning WHERE means = ? AND axis = ? AND uncertainty = ?", about
        ).fetchone()[0]
        database.execute(
            "INSERT INTO measured (measurement, name, meaning, shape, value, places, error_shape, error) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (measurement, name, meaning, *bits(value)),
        )


def bits(value: Value) -> tuple[str, bytes, bytes | None, str | None, bytes | None]:
    """A value's numbers as they are stored: shape, numbers, places, shape of the error, error."""
    shape, numbers = _array(value.value)
    places = None if value.places is None else _array(value.places)[1]
    if value.error is None:
        return shape, numbers, places, None, None
    return shape, numbers, places, *_array(value.error)


def found(query: Query, instrument: str, subjects: Iterable[str]) -> dict[str, Stored]:
    """What an instrument found on some subjects, by key.

    Args:
        query: Asks the lab.
        instrument: Digest of the instrument.
        subjects: Keys of the subjects.

    Returns:
        What is stored; subjects that were never looked at are left out.
    """
    heads: dict[int, tuple[str, list[Any]]] = {}
    for number, subject, *facts in query(
        "SELECT m.number, subject, outcome, failure, warnings, settings, gradients, seconds FROM measurement m "
        "JOIN instrument ON instrument.number = m.instrument WHERE subject IN ({}) AND digest = ?",
        list(dict.fromkeys(subjects)),
        (instrument,),
    ):
        heads[number] = (subject, facts)
    values: dict[int, dict[str, Value]] = {}
    for number, name, *row in query(
        "SELECT measurement, name, means, axis, uncertainty, shape, value, places, error_shape, error "
        "FROM measured JOIN meaning ON meaning.number = measured.meaning WHERE measurement IN ({}) "
        "ORDER BY measured.number",
        list(heads),
        (),
    ):
        values.setdefault(number, {})[name] = _value_of(row)
    return {
        subject: Stored(
            outcome=facts[0],
            values=values.get(number, {}),
            failure=facts[1],
            warnings=tuple(json.loads(facts[2])),
            settings=json.loads(facts[3]),
            gradients=facts[4],
            seconds=facts[5],
        )
        for number, (subject, facts) in heads.items()
    }


def entries(query: Query, instrument: str, subjects: Sequence[str]) -> Iterator[Entry]:
    """Everything about the measurements of some subjects by one instrument, a few of them in memory at a time.

    Args:
        query: Asks the lab.
        instrument: Digest of the instrument.
        subjects: Keys of the subjects.

    Yields:
        The measurements in the order of the subjects; those that were never looked at are left out.
    """
    for first in range(0, len(subjects), AT_ONCE):
        some = subjects[first : first + AT_ONCE]
        values = found(query, instrument, some)
        about = {
            subject: (json.loads(declaration), tuple((run, epoch) for run, epoch in json.loads(members)))
            for subject, declaration, members in query(
                "SELECT subject, declaration, members FROM measurement m "
                "JOIN instrument ON instrument.number = m.instrument WHERE subject IN ({}) AND digest = ?",
                some,
                (instrument,),
            )
        }
        for subject in some:
            if subject in values and subject in about:
                yield Entry(instrument, about[subject][0], subject, about[subject][1], values[subject])


def _value_of(row: Sequence[Any]) -> Value:
    """The value of a row of means, axis, uncertainty, shape, value, places, error shape and error."""
    means, axis, uncertainty, shape, numbers, places, error_shape, error = row
    kind: Uncertainty = uncertainty
    return Value(
        value=_numbers(shape, numbers),
        means=means,
        error=None if error is None else _numbers(error_shape, error),
        uncertainty=kind,
        axis=axis,
        places=None if places is None else np.frombuffer(places, "<f8").astype(np.float64),
    )


def _array(value: float | NDArray[np.float64]) -> tuple[str, bytes]:
    numbers = numbers_of(value)
    return json.dumps(list(numbers.shape)), numbers.tobytes()


def _numbers(shape: str, blob: bytes) -> float | NDArray[np.float64]:
    sizes: list[int] = json.loads(shape)
    numbers = np.frombuffer(blob, "<f8").astype(np.float64)
    return numbers.reshape(sizes) if sizes else float(numbers[0])
