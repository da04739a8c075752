"""Where image sets are looked for: the folder of GRADLAB_DATA, the folders torchvision uses, gradlab's own."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gradlab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradlab.task.readers.published import Published

__all__ = ["Place", "home", "idx_file", "locate", "places"]


@dataclass(frozen=True)
class Place:
    """Where an image set is.

    Attributes:
        path: The folder of its files, or an archive.
        form: "idx", or for CIFAR the "binary" or the "python" version.
    """

    path: Path
    form: Literal["idx", "binary", "python"]

    @property
    def archived(self) -> bool:
        """Whether the files are in an archive."""
        return self.path.name.endswith(".tar.gz")


def home() -> Path:
    """The data folder of gradlab itself, in the user's cache."""
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "gradlab" / "data"


def places() -> list[Path]:
    """The data folders in the order in which they are searched."""
    own = os.environ.get("GRADLAB_DATA")
    usual = [Path("data"), Path.home() / "data", Path.home() / ".cache" / "torchvision"]
    return [*([Path(own).expanduser()] if own else []), *usual, home()]


def locate(published: Published, roots: Sequence[Path] | None = None) -> Place:
    """Find an image set.

    Args:
        published: Which.
        roots: The data folders to search; `places()` if not given.

    Returns:
        The first place that has all its files.

    Raises:
        EnvironmentProblem: There is none; the message names every place, what is missing from an incomplete one,
            and the command that fetches the files.

    Example:
        >>> from gradlab.task.readers import PUBLISHED
        >>> locate(PUBLISHED["mnist"], [Path("nowhere")])
        Traceback (most recent call last):
        gradlab.errors.EnvironmentProblem: MNIST is not on this machine; looked for MNIST/raw in nowhere: `gradlab data
        fetch mnist` downloads it, and GRADLAB_DATA names a folder that has it
    """
    roots = places() if roots is None else roots
    incomplete: list[str] = []
    for root in roots:
        for place in _candidates(published, root):
            if place.archived:
                if place.path.is_file():
                    return place
            elif place.path.is_dir():
                missing = [name for name in published.files if _file(place, name) is None]
                if not missing:
                    return place
                if len(missing) < len(published.files):
                    incomplete.append(f"{place.path} lacks {', '.join(missing)}")
    told = "; ".join([
        f"{published.title} is not on this machine",
        *incomplete,
        f"looked for {published.folders[0]} in {', '.join(map(str, roots))}",
    ])
    raise EnvironmentProblem(
        f"{told}: `gradlab data fetch {published.name}` downloads it, and GRADLAB_DATA names a folder that has it"
    )


def _candidates(published: Published, root: Path) -> list[Place]:
    if published.form == "idx":
        return [Place(root / folder, "idx") for folder in published.folders]
    binary, python = published.folders
    archives = [_archive_name(published, "binary"), _archive_name(published, "python")]
    found: list[Place] = []
    for base in (root, root / published.title.replace("-", ""), root / published.name):
        found += [Place(base / binary, "binary"), Place(base / python, "python")]
        found += [Place(base / archives[0], "binary"), Place(base / archives[1], "python")]
    return found


def _archive_name(published: Published, form: str) -> str:
    """What the archive of a CIFAR set is called: `cifar-10-binary.tar.gz`."""
    return f"{published.title.lower()}-{form}.tar.gz"


def _file(place: Place, name: str) -> Path | None:
    if place.form == "idx":
        return idx_file(place.path, name)
    path = place.path / (f"{name}.bin" if place.form == "binary" else name)
    return path if path.is_file() else None


def idx_file(folder: Path, name: str) -> Path | None:
    """An idx file in a folder, plain or compressed, under the names that are in use for it."""
    dotted = name.replace("-idx", ".idx")
    for spelling in (name, dotted, f"{name}.gz", f"{dotted}.gz"):
        if (folder / spelling).is_file():
            return folder / spelling
    return None
