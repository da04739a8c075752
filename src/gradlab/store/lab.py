"""The lab: the folder with the store, its one writer and what it writes."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import StoreError
from gradlab.store import schema
from gradlab.store.codec import epochs_of, to_bytes, to_json, values_of
from gradlab.store.files import disk_problem, remove, write_new
from gradlab.store.labels import keep
from gradlab.store.lock import Lock
from gradlab.store.measurements import NewMeasurement, insert
from gradlab.store.queries import roll_back
from gradlab.store.reader import Reader, merge
from gradlab.store.rows import Look, NewRun, Progress
from gradlab.store.weights import hash_of, pack

if TYPE_CHECKING:
    from gradlab.train.state import State

__all__ = ["Lab"]

_INSERT_TRACE = (
    "INSERT INTO trace (run, quantity, beside, first, width, epochs, value) VALUES (?, ?, ?, ?, ?, ?, ?)"
)

_AS_ENDED = (
    "UPDATE run SET (state, epoch, reason) = (SELECT iif(reason = 'diverged', 'diverged', 'done'), epoch, reason "
    "FROM ending WHERE ending.run = run.number ORDER BY epoch DESC LIMIT 1) WHERE number = ?"
)
"""A run as it stood at its last end, from before it was trained again for weights on the way."""


class Lab(Reader):
    """A lab folder: `lab.sqlite`, `weights/`, the lock of its one writer, and for a while `data/`, which is a cache.

    Everything that one call writes is stored whole or not at all, and is on disk when the call returns.
    Use `Lab.open`, best as a context manager.
    """

    def __init__(self, folder: Path, database: sqlite3.Connection, lock: Lock | None) -> None:
        super().__init__(folder, database)
        self._lock = lock
        self._numbers: dict[str, int] = {}
        self._attempts: dict[str, int] = {}
        self._next_file = 1

    @classmethod
    def open(cls, folder: str | Path, *, write: bool = False) -> Self:
        """Open a lab.

        Args:
            folder: The lab folder; a writer makes it.
            write: Become its one writer, which also clears away what a killed one left half done.

        Returns:
            The lab.

        Raises:
            StoreError: There is no lab, another process writes to it, or it is damaged or too new.
        """
        folder = Path(folder)
        return cls._open_writer(folder) if write else cls._open_reader(folder)

    @classmethod
    def _open_reader(cls, folder: Path) -> Self:
        file = folder / "lab.sqlite"
        if not file.is_file():
            raise StoreError(f"there is no lab at {folder}: name its folder with --lab, or run a study first")
        database = schema.connect(file, write=False)
        try:
            try:
                whole = schema.examine(database, file, write=False)
            except StoreError:
                journal = folder / "lab.sqlite-journal"
                if not journal.exists():
                    raise
                roll_back(file)
                whole = schema.examine(database, file, write=False)
            if not whole:
                raise StoreError(f"the lab {folder} is empty: run a study first")
        except sqlite3.Error as error:
            database.close()
            raise schema.damage(error, file) from error
        except StoreError:
            database.close()
            raise
        return cls(folder, database, None)

    @classmethod
    def _open_writer(cls, folder: Path) -> Self:
        try:
            (folder / "weights").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_problem(error, folder) from error
        lock = Lock(folder / "lab.lock")
        database: sqlite3.Connection | None = None
        try:
            file = folder / "lab.sqlite"
            database = schema.connect(file, write=True)
            lab = cls(folder, database, lock)
            with lab._translated():
                if schema.examine(database, file, write=True):
                    schema.upgrade(database)
                else:
                    schema.create(database)
            lab._sweep()
        except BaseException:
            if database is not None:
                database.close()
            lock.release()
            raise
        return lab

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and let others write; closing twice is fine."""
        super().close()
        if self._lock is not None:
            self._lock.release()

    def add_environment(self, facts: Mapping[str, Any]) -> int:
        """Remember a machine and its libraries.

        Args:
            facts: A tree of facts; the same facts are stored once.

        Returns:
            The number to give to `begin`.
        """
        text = to_json(facts)
        name = hashlib.sha256(text.encode()).hexdigest()
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO environment (hash, facts) VALUES (?, ?)", (name, text))
            return database.execute("SELECT number FROM environment WHERE hash = ?", (name,)).fetchone()[0]

    def ask(self, key: str, title: str, declaration: Any, runs: Sequence[NewRun], source: str = "") -> None:
        """Remember a study and the runs it asks for; runs that are known already stay as they are.

        Args:
            key: What the study is known by.
            title: Its title.
            declaration: Its declaration as a tree.
            runs: The runs.
            source: Where it was read.
        """
        now = _now()
        with self._writing() as database:
            database.execute(
                "INSERT INTO study VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET last_issued = ?",
                (key, title, source, to_json(declaration), now, now, now),
            )
            specs = sorted({run.spec for run in runs})
            database.executemany("INSERT OR IGNORE INTO spec (declaration) VALUES (?)", [(s,) for s in specs])
            number = {
                spec: database.execute("SELECT number FROM spec WHERE declaration = ?", (spec,)).fetchone()[0]
                for spec in specs
            }
            database.executemany(
                "INSERT OR IGNORE INTO run (id, spec, seeds, start_from, state) VALUES (?, ?, ?, ?, 'planned')",
                [(run.id, number[run.spec], to_json(run.seeds), run.start_from) for run in runs],
            )
            database.executemany(
                "INSERT OR REPLACE INTO asked SELECT ?, ?, ?, number FROM run WHERE id = ?",
                [(key, run.condition, run.replicate, run.id) for run in runs],
            )

    def begin(self, starts: Mapping[str, int], backend: str, environment: int | None = None) -> None:
        """Remember that some runs are being trained from now on.

        Args:
            starts: The epoch from which each run goes on, by id.
            backend: What trains them.
            environment: A number from `add_environment`.
        """
        now = _now()
        numbers = self._numbers_of(starts)
        with self._writing() as database:
            last = database.execute("SELECT coalesce(max(number), 0) FROM attempt").fetchone()[0]
            attempts = {run: last + place for place, run in enumerate(starts, 1)}
            database.executemany(
                "INSERT INTO attempt (number, run, environment, backend, first_epoch, last_epoch, outcome, began) "
                "VALUES (?, ?, ?, ?, ?, ?, 'running', ?)",
                [
                    (attempts[run], numbers[run], environment, backend, at, at, now)
                    for run, at in starts.items()
                ],
            )
            database.executemany(
                "UPDATE run SET state = 'running', reason = '', attempts = attempts + 1, backend = ?, environment = ? "
                "WHERE number = ?",
                [(backend, environment, numbers[run]) for run in starts],
            )
        self._attempts |= attempts

    def keep_labels(self, run: str, key: str, labels: NDArray[np.int64]) -> None:
        """Remember labels that were drawn for a run, once for all runs with the same.

        Args:
            run: The run's id.
            key: What the labels follow from.
            labels: The labels of its training examples, [n].

        Raises:
            StoreError: The lab holds other labels for this key, or for this run.
        """
        number = self._numbers_of([run])[run]
        with self._writing() as database:
            keep(database, number, key, labels)

    def store_slice(self, entries: Sequence[Progress], record: str, seconds: float = 0.0) -> None:
        """Store what one slice of a fleet did: states, series, passages and ends, in one transaction.

        Args:
            entries: One for each member of the fleet; their runs have been begun.
            record: Canonical text of what the fleet records.
            seconds: How long the slice took.

        Raises:
            StoreError: The slice could not be stored; nothing of it is, and what was stored before stays.
        """
        if not entries:
            return
        numbers = self._numbers_of([entry.run for entry in entries])
        places: list[tuple[int, int, Progress]] = []  # file, member, entry
        files: list[tuple[int, str, int]] = []
        going = [e for e in entries if not e.ending and not e.retraced]
        for group in ([e for e in entries if e.ending], going):
            if group:
                file = self._write_weights([entry.state for entry in group], files)
                places += [(file, member, entry) for member, entry in enumerate(group)]
        kept = [(entry.run, state) for entry in entries for state in entry.kept]
        snapshots = self._write_weights([state for _, state in kept], files) if kept else 0
        with self._writing() as database:
            what = self._number_of_record(database, record)
            database.executemany("INSERT INTO weights VALUES (?, ?, ?)", files)
            superseded = self._drop_live_checkpoints(database, [numbers[entry.run] for entry in entries])
            superseded |= self._replace_snapshots(
                database,
                [(numbers[run], state.epoch, snapshots, place) for place, (run, state) in enumerate(kept)],
            )
            database.executemany(
                "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?, ?)",
                [(numbers[e.run], e.epoch, what, file, member) for file, member, e in places],
            )
            database.executemany(
                _INSERT_TRACE, [row for entry in entries for row in _trace_rows(numbers[entry.run], entry)]
            )
            database.executemany(
                "INSERT INTO passage VALUES (?, 'loss', ?, ?) "
                "ON CONFLICT DO UPDATE SET epoch = coalesce(excluded.epoch, epoch)",
                [(numbers[e.run], float(t), e.state.passages.get(t)) for e in entries for t in e.thresholds],
            )
            self._store_ends(database, [e for e in entries if e.ending], numbers, what)
            database.executemany(
                "UPDATE run SET state = ?, epoch = ?, reason = ? WHERE number = ?",
                [(_state(entry), entry.epoch, entry.ending or "", numbers[entry.run]) for entry in entries],
            )
            database.executemany(_AS_ENDED, [(numbers[entry.run],) for entry in entries if entry.retraced])
            database.executemany(
                "UPDATE attempt SET last_epoch = ?, outcome = ?, seconds = seconds + ? WHERE number = ?",
                [
                    (e.epoch, _state(e), seconds / len(entries), self._attempts.get(e.run, -1))
                    for e in entries
                ],
            )
            gone = self._drop_unnamed(database, superseded)
        for file in gone:
            remove(self._weights_path(file))

    def store_measurements(
        self,
        instrument: str,
        declaration: Any,
        entries: Sequence[NewMeasurement],
        environment: int | None = None,
    ) -> None:
        """Store what an instrument found on some subjects, in one transaction.

        What was measured or refused before stays; what failed before is replaced.

        Args:
            instrument: Digest of its kind and settings.
            declaration: Its declaration as a tree.
            entries: One for each subject.
            environment: A number from `add_environment`.

        Raises:
            StoreError: They could not be stored; nothing of them is.
        """
        with self._writing() as database:
            insert(database, instrument, declaration, entries, environment, _now())

    def fail(self, runs: Iterable[str], message: str) -> None:
        """Mark runs as failed, with the error's text; what they recorded stays."""
        self._leave(list(runs), "failed", message)

    def interrupt(self, runs: Iterable[str]) -> None:
        """Mark runs as interrupted: the same command continues them."""
        self._leave(list(runs), "interrupted", "stopped by a signal")

    def add_look(self, claim: str, n: int, alpha: float, verdict: Any) -> Look:
        """Remember a verdict that was taken, which spends alpha; asking again at the same n spends nothing.

        Args:
            claim: What the claim is known by.
            n: Replicates looked at.
            alpha: The level spent.
            verdict: The verdict as a tree; non-finite numbers survive as words.

        Returns:
            The look: the one that was stored first at this n.
        """
        taken = self.looks(claim)
        if not any(look.n == n for look in taken):
            with self._writing() as database:
                database.execute(
                    "INSERT INTO look VALUES (?, ?, ?, ?, ?, ?)",
                    (claim, len(taken), n, float(alpha), to_json(verdict), _now()),
                )
        return next(look for look in self.looks(claim) if look.n == n)

    def _sweep(self) -> None:
        """Clear away what a killed writer left: runs that nobody trains any more, files that no row names."""
        with self._writing() as database:
            database.execute(
                "UPDATE run SET state = 'interrupted', reason = 'the process ended without a word' "
                "WHERE state = 'running'"
            )
            database.execute("UPDATE attempt SET outcome = 'lost' WHERE outcome = 'running'")
            named = {row[0] for row in database.execute("SELECT file FROM weights")}
        names = {self._weights_path(file).name for file in named}
        for path in sorted((self.folder / "weights").iterdir()):
            if path.name not in names:
                remove(path)
        self._next_file = max(named, default=0) + 1

    def _leave(self, runs: list[str], state: str, message: str) -> None:
        if not runs:
            return
        numbers = self._numbers_of(runs)
        reason = message.strip().rsplit("\n", 1)[-1][:200]
        with self._writing() as database:
            database.executemany(
                "UPDATE run SET state = ?, reason = ? WHERE number = ?",
                [(state, reason, numbers[run]) for run in runs],
            )
            database.executemany(
                "UPDATE attempt SET outcome = ?, message = ? WHERE number = ?",
                [(state, message, self._attempts[run]) for run in runs if run in self._attempts],
            )

    def _write_weights(self, states: Sequence[State], files: list[tuple[int, str, int]]) -> int:
        file = self._next_file
        self._next_file += 1
        data = pack(states)
        path = self._weights_path(file)
        write_new(path.parent, path.name, data)
        files.append((file, hashlib.sha256(data).hexdigest(), len(data)))
        return file

    def _weights_path(self, file: int) -> Path:
        return self.folder / "weights" / f"{file:08d}.safetensors"

    def _drop_live_checkpoints(self, database: sqlite3.Connection, numbers: Sequence[int]) -> set[int]:
        """Forget states between ends, which the new slice replaces; returns the files that held any state."""
        files: set[int] = set()
        for number in numbers:
            files.update(
                row[0] for row in database.execute("SELECT file FROM checkpoint WHERE run = ?", (number,))
            )
        database.executemany(
            "DELETE FROM checkpoint WHERE run = ?1 AND epoch NOT IN (SELECT epoch FROM ending WHERE run = ?1)",
            [(number,) for number in numbers],
        )
        return files

    def _replace_snapshots(
        self, database: sqlite3.Connection, rows: Sequence[tuple[int, int, int, int]]
    ) -> set[int]:
        """Name weights that are kept; returns the files that held them before, where they were damaged."""
        place = "FROM snapshot WHERE run = ? AND epoch = ?"
        files: set[int] = set()
        for run, epoch, *_ in rows:
            files.update(row[0] for row in database.execute(f"SELECT file {place}", (run, epoch)))
        database.executemany("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?)", rows)
        return files

    def _drop_unnamed(self, database: sqlite3.Connection, files: Iterable[int]) -> list[int]:
        """Forget those files that no checkpoint and no snapshot names any more; returns them."""
        query = (
            "DELETE FROM weights WHERE file = ?1 AND NOT EXISTS (SELECT 1 FROM checkpoint WHERE file = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM snapshot WHERE file = ?1)"
        )
        return [file for file in sorted(files) if database.execute(query, (file,)).rowcount]

    def _store_ends(
        self, database: sqlite3.Connection, ended: Sequence[Progress], numbers: Mapping[str, int], record: int
    ) -> None:
        database.executemany(
            "INSERT OR REPLACE INTO ending VALUES (?, ?, ?, ?, ?, ?)",
            [(numbers[e.run], e.epoch, e.ending, record, hash_of(e.state), e.updates) for e in ended],
        )
        for entry in ended:
            self._consolidate(database, numbers[entry.run])

    def _consolidate(self, database: sqlite3.Connection, run: int) -> None:
        """Join the pieces of each series of a run that has ended, so that reading it takes one row each."""
        several = database.execute(
            "SELECT quantity, beside FROM trace WHERE run = ? GROUP BY quantity, beside HAVING count(*) > 1",
            (run,),
        ).fetchall()
        for quantity, beside in several:
            of_series = "run = ? AND quantity = ? AND beside = ?"
            pieces = database.execute(
                f"SELECT epochs, value, width FROM trace WHERE {of_series} ORDER BY number",
                (run, quantity, beside),
            ).fetchall()
            epochs, values = merge([(epochs_of(piece[0]), values_of(piece[1], piece[2])) for piece in pieces])
            database.execute(f"DELETE FROM trace WHERE {of_series}", (run, quantity, beside))
            database.execute(
                _INSERT_TRACE, (run, quantity, beside, int(epochs[0]), *to_bytes(epochs, values))
            )

    def _number_of_record(self, database: sqlite3.Connection, record: str) -> int:
        database.execute("INSERT OR IGNORE INTO record (declaration) VALUES (?)", (record,))
        return database.execute("SELECT number FROM record WHERE declaration = ?", (record,)).fetchone()[0]

    def _numbers_of(self, runs: Iterable[str]) -> dict[str, int]:
        wanted = list(runs)
        missing = [run for run in wanted if run not in self._numbers]
        self._numbers |= dict(self._in("SELECT id, number FROM run WHERE id IN ({})", missing))
        unknown = [run for run in wanted if run not in self._numbers]
        if unknown:
            raise StoreError(f"the lab {self.folder} has never been asked for run {unknown[0]}")
        return {run: self._numbers[run] for run in wanted}

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """One transaction of the one writer."""
        if self._lock is None or os.getpid() != self._process:
            raise StoreError(f"the lab {self.folder} was opened for reading only")
        with self._translated(), schema.transaction(self._database):
            yield self._database

    @contextmanager
    def _translated(self) -> Generator[None]:
        """Errors of the database and of the system as errors of the store."""
        try:
            yield
        except sqlite3.Error as error:
            raise schema.damage(error, self.file) from error
        except OSError as error:
            raise disk_problem(error, self.folder) from error


def _state(entry: Progress) -> str:
    if entry.ending is None:
        return "done" if entry.retraced else "running"
    return "diverged" if entry.ending == "diverged" else "done"


def _trace_rows(run: int, entry: Progress) -> Iterator[tuple[Any, ...]]:
    for beside, series in ((0, entry.trace), (1, entry.beside)):
        for quantity, (epochs, values) in series.items():
            if len(epochs):
                yield (run, quantity, beside, int(epochs[0]), *to_bytes(epochs, np.asarray(values)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
