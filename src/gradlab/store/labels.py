"""Labels that were drawn at random, kept so that anyone can check what a run was trained on."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.errors import StoreError

__all__ = ["keep", "load", "smallest"]

_TYPES = ("u1", "<u2", "<i8")


def smallest(labels: NDArray[np.int64]) -> str:
    """The smallest type that holds all labels, as NumPy spells it, so that a label mostly takes a byte.

    Example:
        >>> smallest(np.array([0, 9])), smallest(np.array([0, 999]))
        ('u1', '<u2')
    """
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    return next(name for name in _TYPES if np.iinfo(name).min <= low and high <= np.iinfo(name).max)


def keep(database: sqlite3.Connection, run: int, key: str, labels: NDArray[np.int64]) -> None:
    """Remember what a run learns from, inside a transaction.

    Args:
        database: The lab's.
        run: The run's number.
        key: What the labels follow from; equal keys mean equal labels.
        labels: The labels, [n].

    Raises:
        StoreError: Under this key, or for this run, other labels were kept before.
    """
    dtype = smallest(labels)
    content = labels.astype(dtype).tobytes()
    sha256 = hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()
    database.execute(
        "INSERT OR IGNORE INTO labels (key, sha256, type, value) VALUES (?, ?, ?, ?)",
        (key, sha256, dtype, content),
    )
    number, kept = database.execute("SELECT number, sha256 FROM labels WHERE key = ?", (key,)).fetchone()
    before = database.execute("SELECT labels FROM learned WHERE run = ?", (run,)).fetchone()
    if kept != sha256 or (before is not None and before[0] != number):
        raise StoreError(
            f"the labels that were drawn now (SHA-256 {sha256[:12]}) are not those that this lab holds for the same "
            f"task and seeds ({kept[:12]}): the data, NumPy or gradlab changed. Nothing was trained on them; name "
            "another lab folder"
        )
    database.execute("INSERT OR IGNORE INTO learned VALUES (?, ?)", (run, number))


def load(row: tuple[Any, ...]) -> NDArray[np.int64]:
    """The labels of a row of sha256, type and value.

    Raises:
        StoreError: They are damaged.
    """
    sha256, dtype, value = row
    labels = np.frombuffer(value, dtype).astype(np.int64)
    if hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest() != sha256:
        raise StoreError("stored labels are damaged (their SHA-256 is not the stored one)")
    return labels
