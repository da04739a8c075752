"""The tables of a lab, and what is checked before any of them is trusted."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gradlab.errors import StoreError
from gradlab.store.files import reach

__all__ = [
    "APPLICATION",
    "STATES",
    "VERSION",
    "connect",
    "create",
    "damage",
    "examine",
    "release",
    "transaction",
    "upgrade",
]

VERSION = 3
"""Schema version; stands in `user_version` of the file."""

APPLICATION = 0x6772_6C62
"""`application_id` of the file ("grlb"), which tells a lab from any other SQLite database."""

STATES = ("planned", "running", "done", "diverged", "failed", "interrupted")

QUICK_CHECK_BYTES = 64 * 2**20
"""Files up to this size are checked page by page when a writer opens them; larger ones would take seconds."""

BUSY_SECONDS = 30.0

_LABELS = """
-- class labels that were drawn at random; key: what they follow from, value: one number of `type` a training example
CREATE TABLE labels (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    type TEXT NOT NULL,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE learned (
    run INTEGER PRIMARY KEY REFERENCES run,
    labels INTEGER NOT NULL REFERENCES labels
) STRICT;
"""

_MEASUREMENTS = """
-- weights between ends that are kept for good, because a study measures them; file and member as in checkpoint
CREATE TABLE snapshot (
    run INTEGER NOT NULL REFERENCES run,
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    file INTEGER NOT NULL REFERENCES weights,
    member INTEGER NOT NULL,
    PRIMARY KEY (run, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_file ON snapshot (file);

-- digest: of the kind and the settings, without what only chooses subjects
CREATE TABLE instrument (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    declaration TEXT NOT NULL
) STRICT;

-- one subject looked at by one instrument; members: [run id, epoch] of each network in it
CREATE TABLE measurement (
    number INTEGER PRIMARY KEY,
    instrument INTEGER NOT NULL REFERENCES instrument,
    subject TEXT NOT NULL,
    members TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('measured', 'refused', 'failed')),
    failure TEXT NOT NULL DEFAULT '',
    warnings TEXT NOT NULL DEFAULT '[]',
    settings TEXT NOT NULL DEFAULT '{}',
    gradients REAL NOT NULL DEFAULT 0,
    environment INTEGER REFERENCES environment,
    measured TEXT NOT NULL,
    seconds REAL NOT NULL DEFAULT 0,
    UNIQUE (instrument, subject)
) STRICT;

-- what values of one name mean, once for all of them
CREATE TABLE meaning (
    number INTEGER PRIMARY KEY,
    means TEXT NOT NULL,
    axis TEXT NOT NULL,
    uncertainty TEXT NOT NULL,
    UNIQUE (means, axis, uncertainty)
) STRICT;

-- value, places and error: float64, little-endian; shapes as JSON, [] for one number
CREATE TABLE measured (
    number INTEGER PRIMARY KEY,
    measurement INTEGER NOT NULL REFERENCES measurement,
    name TEXT NOT NULL,
    meaning INTEGER NOT NULL REFERENCES meaning,
    shape TEXT NOT NULL,
    value BLOB NOT NULL,
    places BLOB,
    error_shape TEXT,
    error BLOB,
    UNIQUE (measurement, name)
) STRICT;
"""

ADDED = {2: _LABELS, 3: _MEASUREMENTS}
"""Tables that a version added to the one before; a version that changes tables needs a copy of the lab instead."""

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE environment (
    number INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    facts TEXT NOT NULL
) STRICT;

CREATE TABLE study (
    key TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    declaration TEXT NOT NULL,
    first_issued TEXT NOT NULL,
    last_issued TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE spec (number INTEGER PRIMARY KEY, declaration TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE record (number INTEGER PRIMARY KEY, declaration TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    spec INTEGER NOT NULL REFERENCES spec,
    seeds TEXT NOT NULL,
    start_from TEXT,
    state TEXT NOT NULL CHECK (state IN {STATES!r}),
    epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    reason TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    environment INTEGER REFERENCES environment,
    backend TEXT NOT NULL DEFAULT ''
) STRICT;

-- which study asked for a run, and under which name
CREATE TABLE asked (
    study TEXT NOT NULL REFERENCES study,
    condition TEXT NOT NULL,
    replicate INTEGER NOT NULL,
    run INTEGER NOT NULL REFERENCES run,
    PRIMARY KEY (study, condition, replicate)
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_run ON asked (run);

-- epochs: int64, value: float64, both little-endian; value holds `width` numbers an epoch, epoch by epoch.
-- beside = 1: points off the schedule (the last epoch of a run, quantities measured only there)
CREATE TABLE trace (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    quantity TEXT NOT NULL,
    beside INTEGER NOT NULL CHECK (beside IN (0, 1)),
    first INTEGER NOT NULL,
    width INTEGER NOT NULL CHECK (width >= 0),
    epochs BLOB NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE INDEX trace_run ON trace (run, quantity);

-- first epoch at which a quantity fell below a threshold; NULL: not yet
CREATE TABLE passage (
    run INTEGER NOT NULL REFERENCES run,
    quantity TEXT NOT NULL,
    threshold REAL NOT NULL,
    epoch INTEGER,
    PRIMARY KEY (run, quantity, threshold)
) STRICT, WITHOUT ROWID;

CREATE TABLE weights (
    file INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    run INTEGER NOT NULL REFERENCES run,
    epoch INTEGER NOT NULL,
    record INTEGER NOT NULL REFERENCES record,
    file INTEGER NOT NULL REFERENCES weights,
    member INTEGER NOT NULL,
    PRIMARY KEY (run, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX checkpoint_file ON checkpoint (file);

-- every end a run has reached: its horizon, where its rule stopped it, where it diverged
CREATE TABLE ending (
    run INTEGER NOT NULL REFERENCES run,
    epoch INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('epochs', 'stopped', 'diverged')),
    record INTEGER NOT NULL REFERENCES record,
    weights TEXT NOT NULL,
    updates INTEGER NOT NULL,
    PRIMARY KEY (run, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    environment INTEGER REFERENCES environment,
    backend TEXT NOT NULL,
    first_epoch INTEGER NOT NULL,
    last_epoch INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    message TEXT NOT NULL DEFAULT '',
    began TEXT NOT NULL,
    seconds REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX attempt_run ON attempt (run);

CREATE TABLE look (
    claim TEXT NOT NULL,
    k INTEGER NOT NULL,
    n INTEGER NOT NULL,
    alpha REAL NOT NULL,
    verdict TEXT NOT NULL,
    seen TEXT NOT NULL,
    PRIMARY KEY (claim, k),
    UNIQUE (claim, n)
) STRICT, WITHOUT ROWID;
{_LABELS}{_MEASUREMENTS}"""


def release() -> str:
    """The installed version of gradlab."""
    try:
        return version("gradlab")
    except PackageNotFoundError:
        return "0"


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open the database file; every statement outside `transaction` is its own transaction.

    Args:
        path: The SQLite file; a writer makes it.
        write: Open for reading and writing.

    Returns:
        The connection, with foreign keys on and a busy timeout.

    Raises:
        StoreError: The file cannot be opened.
    """
    address = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}"
    try:
        database = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    except sqlite3.Error as error:
        raise damage(error, path) from error
    try:
        database.execute("PRAGMA foreign_keys = ON")
        if write:
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        database.close()
        raise damage(error, path) from error
    return database


def create(database: sqlite3.Connection) -> None:
    """Make the tables in an empty database, in one transaction."""
    with transaction(database):
        _make(database, TABLES)
        database.execute("INSERT INTO meta VALUES ('made_by', ?)", (release(),))
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {VERSION}")


def upgrade(database: sqlite3.Connection) -> None:
    """Add the tables that newer versions have to an older lab, in one transaction; nothing in it changes."""
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found >= VERSION:
        return
    with transaction(database):
        for version_ in range(found + 1, VERSION + 1):
            _make(database, ADDED[version_])
        database.execute("INSERT OR REPLACE INTO meta VALUES ('upgraded_by', ?)", (release(),))
        database.execute(f"PRAGMA user_version = {VERSION}")


def _make(database: sqlite3.Connection, tables: str) -> None:
    for statement in tables.split(";\n"):
        if statement.strip():
            database.execute(statement)


def examine(database: sqlite3.Connection, path: Path, *, write: bool) -> bool:
    """Look at a database before trusting it.

    Args:
        database: An open connection.
        path: Its file, for messages.
        write: Also check the pages, where the file is small enough.

    Returns:
        Whether there are tables; an empty file has none.

    Raises:
        StoreError: The file is damaged, belongs to another program or to a newer gradlab.
    """
    try:
        tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        application = database.execute("PRAGMA application_id").fetchone()[0]
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if not tables and not application and not found:
            return False
        if application != APPLICATION:
            raise StoreError(f"{path} is a database of another program: name another lab folder")
        if found > VERSION:
            made_by = database.execute(
                "SELECT value FROM meta WHERE key IN ('upgraded_by', 'made_by') ORDER BY key DESC"
            ).fetchone()
            needed = made_by[0] if made_by else "a newer version"
            raise StoreError(
                f"{path} has schema {found}, this gradlab ({release()}) knows {VERSION}: it was written by "
                f"gradlab {needed}; install it (pip install 'gradlab>={needed}'). Nothing was changed"
            )
        if write and path.stat().st_size <= QUICK_CHECK_BYTES:
            report = [row[0] for row in database.execute("PRAGMA quick_check(3)")]
            if report != ["ok"]:
                raise damage(sqlite3.DatabaseError("; ".join(report)), path)
    except sqlite3.Error as error:
        raise damage(error, path) from error
    return True


@contextmanager
def transaction(database: sqlite3.Connection) -> Generator[None]:
    """All or nothing: commit at the end, roll back on any error.

    Args:
        database: A connection in autocommit mode.

    Yields:
        Nothing.
    """
    reach("database.begin")
    database.execute("BEGIN IMMEDIATE")
    try:
        reach("database.begun")
        yield
        reach("database.commit")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    reach("database.committed")


def damage(error: sqlite3.Error, path: Path) -> StoreError:
    """What an SQLite error means for the lab, and how to go on."""
    text = str(error).lower()
    if "full" in text:
        return StoreError(
            f"the disk of {path.parent} is full: make room; what was stored before is intact, "
            "and the same command continues from it"
        )
    if "locked" in text or "busy" in text:
        return StoreError(
            f"{path} was locked by another program for {BUSY_SECONDS:.0f} s (a backup, a browser of databases?): "
            "close it and run the same command again"
        )
    if "readonly" in text or "unable to open" in text or "permission" in text:
        return StoreError(
            f"{path} cannot be opened or written ({error}): check its permissions, or name another lab"
        )
    return StoreError(
        f"{path} is damaged or not a lab ({error}): restore it from a copy, or move the folder aside and run the "
        "command again, which computes everything anew"
    )
