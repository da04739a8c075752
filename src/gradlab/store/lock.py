"""One writer for each lab, by a lock of the operating system that ends with its process."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gradlab.errors import StoreError
from gradlab.store.files import disk_problem

__all__ = ["Lock"]

_FAR = 1 << 30
"""Where Windows locks one byte: beyond the text, which stays readable for others."""


class Lock:
    """The right to write to one lab, held until `release` or the end of the process.

    The lock file says in plain text who holds it; whether it is held, only the operating system knows, so a
    file left by a killed process means nothing.

    Args:
        path: The lock file; made if it is not there, never deleted.

    Raises:
        StoreError: Another process holds the lock, or the file system does not keep locks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise disk_problem(error, path.parent) from error
        try:
            if not _take(self._handle):
                raise StoreError(
                    f"the lab {path.parent} is in use by {owner(path)}: wait for it, stop it, or name another lab"
                )
            self._refuse_idle_locks()
            os.ftruncate(self._handle, 0)
            os.write(self._handle, _own_text().encode())
        except OSError as error:
            os.close(self._handle)
            raise disk_problem(error, path.parent) from error
        except StoreError:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Let others write; the text is cleared so that no reader takes it for a live owner."""
        if self._handle < 0:
            return
        with suppress(OSError):  # the lock itself goes with the handle
            os.ftruncate(self._handle, 0)
        os.close(self._handle)
        self._handle = -1

    def _refuse_idle_locks(self) -> None:
        """A second handle must not get the lock; where it does, two processes could own one lab."""
        second = os.open(self.path, os.O_RDWR)
        try:
            if _take(second):
                raise StoreError(
                    f"the file system of {self.path.parent} does not keep locks (a network folder?): "
                    "put the lab on a local disk"
                )
        finally:
            os.close(second)


def owner(path: Path) -> str:
    """Who holds a lock file, as one line of text."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    facts = dict(line.split(" ", 1) for line in lines if " " in line)
    if "pid" not in facts:
        return "another process"
    return (
        f"process {facts['pid']} on {facts.get('host', 'an unknown host')} since {facts.get('since', '?')} "
        f"({facts.get('command', 'unknown command')})"
    )


def _own_text() -> str:
    command = shlex.join(sys.orig_argv)[:500]
    since = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "command": command}
    return "".join(
        f"{key} {''.join(c if c.isprintable() else '?' for c in str(facts[key]))}\n" for key in facts
    )


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> bool:
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
