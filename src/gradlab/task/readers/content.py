"""The content of files that may be anything: never more than expected is read, and what is wrong is named."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from typing import TYPE_CHECKING

from gradlab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["damaged", "is_web_page", "matches", "read_at_most", "size_problem"]

_SORTED = "sorted:"


def damaged(path: Path | str, what: str) -> EnvironmentProblem:
    """The error about a file that is not what its name says."""
    return EnvironmentProblem(f"{path} {what}: delete it and fetch it again (`gradlab data fetch`)")


def is_web_page(content: bytes) -> bool:
    """Whether content is HTML, as mirrors return in place of a file that they do not have.

    Example:
        >>> is_web_page(b"<!DOCTYPE html><title>404</title>"), is_web_page(bytes(8))
        (True, False)
    """
    start = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml"))


def read_at_most(path: Path, limit: int) -> bytes:
    """The content of a file, decompressed if it is gzip, and at most one byte more than `limit` of it.

    Args:
        path: The file.
        limit: The size that is expected.

    Returns:
        The content; longer than `limit` if there is more.

    Raises:
        EnvironmentProblem: The file cannot be read, or is a web page or a damaged gzip file.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
            if is_web_page(start):
                raise damaged(path, "is a web page, not data")
            file.seek(0)
            if not start.startswith(b"\x1f\x8b"):
                return file.read(limit + 1)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return unpacked.read(limit + 1)
    except EOFError:
        raise damaged(path, "is cut short: its compressed content ends too early") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path, f"is damaged: {error}") from None
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be read: {error.strerror or error}") from None


def size_problem(found: int, expected: int) -> str:
    """What is wrong with the size of a content, in words; empty if nothing is."""
    if found == expected:
        return ""
    if found < expected:
        return f"is cut short: {found:,} of {expected:,} bytes"
    return f"is longer than the {expected:,} bytes expected"


def matches(content: bytes | memoryview, digests: tuple[str, ...], record: int) -> bool:
    """Whether content has one of the SHA-256 digests; `sorted:` ones are of its records in sorted order.

    Args:
        content: The content.
        digests: Hexadecimal; any content matches where there is none.
        record: Bytes of one record.

    Returns:
        Whether it matches.
    """
    if not digests or hashlib.sha256(content).hexdigest() in digests:
        return True
    if not any(digest.startswith(_SORTED) for digest in digests):
        return False
    whole = bytes(content)
    ordered = b"".join(sorted(whole[at : at + record] for at in range(0, len(whole), record)))
    return _SORTED + hashlib.sha256(ordered).hexdigest() in digests
