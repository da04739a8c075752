"""The images of a published set as a network sees them: chosen, resized, spoilt and normalised."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gradlab.component import canonical_json
from gradlab.randomness import generator
from gradlab.task.corruption import GaussianInputs, RandomLabels, RandomPixels, ShuffledPixels, WrongLabels
from gradlab.task.folder import Folder
from gradlab.task.readers import PUBLISHED, Images, read
from gradlab.task.readers.folder import read_folder
from gradlab.task.resize import resized
from gradlab.task.split import split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from gradlab.task.images import ImageTask

    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float32]
    Labels = NDArray[np.int64]

__all__ = ["Pictures", "corrupted_labels", "pictures", "spoilt_pixels"]


@dataclass(frozen=True)
class Pictures:
    """Images and true labels.

    Attributes:
        x: Training images `float32[n, channels, height, width]`.
        y: The true labels of all training images, `int64`, held out or not.
        test_x: Test images; none where there is no test set.
        test_y: Their labels.
        validation_x: The training images that are held out, or None.
        kept: Which of the training images `x` holds, or None for all.
        held: Which are held out, or None.
    """

    x: Floats
    y: Labels
    test_x: Floats
    test_y: Labels
    validation_x: Floats | None = None
    kept: NDArray[np.int64] | None = None
    held: NDArray[np.int64] | None = None


_IN_CACHE = 1 << 17
"""Pixels that are handled together, so that they pass through memory once."""

_LARGE = ("x", "test_x", "validation_x")

_used: dict[str, dict[str, Callable[[], Any]]] = {}
"""How to get at the fields of pictures made before, of which the large ones are there while somebody uses them."""

_last: dict[str, Pictures] = {}
"""The pictures made last, kept for the next run that asks for them: at most one."""


def pictures(task: ImageTask, seed: int, share: float = 0.0) -> Pictures:
    """The images of a task with their true labels.

    Args:
        task: What is learned; how its labels are spoilt makes no difference here.
        seed: The run's `data` seed.
        share: The share of the training images that is held out for validation.

    Returns:
        Equal pictures for equal images, and the same arrays for as long as anybody uses them.

    Raises:
        EnvironmentProblem: The set is not on this machine, or a file of it is damaged.
    """
    shown = task.model_copy(update={"augment": None})
    if isinstance(task.corruption, RandomLabels | WrongLabels):
        shown = shown.model_copy(update={"corruption": None})
    key = canonical_json([shown.canonical(), share, seed if share or shown.corruption is not None else None])
    if key not in _last:
        found = _recalled(key)
        _last.clear()
        if found is None:
            found = _divided(_pictures(shown, seed), seed, share)
            _used[key] = {
                name: weakref.ref(value) if name in _LARGE and value is not None else partial(_same, value)
                for name, value in vars(found).items()
            }
        _last[key] = found
    return _last[key]


def _same(value: Any) -> Any:
    return value


def _recalled(key: str) -> Pictures | None:
    fields = {name: use() for name, use in _used.get(key, {}).items()}
    if not fields or fields["x"] is None or fields["test_x"] is None:
        return None
    lost = fields["held"] is not None and fields["validation_x"] is None
    return None if lost else Pictures(**fields)


def _divided(found: Pictures, seed: int, share: float) -> Pictures:
    if not share:
        return found
    kept, held = split(len(found.x), seed, share)
    return replace(found, x=found.x[kept], validation_x=found.x[held], kept=kept, held=held)


def _pictures(task: ImageTask, seed: int) -> Pictures:
    if isinstance(task, Folder):
        whole = read_folder(task)
    else:
        whole = read(PUBLISHED[cast(str, cast(Any, task).kind)])
    images = _chosen(task, whole)
    train, test = images.train_x, images.test_x
    if task.resize is not None and task.resize != task.stock.side:
        train, test = resized(train, task.resize), resized(test, task.resize)
    train_y, test_y = images.train_y.astype(np.int64), images.test_y.astype(np.int64)
    if isinstance(task.corruption, GaussianInputs):
        x, test_x = _gaussian(task, seed, train, len(test))
    else:
        if isinstance(task.corruption, ShuffledPixels | RandomPixels):
            train, test = (
                spoilt_pixels(task.corruption, part, seed, name)
                for part, name in ((train, "train"), (test, "test"))
            )
        x, test_x = _levels(task, train), _levels(task, test)
    return Pictures(x, train_y, test_x, test_y)


def _chosen(task: ImageTask, images: Images) -> Images:
    """The classes and counts that the task names, relabelled."""
    halves: list[NDArray[Any]] = []
    for x, y, most in (
        (images.train_x, images.train_y, task.train),
        (images.test_x, images.test_y, task.test),
    ):
        if task.classes:
            place = np.full(len(task.stock.train), -1)
            place[list(task.classes)] = np.arange(len(task.classes))
            kept = np.flatnonzero(place[y] >= 0)[:most]
            halves += [x[kept], place[y[kept]]]
        else:
            halves += [x[:most], y[:most]]
    return Images(*halves)


def _levels(task: ImageTask, images: Bytes) -> Floats:
    """Bytes as the numbers that the network gets, in the float32 arithmetic of torchvision's ToTensor and Normalize."""
    mean, std = (np.asarray(values, np.float32)[:, None, None] for values in (task.mean, task.std))
    result = np.empty(images.shape, np.float32)
    step = max(1, _IN_CACHE // math.prod(images.shape[1:]))
    for start in range(0, len(images), step):
        part = result[start : start + step]
        np.divide(images[start : start + step], np.float32(255), out=part, dtype=np.float32)
        if task.mean:
            part -= mean
            part /= std
    return result


def spoilt_pixels(corruption: ShuffledPixels | RandomPixels, images: Bytes, seed: int, name: str) -> Bytes:
    """Images with their pixels in another order; the channels of a pixel stay together.

    Args:
        corruption: One order for all images, or one for each.
        images: `uint8[n, channels, height, width]`.
        seed: The run's `data` seed.
        name: "train" or "test", which draw orders of their own where each image has one.

    Returns:
        Images of the same shape.
    """
    n, channels, height, width = images.shape
    flat = images.reshape(n, channels, height * width)
    if isinstance(corruption, ShuffledPixels):
        order = generator(seed, "data", "shuffled pixels").permutation(height * width)
        return np.take(flat, order, axis=2).reshape(images.shape)
    draw = generator(seed, "data", f"random pixels, {name}")
    result = np.empty_like(flat)
    step = 4096
    for start in range(0, n, step):
        part = flat[start : start + step]
        orders = np.tile(np.arange(height * width, dtype=np.int32), (len(part), 1))
        draw.permuted(orders, axis=1, out=orders)
        result[start : start + step] = np.take_along_axis(part, orders[:, None, :], axis=2)
    return result.reshape(images.shape)


def _gaussian(task: ImageTask, seed: int, train: Bytes, tests: int) -> tuple[Floats, Floats]:
    levels = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1)
    shown = _levels(task, np.broadcast_to(levels, (256, task.stock.channels, 1, 1))).astype(np.float64)[
        ..., 0, 0
    ]
    drawn: list[Floats] = []
    counts = np.stack(
        [np.bincount(train[:, c].reshape(-1), minlength=256) for c in range(task.stock.channels)], 1
    )
    mean = (counts * shown).sum(0) / counts.sum(0)
    deviation = np.sqrt((counts * (shown - mean) ** 2).sum(0) / counts.sum(0))
    for name, n in (("train", len(train)), ("test", tests)):
        draw = generator(seed, "data", f"gaussian inputs, {name}")
        x = draw.standard_normal((n, *task.shape), dtype=np.float32)
        x *= deviation.astype(np.float32)[:, None, None]
        x += mean.astype(np.float32)[:, None, None]
        drawn.append(x)
    return drawn[0], drawn[1]


def corrupted_labels(task: ImageTask, labels: Labels, seeds: Mapping[str, int]) -> Labels:
    """The training labels of a task: `labels`, or what random draws make of them.

    Each label has two draws of its own, whether it is replaced and by what; both depend only on the `labels` seed
    and its place. So a larger fraction replaces all that a smaller one does.

    Args:
        task: What is learned.
        labels: True labels `int64[n]`.
        seeds: The run's seeds, of which `labels` decides.

    Returns:
        Labels `int64[n]`; the same array if nothing is replaced.
    """
    corruption = task.corruption
    if not isinstance(corruption, RandomLabels | WrongLabels) or corruption.fraction == 0:
        return labels
    name, classes = corruption.kind, task.outputs
    replaced = (
        generator(seeds["labels"], "labels", f"{name}, which").random(len(labels)) < corruption.fraction
    )
    draw = generator(seeds["labels"], "labels", f"{name}, what")
    if isinstance(corruption, RandomLabels):
        drawn = draw.integers(classes, size=len(labels))
    else:
        drawn = (labels + draw.integers(1, classes, size=len(labels))) % classes
    return np.where(replaced, drawn, labels)
