"""The batches of CIFAR-10 and CIFAR-100: the binary version, and the Python version read as if it were binary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradlab.task.readers.archive import members
from gradlab.task.readers.content import damaged, matches, read_at_most, size_problem
from gradlab.task.readers.unpickle import UnsafePickle, load_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gradlab.task.readers.locate import Place
    from gradlab.task.readers.published import Published

    Bytes = NDArray[np.uint8]

__all__ = ["batch_bytes", "read_batches", "records_of"]

_PICKLE_EXTRA = 4_000_000
"""What the pickle of a batch may have beyond its pixels: labels, and the names of the image files."""


def read_batches(published: Published, place: Place) -> dict[str, Bytes]:
    """Every batch of an image set as records: the labels, then the pixels channel by channel.

    Args:
        published: Which set.
        place: Where it is.

    Returns:
        `uint8[n, labels + pixels]` by the name of the batch.

    Raises:
        EnvironmentProblem: A file cannot be read or is not what it should be.
    """
    contents: dict[str, tuple[Path | str, bytes]] = {}
    largest = {name: batch_bytes(published, name) for name in published.files}
    limit = max(largest.values()) + (_PICKLE_EXTRA if place.form == "python" else 0)
    suffix = ".bin" if place.form == "binary" else ""
    if place.archived:
        folder = published.folders[0 if place.form == "binary" else 1]
        names = {f"{folder}/{name}{suffix}": name for name in published.files}
        for inside, content in members(place.path, names, limit):
            contents[names[inside]] = (f"{place.path}, {inside}", content)
    else:
        for name in published.files:
            path = place.path / f"{name}{suffix}"
            contents[name] = (path, read_at_most(path, limit))
    return {
        name: records_of(published, name, *contents.pop(name), pickled=place.form == "python")
        for name in published.files
    }


def records_of(
    published: Published, name: str, path: Path | str, content: bytes, *, pickled: bool = False
) -> Bytes:
    """The records of one batch, checked.

    Args:
        published: The set that it belongs to.
        name: The name of the batch.
        path: Where it came from, for messages.
        content: The content of its file.
        pickled: Whether that is a pickle of the Python version.

    Returns:
        `uint8[n, labels + pixels]`.

    Raises:
        EnvironmentProblem: The content is not what it should be.
    """
    expected = batch_bytes(published, name)
    if pickled:
        try:
            content = _from_pickle(published, content)
        except UnsafePickle as error:
            raise damaged(path, str(error)) from None
    wrong = size_problem(len(content), expected)
    if wrong:
        raise damaged(path, wrong)
    width = _width(published)
    records = np.frombuffer(content, np.uint8).reshape(-1, width)
    labels = records[:, published.label_bytes - 1]
    classes = len(published.train_counts)
    if labels.max() >= classes:
        raise damaged(path, f"has the label {labels.max()}; labels are 0 to {classes - 1}")
    if not matches(content, published.digests.get(name, ()), width):
        raise damaged(path, "is not the published file: the SHA-256 of its content differs")
    return records


def _from_pickle(published: Published, content: bytes) -> bytes:
    found = load_arrays(content)
    width = _width(published) - published.label_bytes
    keys = ["coarse_labels", "fine_labels"] if published.label_bytes == 2 else [published.label_key]
    missing = [key for key in ("data", *keys) if key not in found]
    if missing:
        raise UnsafePickle(f"holds no {', '.join(missing)}")
    pixels: object = found["data"]
    if not isinstance(pixels, np.ndarray) or pixels.shape[1] != width:
        raise UnsafePickle(f"holds data that are not images of {width:,} bytes")
    columns: list[Bytes] = []
    for key in keys:
        labels: list[object] = list(found[key]) if isinstance(found[key], list) else []
        if len(labels) != len(pixels) or not all(type(label) is int and 0 <= label < 256 for label in labels):
            raise UnsafePickle(f"holds {key} that are not one label for each of the {len(pixels):,} images")
        columns.append(np.asarray(labels, np.uint8)[:, None])
    return np.hstack([*columns, pixels]).tobytes()


def _width(published: Published) -> int:
    channels, height, width = published.shape
    return published.label_bytes + channels * height * width


def batch_bytes(published: Published, name: str) -> int:
    """The size of a batch: the images of its set are spread evenly over the batches."""
    own, counts = (
        (published.train, published.train_counts)
        if name in published.train
        else (published.test, published.test_counts)
    )
    return sum(counts) // len(own) * _width(published)
