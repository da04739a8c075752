"""Every change to the lab folder goes through here, past named points at which tests inject faults.

A file is written under a temporary name in the folder where it will live, forced to disk, renamed, and the
folder is forced to disk; only then may a row name it. A point is passed immediately before and after each
step that a crash, a full disk or a missing permission can break.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["POINTS", "disk_problem", "reach", "remove", "watching", "write_array", "write_new"]

POINTS = (
    "file.open",
    "file.write",
    "file.torn",
    "file.sync",
    "file.rename",
    "file.sync_folder",
    "file.written",
    "file.remove",
    "file.removed",
    "database.begin",
    "database.begun",
    "database.commit",
    "database.committed",
)
"""The points in the order in which one stored slice passes them (removals come after the commit)."""

_watch: Callable[[str], None] | None = None


@contextmanager
def watching(watch: Callable[[str], None]) -> Generator[None]:
    """Call `watch(point)` at each point; it may raise `OSError`, or end the process.

    Args:
        watch: Receives one of `POINTS`.

    Yields:
        Nothing.
    """
    global _watch
    before, _watch = _watch, watch
    try:
        yield
    finally:
        _watch = before


def reach(point: str) -> None:
    """Pass a named point."""
    if _watch is not None:
        _watch(point)


def write_new(folder: Path, name: str, data: bytes) -> None:
    """Write a file that must not exist, whole or not at all.

    Args:
        folder: An existing folder.
        name: The file's name in it.
        data: The contents.

    Raises:
        StoreError: The disk is full, the folder may not be written, or the device failed; nothing is left.
    """
    temporary = folder / f"{name}.part"
    try:
        reach("file.open")
        handle = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o644)
        try:
            reach("file.write")
            half = len(data) // 2
            _write_all(handle, data[:half])
            reach("file.torn")
            _write_all(handle, data[half:])
            reach("file.sync")
            os.fsync(handle)
        finally:
            os.close(handle)
        reach("file.rename")
        temporary.replace(folder / name)
        reach("file.sync_folder")
        _sync_folder(folder)
        reach("file.written")
    except OSError as error:
        for leftover in (temporary, folder / name):
            leftover.unlink(missing_ok=True)
        raise disk_problem(error, folder, len(data)) from error


def write_array(folder: Path, name: str, array: NDArray[Any]) -> None:
    """Write an array as a `.npy` file, whole or not at all; it is a cache, so nothing is forced to disk.

    Args:
        folder: An existing folder.
        name: The file's name in it; one that is there is replaced.
        array: The array, C-contiguous.

    Raises:
        StoreError: The disk is full, the folder may not be written, or the device failed; nothing is left.
    """
    temporary = folder / f"{name}.part"
    try:
        reach("file.open")
        with temporary.open("wb") as stream:
            reach("file.write")
            np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
            stream.write(array.data.cast("B"))
        reach("file.rename")
        temporary.replace(folder / name)
        reach("file.written")
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_problem(error, folder, array.nbytes) from error


def remove(path: Path) -> None:
    """Delete a file that no row names; one that cannot be deleted now is left for the next sweep."""
    try:
        reach("file.remove")
        path.unlink(missing_ok=True)
    except OSError:
        return
    reach("file.removed")


def disk_problem(error: OSError, folder: Path, needed: int = 0) -> StoreError:
    """What an operating-system error means for the lab, and how to go on."""
    kept = "what was stored before is intact, and the same command continues from it"
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        asked = f"{needed:,} bytes needed" if needed else "no space left"
        return StoreError(f"the disk of {folder} is full ({asked}, {_free(folder)} free): make room; {kept}")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StoreError(
            f"no permission to write in {folder} ({error.strerror}): allow it, or name another lab"
        )
    return StoreError(f"writing in {folder} failed ({error.strerror or error}): check the device; {kept}")


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free:,}"
    except OSError:
        return "an unknown number"


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync_folder(folder: Path) -> None:
    """Force the folder's entries to disk, where the system can (Windows cannot, and does not need it)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
