"""Fetching a published image set: verified, whole or not at all, continued after an interruption."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import time
import urllib.parse
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gradlab.errors import EnvironmentProblem
from gradlab.task.download import download
from gradlab.task.readers import read
from gradlab.task.readers.archive import members
from gradlab.task.readers.cifar import batch_bytes, records_of
from gradlab.task.readers.locate import home, locate

if TYPE_CHECKING:
    from collections.abc import Generator

    from gradlab.task.download import Told
    from gradlab.task.readers.published import Download, Published

__all__ = ["fetch", "target"]

_LARGEST_CONTENT = 100_000_000


class _WrongContent(Exception):
    """What came is not the published file."""


def target() -> Path:
    """Where image sets are put if no other folder is named: that of GRADLAB_DATA, or gradlab's own."""
    own = os.environ.get("GRADLAB_DATA")
    return Path(own).expanduser() if own else home()


def fetch(published: Published, to: Path | None = None, mirror: str = "", told: Told | None = None) -> Path:
    """Put the files of an image set under a data folder.

    A file takes its place only when it is whole and its SHA-256 is right. An interrupted transfer continues where
    it broke off when the same is asked for again. Two processes that fetch one set take turns, and the second finds
    it there.

    Args:
        published: Which set.
        to: The data folder; that of GRADLAB_DATA, or gradlab's own, if not given.
        mirror: An address to fetch from, in place of the published ones.
        told: Is told how far each file is.

    Returns:
        The folder of the files.

    Raises:
        EnvironmentProblem: Downloads are switched off (GRADLAB_OFFLINE), no address has the files, what came is not
            what was published, or the folder cannot be written to.
    """
    told = told or (lambda _name, _done, _total: None)
    root = target() if to is None else to
    folder = root / published.folders[0]
    try:
        if _complete(published, root):
            return locate(published, [root]).path
        if os.environ.get("GRADLAB_OFFLINE", "") not in {"", "0"}:
            raise EnvironmentProblem(
                f"{published.title} is not in {root}, and GRADLAB_OFFLINE forbids to download it"
            )
        scratch = root / f".{published.name}.part"
        scratch.mkdir(parents=True, exist_ok=True)
        with _alone(root / f".{published.name}.lock"):
            if not _complete(published, root):
                scratch.mkdir(exist_ok=True)
                folder.mkdir(parents=True, exist_ok=True)
                for item in published.downloads:
                    found = _fetched(published, item, scratch, mirror, told)
                    if published.form == "cifar":
                        _unpack(published, found, scratch, folder)
                    else:
                        os.replace(found, folder / found.name)
                shutil.rmtree(scratch)
    except OSError as error:
        where = error.filename or root
        raise EnvironmentProblem(f"{where} cannot be written: {error.strerror or error}") from None
    return folder


def _complete(published: Published, root: Path) -> bool:
    """Whether a data folder has the set; a damaged one counts as there, so that it is told and not replaced."""
    try:
        locate(published, [root])
    except EnvironmentProblem:
        return False
    read(published, [root])
    return True


def _fetched(published: Published, item: Download, scratch: Path, mirror: str, told: Told) -> Path:
    """The file, verified, in the scratch folder."""
    problems: list[str] = []
    for address in (mirror,) if mirror else published.addresses:
        if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
            raise EnvironmentProblem(f"{address!r} is not an address: it must begin with http:// or https://")
        url = f"{address.removesuffix('/')}/{item.name}"
        part = scratch / f"{item.name}.part"
        for resumed in (part.exists(), False):
            try:
                return _retrieved(url, item, part, told)
            except _WrongContent as error:
                part.unlink(missing_ok=True)
                if not resumed:
                    problems.append(f"{url}: {error}")
                    break
                # its beginning may have come from another mirror, which compressed it in another way
            except EnvironmentProblem as error:
                problems.append(str(error))
                break
    raise EnvironmentProblem(f"{published.title} could not be fetched: {'; '.join(problems)}")


def _retrieved(url: str, item: Download, part: Path, told: Told) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")

    def bring(url: str, output: str, _: object) -> None:
        download(url, part, 2 * item.size + 1_000_000, told)
        if item.unpacked:
            Path(output).write_bytes(_unpacked(part))
        else:
            os.replace(part, output)

    name = item.name.removesuffix(".gz") if item.unpacked else item.name
    try:
        found = pooch.retrieve(
            url, known_hash=f"sha256:{item.sha256}", fname=name, path=part.parent, downloader=cast(Any, bring)
        )
    except ValueError as error:
        raise _WrongContent(str(error).partition(". Deleted")[0]) from None
    part.unlink(missing_ok=True)
    return Path(found)


def _unpacked(part: Path) -> bytes:
    try:
        with gzip.open(part) as file:
            content = file.read(_LARGEST_CONTENT + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _WrongContent(f"is not a whole gzip file ({error})") from None
    if len(content) > _LARGEST_CONTENT:
        raise _WrongContent(f"unpacks to more than {_LARGEST_CONTENT:,} bytes")
    return content


def _unpack(published: Published, archive: Path, scratch: Path, folder: Path) -> None:
    inside = {f"{published.folders[0]}/{name}.bin": name for name in published.files}
    largest = max(batch_bytes(published, name) for name in published.files)
    for member, content in members(archive, inside, largest):
        name = inside[member]
        records_of(published, name, f"{archive}, {member}", content)
        written = scratch / f"{name}.bin"
        written.write_bytes(content)
        os.replace(written, folder / written.name)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold a lock of the operating system, which ends with the process; wait for it as long as it takes."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        while not _take(handle):
            time.sleep(0.1)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
