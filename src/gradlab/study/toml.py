"""Studies as files: a TOML page, or a Python file with one module-level `study`."""

from __future__ import annotations

import runpy
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from traceback import extract_tb
from typing import Any

from pydantic import ValidationError

from gradlab.component import Component
from gradlab.errors import Problem, StudyError
from gradlab.study.problems import problems_of
from gradlab.study.study import Study

__all__ = ["load", "parse_setting", "parse_settings", "read_toml"]


def load(path: str | Path) -> Study:
    """Read a study from a `.toml` or `.py` file.

    A Python file defines exactly one module-level `study`; it is executed once, here.

    Args:
        path: The file.

    Returns:
        The study, which knows where it came from.

    Raises:
        StudyError: The file is missing, cannot be read, or holds no valid study.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError([Problem("", str(path), "there is no such file")])
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError([Problem("", str(path), f"cannot be read: {error}")]) from None
        return read_toml(text, str(path)).from_source(str(path))
    if path.suffix != ".py":
        raise StudyError([Problem("", str(path), "is not a study file", ".py or .toml")])
    found = _executed(path)
    if not isinstance(found, Study):
        told = "defines no `study`" if found is None else "defines a `study` that is not a gradlab.Study"
        raise StudyError([Problem("study", str(path), told, "study = Study(...) at module level")])
    return found.from_source(str(path))


def _executed(path: Path) -> object:
    """What a Python file calls `study`; whatever stops the file is told with its line."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # as `python study.py` would have it, so that a page can import its neighbours
    try:
        return runpy.run_path(str(path)).get("study")
    except SystemExit as error:
        raise StudyError([Problem("", str(path), f"ends the program with sys.exit({error.code})")]) from None
    except StudyError:
        raise
    except ValidationError as error:
        raise StudyError(problems_of(error, Component, f"{error.title}.")) from None
    except Exception as error:  # the file is the user's own code
        line = next(
            (f.lineno for f in reversed(extract_tb(error.__traceback__)) if f.filename == str(path)), None
        )
        where = f"{path}, line {line or getattr(error, 'lineno', '?')}"
        raise StudyError([Problem("", where, f"fails with {type(error).__name__}: {error}")]) from error
    finally:
        sys.path.remove(folder)


def read_toml(text: str, name: str = "study.toml") -> Study:
    """Read a study from the text of a TOML page.

    Args:
        text: The page.
        name: What to call it in errors.

    Returns:
        The study.

    Raises:
        StudyError: The text is not TOML or not a valid study.

    Example:
        >>> study = read_toml('''
        ... title = "How low does it get?"
        ... task = { function = "sinc", low = -1, high = 1, points = 50 }
        ... model.mlp = [5, 5]
        ... optimizer.adam.lr = 1e-3
        ... epochs = 100
        ... ''')
        >>> study.model.hidden
        (5, 5)
    """
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError([Problem("", name, f"is not valid TOML: {error}")]) from None
    return Study(**fields)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read `key=value` as the command line takes it; the value is TOML, or else plain text.

    Args:
        text: As in `optimizer.lr=1e-4` or `batch_size=full`.

    Returns:
        The key path and the value.

    Raises:
        StudyError: There is no `=`, or no key before it.

    Example:
        >>> parse_setting("optimizer.lr=1e-4")
        ('optimizer.lr', 0.0001)
        >>> parse_setting("batch_size=full")
        ('batch_size', 'full')
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise StudyError([Problem("--set", text, "is not of the form key=value", "optimizer.lr=1e-4")])
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value.strip()


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Read several `key=value`; a later one wins.

    Args:
        texts: As on the command line.

    Returns:
        Values by key path.
    """
    return dict(parse_setting(text) for text in texts)
