"""A user's own images, one folder for each class."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from gradlab.component import Vary
from gradlab.errors import EnvironmentProblem
from gradlab.task.images import ImageTask, Stock

__all__ = ["Folder", "Listing", "examined", "listing", "opened"]

ENDINGS = frozenset({".png", ".jpg", ".jpeg"})


@dataclass(frozen=True)
class Listing:
    """The image files of a folder.

    Attributes:
        root: The folder.
        parts: "train" and perhaps "test"; empty where the folder holds the classes themselves.
        classes: The names of the classes in alphabetical order, which numbers them.
        train: Training files by class.
        test: Test files by class; empty where there is no test set.
        stamp: Name, size and time of every file: what shows that one changed.
    """

    root: Path
    parts: tuple[str, ...]
    classes: tuple[str, ...]
    train: tuple[tuple[Path, ...], ...]
    test: tuple[tuple[Path, ...], ...]
    stamp: tuple[tuple[str, int, int], ...]


class Folder(ImageTask):
    """Classify images of one's own: PNG or JPEG files, one sub-folder for each class.

    The folder holds `train` and perhaps `test`, each with the classes in it, or the classes themselves; classes are
    numbered in alphabetical order, files are taken in alphabetical order. What the files hold is the identity of
    the data, wherever they lie. Needs Pillow: `pip install 'gradlab[images]'`.

    Attributes:
        path: The folder.
        grey: Whether to see images in grey; else they have three channels.
        mean: Subtracted from each channel, whose pixels lie in [0, 1].
        std: Divides each channel.
        resize: Side in pixels after bilinear resizing; not needed where all images are squares of one size.
        classes: Only these, in this order as classes 0, 1, ...
        train: The first so many training images, class after class, after `classes`.
        test: The first so many test images, likewise.
        corruption: How labels or inputs are spoilt.
        augment: How training images are varied from epoch to epoch.
    """

    kind: Literal["folder"] = "folder"
    path: str
    grey: bool = False

    primary: ClassVar[str | None] = "path"

    def __init__(self, path: Any = None, /, **rest: Any) -> None:
        given: dict[str, Any] = rest if path is None else {"path": str(path)} | rest
        super().__init__(**given)

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, given: Any) -> Any:
        path = given.get("path")
        if isinstance(path, str):
            listing(path)  # told as a problem of the declaration
        return given

    @model_validator(mode="after")
    def _one_class_after_the_other(self) -> Self:
        if not isinstance(self.path, Vary) and len(self.stock.train) < 2:
            raise ValueError(f"{self.path} holds one class; two at least are needed to tell apart")
        return self

    @property
    def stock(self) -> Stock:
        """What the folder holds; where no size is given, that of its first image."""
        found = listing(self.path)
        side = self.resize or _first_side(found)
        test = tuple(map(len, found.test)) or (0,) * len(found.classes)
        return Stock(1 if self.grey else 3, side, tuple(map(len, found.train)), test)

    def label(self) -> str:
        """The name of the folder."""
        return self.kind if isinstance(self.path, Vary) else Path(self.path).name

    def canonical(self) -> dict[str, Any]:
        """The tree that identity hashes: what the files hold, wherever they lie."""
        tree = super().canonical()
        del tree["path"]
        found = listing(self.path)
        return tree | {"content": _digest(found.root, found.stamp)}


def listing(path: str) -> Listing:
    """The image files of a folder; looked through again only if files came or went.

    Args:
        path: A folder with `train` and perhaps `test` in it, or with the classes themselves.

    Returns:
        The files, all in alphabetical order.

    Raises:
        ValueError: There is no such folder, a class has no image, or training and test set differ in classes.
    """
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"there is no folder {path}")
    parts = [root / "train", root / "test"] if (root / "train").is_dir() else [root]
    parts = tuple(part for part in parts if part.is_dir())
    changed = [
        folder.stat().st_mtime_ns for part in parts for folder in (part, *part.iterdir()) if folder.is_dir()
    ]
    return _listing(root.resolve(), tuple(part.name for part in parts if part != root), tuple(changed))


@lru_cache(maxsize=16)
def _listing(root: Path, parts: tuple[str, ...], changed: tuple[int, ...]) -> Listing:
    return examined(root, parts)


def examined(root: Path, parts: tuple[str, ...]) -> Listing:
    """The image files of a folder as they are now, as `listing` gives them."""
    found = [_classes(root / part) for part in parts or ("",)]
    names = tuple(found[0])
    if not names:
        raise ValueError(f"{root} holds no sub-folders, of which each would be a class")
    if len(found) == 2 and tuple(found[1]) != names:
        differing = ", ".join(sorted(set(names) ^ set(found[1])))
        raise ValueError(f"the training and the test set in {root} have different classes: {differing}")
    stamp = tuple(
        (file.relative_to(root).as_posix(), (about := file.stat()).st_size, about.st_mtime_ns)
        for part in found
        for files in part.values()
        for file in files
    )
    test = tuple(found[1].values()) if len(found) == 2 else ()
    return Listing(root, parts, names, tuple(found[0].values()), test, stamp)


def _classes(folder: Path) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for inside in sorted(folder.iterdir()):
        if not inside.is_dir() or inside.name.startswith("."):
            continue
        files = sorted(file for file in inside.iterdir() if file.suffix.lower() in ENDINGS)
        if not files:
            raise ValueError(f"{inside} holds no PNG or JPEG images")
        found[inside.name] = tuple(files)
    return found


@lru_cache(maxsize=16)
def _digest(root: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    content = hashlib.sha256()
    for name, _, _ in stamp:
        own = hashlib.sha256((root / name).read_bytes()).hexdigest()
        content.update(f"{name}\0{own}\n".encode())
    return content.hexdigest()[:20]


def opened(path: Path) -> Any:
    """An image file, opened by Pillow but not decoded.

    Raises:
        EnvironmentProblem: Pillow is not installed, or the file is not an image.
    """
    try:
        from PIL import Image
    except ImportError:
        raise EnvironmentProblem(
            "reading images needs Pillow, which is not installed: pip install 'gradlab[images]'"
        ) from None
    try:
        return Image.open(path, formats=["PNG", "JPEG"])
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise EnvironmentProblem(f"{path} is not a PNG or JPEG image: {error}") from None


def _first_side(found: Listing) -> int:
    first = found.train[0][0]
    with opened(first) as image:
        width, height = image.size
    if width != height:
        raise ValueError(f"{first} is {width} x {height} pixels, not square: give resize")
    return int(width)
