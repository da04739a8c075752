"""Questions to a lab's database: each is its own short transaction, so no writer waits for a reader."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gradlab.errors import StoreError
from gradlab.store import schema

__all__ = ["Queries", "roll_back"]

BRISK_SECONDS = 0.02
"""Half of what a reader may hold the database for: a query that takes longer makes the next one smaller."""


class Queries:
    """A lab's database, for reading.

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

    def _has(self, table: str) -> bool:
        """Whether the lab has a table: one of an older version lacks those that came later."""
        return bool(self._rows("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)))

    def _in(self, query: str, ids: Sequence[Any], extra: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query with `{}` for a list of run ids or the like, asked for a few of them at a time."""
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
