"""One file over HTTP, continued where it broke off, and refused when it is not what was asked for."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from gradlab.errors import EnvironmentProblem
from gradlab.task.readers.content import is_web_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Told = Callable[[str, int, int], None]
    """Is told the name of a file, how many bytes of it are there, and how many it has (0 if unknown)."""

__all__ = ["ATTEMPTS", "download"]

ATTEMPTS = 4
"""How often a transfer that breaks off is continued before it is given up for now."""

_TIMEOUT = 60.0
_CHUNK = 1 << 18


class _BrokeOff(Exception):
    """The connection ended before the file did."""


def download(url: str, part: Path, most: int, told: Told) -> None:
    """Bring a file here, after what `part` already holds of it.

    Args:
        url: Where it is.
        part: Where it is collected; whole when this returns. It is kept when the connection breaks off.
        most: Bytes that are accepted.
        told: Is told how far it is.

    Raises:
        EnvironmentProblem: The address cannot be reached, has no such file or answers with a web page, or the
            transfer broke off for good.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _continue(url, part, most, told)
        except _BrokeOff as error:
            if attempt == ATTEMPTS - 1:
                raise EnvironmentProblem(
                    f"{url} broke off {error}; what is there is kept, and the same command continues"
                ) from None
        except urllib.error.HTTPError as error:
            with error:
                raise EnvironmentProblem(f"{url} answers {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            raise EnvironmentProblem(f"{url} cannot be reached: {error.reason}") from None
        except (TimeoutError, ConnectionError, http.client.HTTPException, ValueError) as error:
            raise EnvironmentProblem(f"{url} cannot be reached: {error or type(error).__name__}") from None
    return None


def _continue(url: str, part: Path, most: int, told: Told) -> None:
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "gradlab", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        answer: Any = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise
        with error:
            if error.headers.get("Content-Range", "").endswith(f"/{start}"):
                return None  # all of it is here
        part.unlink()  # more is here than the server has, so it is of another file
        return _continue(url, part, most, told)
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise EnvironmentProblem(f"{url} answers with a web page, not with the file")
        total = _total(answer)
        if answer.status != 206 or _first(answer) != start:
            start = 0
        if total > most:
            raise EnvironmentProblem(f"{url} has {total:,} bytes; at most {most:,} are expected")
        with part.open("ab" if start else "wb") as file:
            _copy(
                answer,
                file,
                (url, start, total, most),
                lambda done: told(url.rpartition("/")[2], done, total),
            )
    return None


def _copy(answer: Any, file: Any, about: tuple[str, int, int, int], told: Callable[[int], None]) -> None:
    url, done, total, most = about
    while True:
        try:
            chunk: bytes = answer.read(_CHUNK)
        except (http.client.IncompleteRead, TimeoutError, ConnectionError) as error:
            raise _BrokeOff(f"after {done:,} bytes ({type(error).__name__})") from None
        if not done and is_web_page(chunk):
            raise EnvironmentProblem(f"{url} answers with a web page, not with the file")
        if not chunk:
            break
        done += len(chunk)
        if done > most:
            raise EnvironmentProblem(f"{url} sends more than the {most:,} bytes expected")
        file.write(chunk)
        told(done)
    if done < total:
        raise _BrokeOff(f"after {done:,} of {total:,} bytes")


def _total(answer: Any) -> int:
    """The size of the whole file, or 0 if the server does not say."""
    ranged = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if ranged:
        return int(ranged[1])
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and answer.status == 200 else 0


def _first(answer: Any) -> int:
    ranged = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(ranged[1]) if ranged else -1
