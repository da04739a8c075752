"""The JSON Schema of a page."""

from __future__ import annotations

import tomllib

import jsonschema
import pytest

from gradlab.study.schema import study_schema
from gradlab.study.toml import read_toml

PAGES = jsonschema.Draft202012Validator(study_schema())
REST = 'title = "Images"\nmodel.mlp = [5]\noptimizer.adam.lr = 1e-3\nepochs = 1\n'


@pytest.mark.parametrize(
    "task",
    [
        'task = "mnist"',
        "task.mnist = {}",
        "task.cifar10 = { mean = [0.5, 0.5, 0.5], std = [1, 1, 1], augment = { crop_flip = {} } }",
        'task.cifar10 = { augment = "crop_flip", corruption = { random_labels = 0.5 } }',
        "task.mnist.corruption.wrong_labels.vary = [0, 0.5, 1]",
        'task.mnist.corruption.vary = { none = "shuffled_pixels", all = "random_pixels" }',
        'task = { true = { mnist = {} }, random = { mnist = { corruption = "random_labels" } } }',
    ],
)
def test_image_tasks_as_they_are_written(task: str) -> None:
    PAGES.validate(tomllib.loads(REST + task))
    assert read_toml(REST + task).plan().runs


@pytest.mark.parametrize(
    "task",
    [
        'task = "mnst"',
        "task.mnist.sise = 3",
        'task.mnist.corruption = "noise"',
        "task.mnist.augment.crop_flip.padding = -1",
    ],
)
def test_what_is_misspelt_is_refused(task: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        PAGES.validate(tomllib.loads(REST + task))
