"""One image set as arrays, whatever files it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.task.readers.cifar import read_batches
from gradlab.task.readers.content import damaged
from gradlab.task.readers.idx import read_idx
from gradlab.task.readers.locate import Place, idx_file, locate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gradlab.task.readers.published import Published

    Bytes = NDArray[np.uint8]

__all__ = ["Images", "read"]


@dataclass(frozen=True)
class Images:
    """The images of a set in their published order, as bytes.

    Attributes:
        train_x: `uint8[n, channels, height, width]`.
        train_y: Whole numbers `[n]`.
        test_x: The same for the test set.
        test_y: The same for the test set.
    """

    train_x: Bytes
    train_y: NDArray[np.integer[Any]]
    test_x: Bytes
    test_y: NDArray[np.integer[Any]]


def read(published: Published, roots: Sequence[Path] | None = None) -> Images:
    """Read an image set.

    Args:
        published: Which.
        roots: The data folders to search; the usual ones if not given.

    Returns:
        Its images and labels, of which each class has as many as published.

    Raises:
        EnvironmentProblem: It is not on this machine, or a file is not what it should be.
    """
    place = locate(published, roots)
    found = _idx(published, place) if published.form == "idx" else _cifar(published, place)
    for name, labels, counts in (
        ("training", found.train_y, published.train_counts),
        ("test", found.test_y, published.test_counts),
    ):
        if labels.max(initial=0) >= len(counts):
            raise damaged(
                place.path, f"has the {name} label {labels.max()}; labels are 0 to {len(counts) - 1}"
            )
        own = np.bincount(labels, minlength=len(counts))
        wrong = np.flatnonzero(own != counts)
        if wrong.size:
            label = int(wrong[0])
            raise damaged(
                place.path,
                f"is not {published.title} as published: {own[label]} {name} images of class {label}, not "
                f"{counts[label]}",
            )
    return found


def _idx(published: Published, place: Place) -> Images:
    arrays: list[Bytes] = []
    for names, counts in ((published.train, published.train_counts), (published.test, published.test_counts)):
        total = sum(counts)
        for name, shape in zip(names, ((total, *published.shape[1:]), (total,)), strict=True):
            path = idx_file(place.path, name)
            if path is None:  # deleted since it was located
                raise damaged(place.path / name, "is gone")
            arrays.append(read_idx(path, shape, published.digests.get(name, ())))
    train_x, train_y, test_x, test_y = arrays
    return Images(train_x[:, None], train_y, test_x[:, None], test_y)


def _cifar(published: Published, place: Place) -> Images:
    batches = read_batches(published, place)
    arrays: list[Bytes] = []
    for names in (published.train, published.test):
        records = [batches.pop(name) for name in names]
        pixels = np.concatenate([part[:, published.label_bytes :] for part in records])
        labels = np.concatenate([part[:, published.label_bytes - 1] for part in records])
        arrays += [pixels.reshape(-1, *published.shape), labels]
    return Images(*arrays)
