"""Reading a lab, also while another process writes to it."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.errors import StoreError
from gradlab.store import schema
from gradlab.store.codec import epochs_of, values_of
from gradlab.store.labels import load
from gradlab.store.rows import Attempt, Ending, Look, Points, RunRow
from gradlab.store.weights import unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.train.state import State

__all__ = ["Reader", "merge"]

BRISK_SECONDS = 0.02
"""Half of what a reader may hold the database for: a query that takes longer makes the next one smaller."""


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


class Reader:
    """A lab, for reading; each query is its own short transaction, so no writer waits for a reader.

    Args:
        folder: The lab folder.
        database: An open connection to its database.
    """

    def __init__(self, folder: Path, database: sqlite3.Connection) -> None:
        self.folder = folder
        self._database = database
        self._process = os.getpid()
        self._chunk = 64

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self.folder / "lab.sqlite"

    def close(self) -> None:
        """Close the database; closing twice is fine."""
        self._database.close()

    def ids(self) -> list[str]:
        """The ids of all runs, sorted."""
        return [row[0] for row in self._rows("SELECT id FROM run ORDER BY id")]

    def known(self, ids: Iterable[str] | None = None) -> dict[str, RunRow]:
        """What is known about some runs, or about all.

        Args:
            ids: Run ids; all runs if not given.

        Returns:
            One row for each run that the lab has heard of.
        """
        rows: dict[str, RunRow] = {}
        wanted = self.ids() if ids is None else list(ids)
        endings: dict[str, dict[int, Ending]] = {}
        for run, *ending in self._in(
            "SELECT run.id, e.epoch, e.reason, record.declaration, e.weights, e.updates FROM ending e "
            "JOIN run ON run.number = e.run JOIN record ON record.number = e.record WHERE run.id IN ({})",
            wanted,
        ):
            endings.setdefault(run, {})[ending[0]] = Ending(*ending)
        checkpoints: dict[str, dict[int, str]] = {}
        for run, epoch, record in self._in(
            "SELECT run.id, c.epoch, record.declaration FROM checkpoint c JOIN run ON run.number = c.run "
            "JOIN record ON record.number = c.record WHERE run.id IN ({})",
            wanted,
        ):
            checkpoints.setdefault(run, {})[epoch] = record
        for row in self._in(
            "SELECT id, state, epoch, reason, attempts, backend FROM run WHERE id IN ({})", wanted
        ):
            rows[row[0]] = RunRow(
                *row, endings=endings.get(row[0], {}), checkpoints=checkpoints.get(row[0], {})
            )
        return rows

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

    def load_state(self, run: str, epoch: int | None = None) -> State:
        """The stored state of one run.

        Args:
            run: The run's id.
            epoch: One of the epochs in `RunRow.checkpoints`; the last if not given.

        Returns:
            The state, with arrays that the caller owns.

        Raises:
            StoreError: There is no such checkpoint, or its file is missing or damaged.
        """
        return self.load_states([(run, epoch)])[0]

    def load_states(self, wanted: Sequence[tuple[str, int | None]]) -> list[State]:
        """The stored states of many runs; a file that holds several of them is read once.

        Args:
            wanted: Run ids and epochs; `None` is the last epoch.

        Returns:
            The states, in the order asked for.

        Raises:
            StoreError: One of them is not there, or its file is missing or damaged.
        """
        for last_try in (False, False, True):
            try:
                return self._load(wanted)
            except StoreError:  # a writer may have replaced the file since its row was read
                if last_try:
                    raise
                time.sleep(0.01)
        raise AssertionError("unreachable")

    def sound(self, wanted: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """Which checkpoints are there and undamaged; each file is read and hashed once.

        Args:
            wanted: Run ids and epochs.

        Returns:
            Those that `load_states` will find.
        """
        asked = set(wanted)
        files: dict[tuple[int, str], list[tuple[str, int]]] = {}
        for run, epoch, file, sha256 in self._in(
            "SELECT run.id, c.epoch, file, sha256 FROM checkpoint c JOIN run ON run.number = c.run "
            "JOIN weights USING (file) WHERE run.id IN ({})",
            sorted({run for run, _ in asked}),
        ):
            files.setdefault((file, sha256), []).append((run, epoch))
        sound: set[tuple[str, int]] = set()
        for (file, sha256), members in files.items():
            try:
                self._read_weights(file, sha256)
            except StoreError:
                continue
            sound.update(asked.intersection(members))
        return sound

    def _load(self, wanted: Sequence[tuple[str, int | None]]) -> list[State]:
        places: dict[str, dict[int, tuple[int, str, int]]] = {}
        for run, epoch, *place in self._in(
            "SELECT run.id, c.epoch, file, sha256, member FROM checkpoint c JOIN run ON run.number = c.run "
            "JOIN weights USING (file) WHERE run.id IN ({})",
            sorted({run for run, _ in wanted}),
        ):
            places.setdefault(run, {})[epoch] = (place[0], place[1], place[2])
        by_file: dict[tuple[int, str], list[tuple[int, int]]] = {}
        for index, (run, epoch) in enumerate(wanted):
            stored = places.get(run, {})
            chosen = max(stored, default=-1) if epoch is None else epoch
            if chosen not in stored:
                raise StoreError(f"the lab {self.folder} has no checkpoint of run {run} at epoch {chosen}")
            file, sha256, member = stored[chosen]
            by_file.setdefault((file, sha256), []).append((index, member))
        states: dict[int, State] = {}
        for (file, sha256), members in by_file.items():
            data = self._read_weights(file, sha256)
            for (index, _), state in zip(members, unpack(data, [m for _, m in members]), strict=True):
                states[index] = state
        return [states[index] for index in range(len(wanted))]

    def _read_weights(self, file: int, sha256: str) -> bytes:
        from hashlib import sha256 as fingerprint

        path = self.folder / "weights" / f"{file:08d}.safetensors"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"the checkpoint {path} cannot be read ({error.strerror})") from error
        if fingerprint(data).hexdigest() != sha256:
            raise StoreError(f"the checkpoint {path} is damaged (its SHA-256 is not the stored one)")
        return data

    def labels(self, run: str) -> NDArray[np.int64] | None:
        """The class labels that a run was trained on, where they were drawn at random.

        Args:
            run: The run's id.

        Returns:
            The labels of its training examples in their order, [n]; `None` where the labels are the task's own.

        Raises:
            StoreError: They are damaged.
        """
        if not self._rows("SELECT 1 FROM sqlite_schema WHERE name = 'learned'"):
            return None  # a lab of a version that kept none
        rows = self._rows(
            "SELECT sha256, type, value FROM labels JOIN learned ON learned.labels = labels.number "
            "JOIN run ON run.number = learned.run WHERE run.id = ?",
            (run,),
        )
        return load(rows[0]) if rows else None

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

    def digest(self, ids: Iterable[str] | None = None) -> str:
        """One SHA-256 of all results, or of some runs'; see `gradlab.store.digest`."""
        from gradlab.store.digest import digest

        return digest(self, self.ids() if ids is None else ids)

    def _in(self, query: str, ids: Sequence[str], extra: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query with `{}` for a list of run ids, asked for a few runs at a time."""
        done = 0
        while done < len(ids):
            some = ids[done : done + self._chunk]
            begun = time.perf_counter()
            rows = self._rows(query.format(",".join("?" * len(some))), (*some, *extra))
            taken = time.perf_counter() - begun
            if taken > BRISK_SECONDS:
                self._chunk = max(1, self._chunk // 2)
            elif taken < BRISK_SECONDS / 4:
                self._chunk = min(500, self._chunk * 2)
            done += len(some)
            yield from rows

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if os.getpid() != self._process:
            raise StoreError("a lab cannot be used in a forked process: open it again there")
        try:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                if "readonly" not in str(error).lower():
                    raise
                roll_back(self.file)  # a writer was killed in the middle of a commit
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise schema.damage(error, self.file) from error


def roll_back(file: Path) -> None:
    """Undo what a killed writer left half done, which a read-only connection must not do."""
    database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=schema.BUSY_SECONDS)
    try:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    finally:
        database.close()
