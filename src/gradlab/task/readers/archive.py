"""Files out of a tar archive that may be hostile: only those asked for, into memory, never beyond a limit."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from gradlab.errors import EnvironmentProblem
from gradlab.task.readers.content import damaged, is_web_page

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["members"]

_LARGEST = 400_000_000
"""Bytes that an archive may unpack to; the CIFAR sets have 190 million."""


class _Limited:
    """A stream that refuses to give more than so many bytes, whatever a header claims."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream = stream
        self._path = path
        self._left = _LARGEST

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left:
            raise damaged(self._path, f"unpacks to more than {_LARGEST:,} bytes")
        content = self._stream.read(size)
        self._left -= len(content)
        return content


def members(path: Path, names: Collection[str], limit: int) -> Iterator[tuple[str, bytes]]:
    """The files of a `.tar.gz` archive that have one of `names`, as they come.

    Args:
        path: The archive.
        names: Full names inside the archive.
        limit: Largest size of one file.

    Yields:
        Name and content.

    Raises:
        EnvironmentProblem: The archive is damaged, lacks a file, or holds what an honest one does not: links in
            place of files, names that lead out of the folder, files larger than expected.
    """
    missing = set(names)
    try:
        with path.open("rb") as file:
            if is_web_page(file.read(512)):
                raise damaged(path, "is a web page, not an archive")
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as unpacked:
                stream = cast(Any, _Limited(cast("IO[bytes]", unpacked), path))
                with tarfile.open(fileobj=stream, mode="r|") as archive:
                    for member in archive:
                        inside = PurePosixPath(member.name)
                        if inside.is_absolute() or ".." in inside.parts:
                            raise damaged(path, f"holds the unsafe name {member.name!r}")
                        if str(inside) not in missing:
                            continue
                        content = _content(archive, member, path, limit)
                        missing.discard(str(inside))
                        yield str(inside), content
                        if not missing:
                            return
    except EOFError:
        raise damaged(path, "is cut short") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, f"is damaged: {error}") from None
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be read: {error.strerror or error}") from None
    raise damaged(path, f"holds no {', '.join(sorted(missing))}")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, limit: int) -> bytes:
    stream = archive.extractfile(member) if member.isreg() else None
    if stream is None:
        raise damaged(path, f"holds {member.name} not as a file")
    if member.size > limit:
        raise damaged(path, f"holds {member.name} with {member.size:,} bytes; at most {limit:,} are expected")
    return stream.read()
