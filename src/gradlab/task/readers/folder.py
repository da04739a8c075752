"""The images of a folder, decoded by Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.errors import EnvironmentProblem
from gradlab.task.folder import examined, listing, opened
from gradlab.task.readers.read import Images

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gradlab.task.folder import Folder

__all__ = ["read_folder"]

_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
"""Pillow's pixel formats that have at most 8 bits a channel."""


def read_folder(task: Folder) -> Images:
    """Read the images of a folder, class after class.

    Args:
        task: The folder, and how its images are seen.

    Returns:
        Images and labels; no test images where there is no test set.

    Raises:
        EnvironmentProblem: A file is damaged, an image has another size than the first and no size is given, or files
            have changed since the folder was listed.
    """
    found = listing(task.path)
    if examined(found.root, found.parts).stamp != found.stamp:
        raise EnvironmentProblem(
            f"files in {task.path} have changed since the study was declared: run it again"
        )
    shape = task.shape
    halves: list[NDArray[Any]] = []
    for classes in (found.train, found.test):
        files = [file for own in classes for file in own]
        x = np.empty((len(files), *shape), np.uint8)
        for place, file in enumerate(files):
            x[place] = _decoded(file, task, shape[-1])
        counts = [len(own) for own in classes]
        halves += [x, np.repeat(np.arange(len(counts)), counts)]
    return Images(*halves)


def _decoded(path: Path, task: Folder, side: int) -> NDArray[np.uint8]:
    with opened(path) as file:
        if file.mode not in _MODES:
            raise EnvironmentProblem(f"{path} has pixels of the kind {file.mode}, not of 8 bits a channel")
        if task.resize is None and file.size != (side, side):
            size = " x ".join(map(str, file.size))
            raise EnvironmentProblem(
                f"{path} is {size} pixels, the first image is {side} x {side}: give resize"
            )
        try:
            image: Any = file.convert("L" if task.grey else "RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise EnvironmentProblem(f"{path} is damaged: {error}") from None
    if image.size != (side, side):
        image = image.resize((side, side), 2)  # 2 is bilinear
    pixels = np.asarray(image, np.uint8)
    return pixels[None] if task.grey else pixels.transpose(2, 0, 1)
