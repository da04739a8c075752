"""What is learned: data, the loss and metrics that suit them. Declarations only; data are built by `data`."""

from __future__ import annotations

from typing import Annotated

from gradlab.component import one_of
from gradlab.task.arrays import Arrays
from gradlab.task.corruption import GaussianInputs, RandomLabels, RandomPixels, ShuffledPixels, WrongLabels
from gradlab.task.digits import Digits
from gradlab.task.folder import Folder
from gradlab.task.function import Function, Grid
from gradlab.task.images import CIFAR10, CIFAR100, MNIST, CropFlip, FashionMNIST

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "TASKS",
    "Arrays",
    "CropFlip",
    "Digits",
    "FashionMNIST",
    "Folder",
    "Function",
    "GaussianInputs",
    "Grid",
    "RandomLabels",
    "RandomPixels",
    "ShuffledPixels",
    "Task",
    "WrongLabels",
]

TASKS = (Function, Digits, MNIST, FashionMNIST, CIFAR10, CIFAR100, Folder, Arrays)
"""Every kind of task."""

Task = Annotated[
    Function | Digits | MNIST | FashionMNIST | CIFAR10 | CIFAR100 | Folder | Arrays, one_of(*TASKS)
]
