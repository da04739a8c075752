"""One hash of all results: what was found, not when, where or in which pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from gradlab.store.codec import to_bytes
from gradlab.store.measurements import bits
from gradlab.store.rows import Points

if TYPE_CHECKING:
    from typing import Protocol

    class Hash(Protocol):
        """A running hash."""

        def update(self, data: bytes, /) -> None:
            """Add bytes."""
            ...

    from gradlab.store.reader import Reader

__all__ = ["digest"]


def digest(lab: Reader, ids: Iterable[str], measured: Mapping[str, Iterable[str]]) -> str:
    """SHA-256 over the results of some runs, sorted by id, and of some measurements.

    Of each run that has come further than planned: id, state, epoch, the bits of every series on its
    schedule, the bits of what was measured at its last end, its passages, and the hash of the weights there.
    Times, attempts, fleets, machines, verdicts and the ends of shorter horizons are not in it, so it does not
    depend on how training was cut, interrupted or extended. Of each measurement: the bits of its values, or that
    it was refused; one that failed is not a result.

    Args:
        lab: An open lab.
        ids: Run ids.
        measured: Keys of subjects by digest of the instrument.

    Returns:
        64 hexadecimal digits.
    """
    whole = hashlib.sha256(b"gradlab-digest-1")
    wanted = sorted(ids)
    for start in range(0, len(wanted), 200):
        some = wanted[start : start + 200]
        bodies = {run: hashlib.sha256() for run in some}
        known = lab.known(some)
        last = {run: max(row.endings, default=-1) for run, row in known.items()}
        for run, quantity, points in lab.series(some, beside=False):
            _add(bodies[run], f"series {quantity}", points)
        for run, quantity, (epochs, values) in lab.series(some, beside=True):
            at_end = epochs == last[run]
            if np.any(at_end):
                _add(bodies[run], f"end {quantity}", (epochs[at_end], values[at_end]))
        for run, passed in lab.passages(some).items():
            for threshold, epoch in sorted(passed.items()):
                bodies[run].update(f"passage {threshold.hex()} {epoch}\n".encode())
        for run, row in known.items():
            if not row.checkpoints and row.state == "planned":
                continue
            state, epoch, weights = row.state, row.epoch, ""
            if last[run] >= row.epoch:
                end = row.endings[last[run]]
                state, epoch, weights = (
                    "diverged" if end.reason == "diverged" else "done",
                    end.epoch,
                    end.weights,
                )
            whole.update(f"{run} {state} {epoch} {weights} {bodies[run].hexdigest()}\n".encode())
    for instrument, subjects in sorted(measured.items()):
        for subject, found in sorted(lab.measured(instrument, sorted(set(subjects))).items()):
            if found.outcome == "failed":
                continue
            body = hashlib.sha256(found.outcome.encode())
            for name, value in sorted(found.values.items()):
                shape, numbers, places, error_shape, error = bits(value)
                body.update(f"value {name} {shape} {error_shape} {places is not None}\n".encode())
                body.update(numbers + (places or b"") + (error or b""))
            whole.update(f"measured {instrument} {subject} {body.hexdigest()}\n".encode())
    return whole.hexdigest()


def _add(body: Hash, name: str, points: Points) -> None:
    width, epochs, values = to_bytes(*points)
    body.update(f"{name} {width} {len(points[0])}\n".encode())
    body.update(epochs)
    body.update(values)
