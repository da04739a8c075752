"""Image tasks as declarations."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gradlab.component import vary
from gradlab.task import CIFAR10, CIFAR100, MNIST, CropFlip, FashionMNIST, RandomLabels


@pytest.mark.parametrize(
    ("task", "shape", "size", "outputs"),
    [
        (MNIST(), (1, 28, 28), 60_000, 10),
        (MNIST(resize=32), (1, 32, 32), 60_000, 10),
        (FashionMNIST(), (1, 28, 28), 60_000, 10),
        (CIFAR10(), (3, 32, 32), 50_000, 10),
        (CIFAR100(), (3, 32, 32), 50_000, 100),
        (CIFAR10(classes=(5, 3)), (3, 32, 32), 10_000, 2),
        (MNIST(classes=(3, 8)), (1, 28, 28), 6131 + 5851, 2),
        (MNIST(train=1000, test=500), (1, 28, 28), 1000, 10),
    ],
)
def test_sizes_follow_without_data(task, shape, size: int, outputs: int) -> None:
    assert (task.shape, task.size, task.outputs) == (shape, size, outputs)
    assert task.inputs == shape[0] * shape[1] * shape[2]
    assert (task.default_loss, task.losses, task.metrics) == (
        "cross_entropy",
        ("cross_entropy",),
        ("accuracy",),
    )
    assert task.has_test


def test_test_sizes() -> None:
    assert [MNIST().test_size, MNIST(test=7).test_size, MNIST(classes=(3, 8)).test_size] == [10_000, 7, 1984]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": (0.1, 0.2), "std": (1.0, 1.0)}, "mean has 2 values; the images have 1 channel"),
        ({"mean": (0.1,), "std": (1.0, 1.0)}, "std has 2 values"),
        ({"mean": (0.1,)}, "mean and std go together"),
        ({"mean": (0.1,), "std": (0.0,)}, "greater than or equal to 0.001"),
        ({"mean": (1e300,), "std": (1.0,)}, "less than or equal to 1000"),
        ({"classes": (1, 10)}, "classes names 10; the classes are 0 to 9"),
        ({"classes": (1, 1)}, "names a class twice"),
        ({"classes": (1,)}, "needs at least two classes"),
        ({"train": 60_001}, "train = 60001 is more than the 60000 images there are"),
        ({"test": 10_001}, "test = 10001 is more than the 10000 images"),
        ({"classes": (3, 8), "train": 12_000}, "more than the 11982 images"),
        ({"train": 0}, "greater than or equal to 1"),
        ({"resize": 0}, "greater than or equal to 1"),
        (
            {"resize": 4, "augment": CropFlip()},
            "augment.padding = 4 cannot be reflected in 4 pixels; at most 3",
        ),
        ({"augment": CropFlip, "sise": 3}, "sise"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MNIST(**fields)


def test_a_level_is_checked_when_it_is_chosen() -> None:
    assert MNIST(train=vary(100, 200), mean=vary(a=(), b=(0.1,)), std=(0.3,)).train is not None
    assert MNIST(resize=4, augment=CropFlip(padding=vary(1, 2))).augment is not None


def test_padding_with_zeros_may_be_as_wide_as_one_likes() -> None:
    assert MNIST(resize=4, augment=CropFlip(mode="zeros")).shape == (1, 4, 4)


def test_what_changes_nothing_is_not_part_of_the_identity() -> None:
    same = [MNIST(), MNIST(train=60_000), MNIST(test=10_000), MNIST(corruption=RandomLabels(0))]
    assert {str(task.canonical()) for task in same} == {"{'kind': 'mnist'}"}
    assert MNIST(train=59_999).canonical() != MNIST().canonical()


def test_random_numbers_are_drawn_only_where_something_is_random() -> None:
    assert MNIST().draws == frozenset()
    assert MNIST(augment=CropFlip()).draws == {"order"}
    assert MNIST(corruption=RandomLabels(), augment=CropFlip()).draws == {"labels", "order"}
