"""What can go wrong, said so that a person can mend it; each kind has its own exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "EnvironmentProblem",
    "GradlabError",
    "Interrupted",
    "MeasureError",
    "Problem",
    "RunsFailed",
    "StoreError",
    "StudyError",
    "UsageError",
    "WeightsError",
    "nearest",
]


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed spelling that is closest to `word`, if one is close enough to suggest.

    Example:
        >>> nearest("optimiser", ["optimizer", "epochs"])
        'optimizer'
    """
    found = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return found[0] if found else None


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a declaration.

    Attributes:
        path: Key path of the field, as `--set` would name it (`optimizer.lr`).
        value: What was found there, as text.
        message: What is wrong, in a few words.
        allowed: What would be accepted, in a few words.
        suggestion: The nearest allowed spelling, if one is near.
    """

    path: str
    value: str
    message: str
    allowed: str = ""
    suggestion: str | None = None

    def __str__(self) -> str:
        text = f"{self.path or '(study)'}: {self.message}"
        if self.value:
            text += f"; found {self.value}"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.suggestion:
            text += f"; did you mean {self.suggestion!r}?"
        return text


class GradlabError(Exception):
    """Base of all errors that gradlab raises on purpose.

    Attributes:
        exit_code: What the command line returns.
        results: Results that were there before it happened, as JSON-ready data.
    """

    exit_code = 1
    results: tuple[dict[str, Any], ...] = ()


class StudyError(GradlabError):
    """A declaration that cannot be run; nothing was created. Holds every problem at once."""

    exit_code = 2
    where: ClassVar[str] = " in the study"

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem("", "", problems)]
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        super().__init__(f"{head}{self.where}:\n" + "\n".join(f"  {problem}" for problem in self.problems))


class UsageError(StudyError):
    """A model, a task or an option that makes no sense, outside of any study."""

    where = ""


class WeightsError(GradlabError):
    """A file of weights that cannot be read, or that does not fit the model."""

    exit_code = 2


class MeasureError(GradlabError):
    """An instrument that cannot be right on this network, loss or data, and says why."""

    exit_code = 2


class RunsFailed(GradlabError):
    """Some runs failed (not diverged: a diverged run is a result)."""

    exit_code = 3


class Interrupted(GradlabError):
    """Stopped by a signal; what was stored stays, and the same command continues."""

    exit_code = 4


class StoreError(GradlabError):
    """The lab cannot be used: owned by another process, damaged, or written by a newer version."""

    exit_code = 5


class EnvironmentProblem(GradlabError):
    """Something outside gradlab is missing: a device, disk space, an optional package."""

    exit_code = 6
