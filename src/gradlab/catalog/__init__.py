"""The catalogue: one page a study, found by name (`reports/002/sim-sinc`)."""

from __future__ import annotations

import fnmatch
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from gradlab.errors import Problem, StudyError, nearest

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from gradlab.study import Study

__all__ = ["Entry", "entries", "expand", "load", "names", "page"]


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue.

    Attributes:
        name: As in `reports/002/sim-sinc`.
        title: The study's question.
        claims: Identities of the claims that it judges.
    """

    name: str
    title: str
    claims: tuple[str, ...]


def names() -> list[str]:
    """The names of all studies, sorted."""
    return sorted(_pages())


def entries() -> list[Entry]:
    """All studies with their titles; reads the pages without validating them, so it is fast."""
    found: list[Entry] = []
    for name, path in sorted(_pages().items()):
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        ids = [claim["id"] for claim in fields.get("claims", []) if isinstance(claim, dict) and "id" in claim]
        found.append(Entry(name, fields["title"], tuple(ids)))
    return found


def page(name: str) -> str:
    """The text of a study's page.

    Raises:
        StudyError: The catalogue has no such study.
    """
    pages = _pages()
    if name not in pages:
        allowed = ", ".join(sorted(pages)) if len(pages) < 8 else "gradlab list"
        raise StudyError([Problem("", name, "is not in the catalogue", allowed, nearest(name, pages))])
    return pages[name].read_text(encoding="utf-8")


def load(name: str) -> Study:
    """Read a study of the catalogue.

    Args:
        name: As in `reports/002/sim-sinc`.

    Returns:
        The study, which knows its name.

    Raises:
        StudyError: The catalogue has no such study.

    Example:
        >>> load("reports/002/sim-sinc").source
        'reports/002/sim-sinc'
    """
    from gradlab.study.toml import read_toml

    return read_toml(page(name), name).from_source(name)


def expand(pattern: str) -> list[str]:
    """The names that a pattern stands for: a name, a folder (`reports/002`), or a glob (`reports/*/sim-*`).

    Raises:
        StudyError: It stands for none.
    """
    pattern = pattern.rstrip("/")
    pages = names()
    found = [name for name in pages if name == pattern or name.startswith(f"{pattern}/")]
    found = found or [name for name in pages if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        page(pattern)
    return found


def _pages() -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}

    def visit(folder: Traversable, prefix: str) -> None:
        for item in folder.iterdir():
            if item.is_dir():
                visit(item, f"{prefix}{item.name}/")
            elif item.name.endswith(".toml"):
                found[prefix + item.name.removesuffix(".toml")] = item

    visit(files("gradlab.catalog"), "")
    return found
