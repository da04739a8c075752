"""Reading a lab, also while another process writes to it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.store.codec import epochs_of, values_of
from gradlab.store.labels import load
from gradlab.store.measurements import Entry, Stored, entries, found
from gradlab.store.rows import Attempt, Look, Points
from gradlab.store.states import States

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = ["Reader", "merge"]


def merge(parts: Sequence[Points]) -> Points:
    """One series out of the pieces that slices stored.

    Pieces may overlap where a run was computed again; values at one epoch are then equal, and the first stays.
    """
    width = parts[-1][1].shape[1:]
    kept = [part for part in parts if part[1].shape[1:] == width]
    epochs = np.concatenate([part[0] for part in kept])
    values = np.concatenate([part[1] for part in kept])
    if len(epochs) > 1 and not bool(np.all(epochs[1:] > epochs[:-1])):
        epochs, places = np.unique(epochs, return_index=True)
        values = values[places]
    return epochs, values


class Reader(States):
    """A lab, for reading; each query is its own short transaction, so no writer waits for a reader.

    Args:
        folder: The lab folder.
        database: An open connection to its database.
    """

    def describe(self, ids: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The runs as a table.

        Args:
            ids: Run ids; all runs if not given.

        Returns:
            For each run its id, state, epoch, reason, attempts, backend, seeds, spec, the text of the `error` that
            it failed with, and who asked for it (`asked`: study key, title, condition, replicate), sorted by id.
        """
        wanted = self.ids() if ids is None else sorted(ids)
        asked: dict[str, list[dict[str, Any]]] = {}
        for run, *facts in self._in(
            "SELECT run.id, study.key, study.title, asked.condition, asked.replicate FROM asked "
            "JOIN run ON run.number = asked.run JOIN study ON study.key = asked.study WHERE run.id IN ({})",
            wanted,
        ):
            names = ("study", "title", "condition", "replicate")
            asked.setdefault(run, []).append(dict(zip(names, facts, strict=True)))
        errors = dict(
            self._in(
                "SELECT run.id, a.message FROM attempt a JOIN run ON run.number = a.run "
                "WHERE run.id IN ({}) AND state = 'failed' AND outcome = 'failed' ORDER BY a.number",
                wanted,
            )
        )
        names = ("id", "state", "epoch", "reason", "attempts", "backend", "start_from", "seeds", "spec")
        table: list[dict[str, Any]] = []
        for row in self._in(
            "SELECT id, state, epoch, reason, attempts, backend, start_from, seeds, spec.declaration "
            "FROM run JOIN spec ON spec.number = run.spec WHERE id IN ({}) ORDER BY id",
            wanted,
        ):
            facts = dict(zip(names, row, strict=True))
            facts |= {"seeds": json.loads(row[7]), "spec": json.loads(row[8])}
            facts |= {"error": errors.get(row[0], ""), "asked": asked.get(row[0], [])}
            table.append(facts)
        return table

    def trace(self, run: str, quantity: str) -> Points:
        """Everything recorded of one quantity of one run.

        Args:
            run: The run's id.
            quantity: As in `loss.test`.

        Returns:
            Epochs int64 [k] and values float64 [k] or [k, width]; k is 0 where nothing was recorded.
        """
        nothing = (np.zeros(0, np.int64), np.zeros(0))
        return self.traces([run], quantity).get(run, nothing)

    def traces(self, ids: Iterable[str], quantity: str) -> dict[str, Points]:
        """Everything recorded of one quantity of many runs.

        Args:
            ids: Run ids.
            quantity: As in `loss.test`.

        Returns:
            Epochs and values by run; runs without the quantity are left out.
        """
        return {run: points for run, _, points in self.series(ids, quantity)}

    def series(
        self, ids: Iterable[str], quantity: str | None = None, *, beside: bool | None = None
    ) -> Iterator[tuple[str, str, Points]]:
        """Consolidated series, one at a time, in the order of run and quantity.

        Args:
            ids: Run ids.
            quantity: One quantity, or all.
            beside: Only points off the schedule (true) or on it (false); both if not given.

        Yields:
            Run id, quantity, points.
        """
        condition = "" if quantity is None else "AND quantity = ? "
        condition += "" if beside is None else f"AND beside = {int(beside)} "
        extra = () if quantity is None else (quantity,)
        found: list[tuple[str, str]] = []
        parts: list[Points] = []
        for run, name, width, epochs, values in self._in(
            "SELECT run.id, quantity, width, epochs, value FROM trace JOIN run ON run.number = trace.run "
            f"WHERE run.id IN ({{}}) {condition}ORDER BY run.id, quantity, beside, trace.number",
            sorted(ids),
            extra,
        ):
            if found != [(run, name)] and parts:
                yield (*found[0], merge(parts))
                parts = []
            found = [(run, name)]
            parts.append((epochs_of(epochs), values_of(values, width)))
        if parts:
            yield (*found[0], merge(parts))

    def quantities(self, ids: Iterable[str]) -> list[str]:
        """Names of everything that was recorded of some runs, sorted."""
        query = "SELECT DISTINCT quantity FROM trace JOIN run ON run.number = trace.run WHERE run.id IN ({})"
        return sorted({row[0] for row in self._in(query, list(ids))})

    def passages(self, ids: Iterable[str], quantity: str = "loss") -> dict[str, dict[float, float]]:
        """First epochs below thresholds.

        Args:
            ids: Run ids.
            quantity: What was watched.

        Returns:
            By run and threshold: the epoch, infinite where the threshold has not been passed.
        """
        found: dict[str, dict[float, float]] = {}
        for run, threshold, epoch in self._in(
            "SELECT run.id, threshold, passage.epoch FROM passage JOIN run ON run.number = passage.run "
            "WHERE run.id IN ({}) AND quantity = ?",
            list(ids),
            (quantity,),
        ):
            found.setdefault(run, {})[threshold] = math.inf if epoch is None else float(epoch)
        return found

    def labels(self, run: str) -> NDArray[np.int64] | None:
        """The class labels that a run was trained on, where they were drawn at random.

        Args:
            run: The run's id.

        Returns:
            The labels of its training examples in their order, [n]; `None` where the labels are the task's own.

        Raises:
            StoreError: They are damaged.
        """
        if not self._has("learned"):
            return None  # a lab of a version that kept none
        rows = self._rows(
            "SELECT sha256, type, value FROM labels JOIN learned ON learned.labels = labels.number "
            "JOIN run ON run.number = learned.run WHERE run.id = ?",
            (run,),
        )
        return load(rows[0]) if rows else None

    def measured(self, instrument: str, subjects: Iterable[str]) -> dict[str, Stored]:
        """What an instrument found on some subjects.

        Args:
            instrument: Digest of the instrument's kind and settings.
            subjects: Keys of the subjects.

        Returns:
            What is stored, by key; subjects that were never looked at are left out.
        """
        if not self._has("measurement"):
            return {}  # a lab of a version that measured nothing
        return found(self._in, instrument, subjects)

    def subjects(self) -> dict[str, list[str]]:
        """Keys of everything that was looked at, by digest of the instrument."""
        found: dict[str, list[str]] = {}
        if self._has("measurement"):
            for instrument, subject in self._rows(
                "SELECT digest, subject FROM measurement m JOIN instrument i ON i.number = m.instrument "
                "ORDER BY digest, subject"
            ):
                found.setdefault(instrument, []).append(subject)
        return found

    def measurements(self) -> Iterator[Entry]:
        """Everything that instruments found, in the order of `subjects`, a few measurements in memory at a time."""
        for instrument, subjects in self.subjects().items():
            yield from entries(self._in, instrument, subjects)

    def looks(self, claim: str) -> list[Look]:
        """The verdicts that were taken on a claim, in order."""
        rows = self._rows(
            "SELECT claim, k, n, alpha, verdict, seen FROM look WHERE claim = ? ORDER BY k", (claim,)
        )
        return [Look(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5]) for row in rows]

    def attempts(self, ids: Iterable[str]) -> list[Attempt]:
        """Every beginning or continuation of some runs, in order, with the environment of each."""
        found = self._in(
            "SELECT run.id, a.backend, environment.facts, first_epoch, last_epoch, outcome, message, began, seconds "
            "FROM attempt a JOIN run ON run.number = a.run "
            "LEFT JOIN environment ON environment.number = a.environment WHERE run.id IN ({}) ORDER BY a.number",
            list(ids),
        )
        return [Attempt(row[0], row[1], json.loads(row[2] or "{}"), *row[3:]) for row in found]

    def studies(self) -> list[dict[str, Any]]:
        """The studies that were run here: key, title, source, declaration and when, oldest first."""
        names = ("key", "title", "source", "declaration", "first_issued", "last_issued")
        query = f"SELECT {', '.join(names)} FROM study ORDER BY first_issued, key"
        rows = [dict(zip(names, row, strict=True)) for row in self._rows(query)]
        return [row | {"declaration": json.loads(row["declaration"])} for row in rows]

    def digest(
        self, ids: Iterable[str] | None = None, measured: Mapping[str, Iterable[str]] | None = None
    ) -> str:
        """One SHA-256 of all results, or of some; see `gradlab.store.digest`.

        Args:
            ids: Run ids; all runs, and all measurements, if not given.
            measured: Keys of subjects by digest of the instrument, beside the runs that are given.

        Returns:
            64 hexadecimal digits.
        """
        from gradlab.store.digest import digest

        if ids is None:
            return digest(self, self.ids(), self.subjects())
        return digest(self, ids, measured or {})
