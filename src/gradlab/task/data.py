"""The numbers that a run learns from, built in the coordinator from a task and the run's seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.randomness import generator
from gradlab.task.arrays import Arrays, Block
from gradlab.task.digits import Digits
from gradlab.task.function import Function, Grid
from gradlab.task.image_data import corrupted_labels, pictures
from gradlab.task.images import ImageTask
from gradlab.task.split import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gradlab.task.images import CropFlip

__all__ = ["Data", "build_data"]

_MOST_GRID_POINTS = 500


@dataclass(frozen=True)
class Data:
    """Training and held-out examples. Inputs and regression targets are float64, images float32, labels int64.

    Attributes:
        x: Training inputs `[n, ...]`.
        y: Training targets `[n, out]`, or labels `[n]`.
        test_x: Test inputs, or None.
        test_y: Test targets, or None.
        validation_x: Validation inputs, or None.
        validation_y: Validation targets, or None.
        grid_x: Inputs `[G, in]` at which predictions are recorded, in rising order; None where the input is
            not one number.
        grid_y: The truth there, `[G, out]`.
        augment: How the training inputs are varied from epoch to epoch; None for not at all.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    test_x: NDArray[Any] | None = None
    test_y: NDArray[Any] | None = None
    validation_x: NDArray[Any] | None = None
    validation_y: NDArray[Any] | None = None
    grid_x: NDArray[Any] | None = None
    grid_y: NDArray[Any] | None = None
    augment: CropFlip | None = None


def build_data(
    task: Function | Digits | ImageTask | Arrays, seeds: Mapping[str, int], validation: float | Grid = 0.0
) -> Data:
    """The data of one run.

    Args:
        task: What is learned.
        seeds: The run's seeds; `data` decides points, splits and spoilt inputs, `labels` the noise on targets and
            the corruption of labels.
        validation: Share of the training examples that is held out for validation, or for a function a grid.

    Returns:
        Equal data for equal task and seeds. Validation examples are taken from the training set as it is, with its
        noise and its corrupted labels.

    Raises:
        ValueError: A validation share leaves no training example, or a grid is asked of a task without
            formula.
        EnvironmentProblem: The data are not on this machine, or a file is damaged.

    Example:
        >>> data = build_data(Function("sin", low=0, high=1, points=10), {"data": 0, "labels": 0}, validation=0.2)
        >>> data.x.shape, data.validation_x.shape
        ((8, 1), (2, 1))
    """
    if isinstance(task, Function):
        data = _function_data(task, seeds)
    elif isinstance(task, Digits):
        data = _digits_data(task, seeds)
    elif isinstance(task, ImageTask):
        if isinstance(validation, float | int):
            return _image_data(task, seeds, validation)
        data = _image_data(task, seeds, 0.0)
    else:
        data = _arrays_data(task)
    if isinstance(validation, Grid):
        if not isinstance(task, Function):
            raise ValueError("a validation grid needs a task with a formula; give a share instead")
        x = np.linspace(validation.low, validation.high, validation.points)
        return _replaced(data, validation_x=x[:, None], validation_y=task.formula()(x)[:, None])
    return _held_out(data, seeds, validation) if validation else data


def _function_data(task: Function, seeds: Mapping[str, int]) -> Data:
    formula = task.formula()
    even = task.grid()
    if task.spacing == "uniform":
        x = generator(seeds["data"], "data", "points").uniform(task.low, task.high, task.size)
    else:
        x = even
    y = np.asarray(formula(x), np.float64)
    if task.noise:
        y = y + task.noise * generator(seeds["labels"], "labels", "noise").standard_normal(task.size)
    if even.size > _MOST_GRID_POINTS and task.spacing != "arange":
        even = np.linspace(task.low, task.high, _MOST_GRID_POINTS)
    test = _test_points(task)
    column = x[:, None]
    return Data(
        x=column,
        y=y[:, None],
        test_x=None if test is None else test[:, None],
        test_y=None if test is None else np.asarray(formula(test), np.float64)[:, None],
        grid_x=column if even is x else even[:, None],  # one array, so that one pass serves both
        grid_y=np.asarray(formula(even), np.float64)[:, None],
    )


def _test_points(task: Function) -> NDArray[np.float64] | None:
    if task.heldout is None:
        return None
    if isinstance(task.heldout, Grid):
        return np.linspace(task.heldout.low, task.heldout.high, task.heldout.points)
    ends = np.linspace(task.low, task.high, task.heldout + 1)
    return (ends[:-1] + ends[1:]) / 2


def _digits_data(task: Digits, seeds: Mapping[str, int]) -> Data:
    from sklearn.datasets import load_digits

    bundle: Any = load_digits()
    x = np.asarray(bundle.data, np.float64) / 16.0
    y = np.asarray(bundle.target, np.int64)
    shuffled = generator(seeds["data"], "data", "split").permutation(len(x))
    train, test = np.sort(shuffled[: task.size]), np.sort(shuffled[task.size :])
    if not test.size:
        return Data(x, y)
    return Data(x[train], y[train], test_x=x[test], test_y=y[test])


def _image_data(task: ImageTask, seeds: Mapping[str, int], share: float) -> Data:
    shown = pictures(task, seeds["data"], share)
    y = corrupted_labels(task, shown.y, seeds)
    data = Data(shown.x, y, augment=task.augment)
    if task.has_test:
        data = _replaced(data, test_x=shown.test_x, test_y=shown.test_y)
    if shown.held is None:
        return data
    return _replaced(data, y=y[shown.kept], validation_x=shown.validation_x, validation_y=y[shown.held])


def _arrays_data(task: Arrays) -> Data:
    x, y = _examples(task.x), _targets(task.y, classifies=task.classifies)
    test_x = None if task.test_x is None else _examples(task.test_x)
    test_y = None if task.test_y is None else _targets(task.test_y, classifies=task.classifies)
    if task.classifies or task.inputs != 1:
        return Data(x, y, test_x, test_y)
    rising = np.argsort(x.reshape(-1), kind="stable")[:: max(1, len(x) // _MOST_GRID_POINTS)]
    return Data(x, y, test_x, test_y, grid_x=x[rising].reshape(-1, 1), grid_y=y[rising])


def _examples(block: Block) -> NDArray[Any]:
    images = block.values.dtype == np.float32 and block.values.ndim == 4
    values = block.values.astype(np.float32 if images else np.float64)
    return values[:, None] if values.ndim == 1 else values


def _targets(block: Block, *, classifies: bool) -> NDArray[Any]:
    if classifies:
        return block.values
    return block.values.astype(np.float64).reshape(len(block.values), -1)


def _held_out(data: Data, seeds: Mapping[str, int], share: float) -> Data:
    kept, held = split(len(data.x), seeds["data"], share)
    return _replaced(
        data, x=data.x[kept], y=data.y[kept], validation_x=data.x[held], validation_y=data.y[held]
    )


def _replaced(data: Data, **changes: Any) -> Data:
    return Data(**(vars(data) | changes))
