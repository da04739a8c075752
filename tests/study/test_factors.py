"""Conditions that factors make: what a component checks as a whole, it checks at every level."""

from __future__ import annotations

from typing import Any

import pytest

from gradlab import CIFAR10, MLP, MNIST, Adam, CropFlip, Function, Study, StudyError, vary


def study(task: Any) -> Study:
    return Study(title="Levels", task=task, model=MLP(5), optimizer=Adam(lr=1e-3), epochs=2)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            Function("sin", low=0, high=vary(1.0, -1.0), points=5),
            "task: low must be under high; found 0 and -1",
        ),
        (MNIST(train=vary(100, 70_000)), "task: train = 70000 is more than the 60000 images"),
        (MNIST(mean=vary(one=(0.1,), two=(0.1, 0.2)), std=(0.3,)), "task: mean has 2 values"),
        (
            CIFAR10(augment=CropFlip(padding=vary(4, 40))),
            "task: augment.padding = 40 cannot be reflected in 32",
        ),
    ],
)
def test_an_impossible_level_is_a_problem_of_the_study(task: Any, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        study(task)


def test_levels_that_are_possible_stay_as_they_were_written() -> None:
    found = study(CIFAR10(augment=CropFlip(padding=vary(2, 4)))).plan().conditions
    assert [condition.spec.task.augment for condition in found] == [CropFlip(padding=2), CropFlip()]
