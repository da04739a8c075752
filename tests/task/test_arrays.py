"""A user's own arrays: what is accepted, and that content is identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch.utils.data import DataLoader, TensorDataset

from gradlab.task import Arrays
from gradlab.task.data import build_data

X = np.arange(12.0).reshape(6, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def test_kinds_of_arrays_are_one_task() -> None:
    tasks = [
        Arrays(X, LABELS),
        Arrays(X.tolist(), LABELS.tolist()),
        Arrays(torch.tensor(X), torch.tensor(LABELS)),
    ]
    assert len({str(task.canonical()) for task in tasks}) == 1
    assert tasks[0] == tasks[1] == tasks[2]
    assert tasks[0].classifies
    assert (tasks[0].inputs, tasks[0].outputs, tasks[0].default_loss) == (2, 3, "cross_entropy")


def test_one_changed_number_is_another_task() -> None:
    changed = X.copy()
    changed[3, 1] += 1e-9
    assert Arrays(changed, LABELS).canonical() != Arrays(X, LABELS).canonical()


def test_numbers_are_regressed_on() -> None:
    task = Arrays(X[:, 0], X)
    assert (task.inputs, task.outputs, task.default_loss, task.metrics) == (
        1,
        2,
        "mse",
        ("tolerance_accuracy",),
    )


def test_a_file_is_the_same_task_as_its_arrays(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, x=X, y=LABELS, test_x=X[:2], test_y=LABELS[:2])
    task = Arrays.model_validate({"kind": "arrays", "path": str(path)})
    assert task.canonical() == Arrays(X, LABELS, test_x=X[:2], test_y=LABELS[:2]).canonical()
    assert task.has_test


def test_a_dataset_or_loader_is_read_once(tmp_path: Path) -> None:
    dataset = TensorDataset(torch.tensor(X), torch.tensor(LABELS))
    wanted = Arrays(X, LABELS).canonical()
    assert Arrays.from_dataset(dataset).canonical() == wanted
    assert Arrays.from_dataset(DataLoader(dataset, batch_size=4, shuffle=True)).canonical() == wanted


class Items:
    """A map-style dataset of whatever items."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def test_images_of_a_dataset_stay_float32() -> None:
    images = torch.rand(4, 3, 5, 5)
    task = Arrays.from_dataset(TensorDataset(images, torch.tensor([0, 1, 2, 0])))
    assert (task.shape, task.outputs) == ((3, 5, 5), 3)
    data = build_data(task, {})
    assert data.x.dtype == np.float32
    np.testing.assert_array_equal(data.x, images.numpy())
    assert task.canonical() == Arrays(images.double(), [0, 1, 2, 0]).canonical()


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Items(), "the dataset is empty"),
        (Items((X[0], 1), X[1]), "gives no .input, target. pair at index 1|the input at index 1"),
        (Items((X[0], 1), 7), "gives no .input, target. pair at index 1"),
        (Items((X[0], 1), (X[1], 1, 2)), "gives no .input, target. pair at index 1"),
        (
            Items((X[0], 1), (X[0], 1), (X[0, :1], 1)),
            r"the input at index 2 has the shape \(1,\), that at index 0 \(2,\)",
        ),
        (Items((X[0], [1]), (X[0], [1, 2])), "the target at index 1 has the shape"),
        (Items((X[0], 1), (X[0], 1.5)), "the target at index 1 is 1.5, that at index 0 a whole number"),
        (Items((X[0], "cat")), "the target at index 0 is a str, not numbers"),
        (Items((None, 1)), "the input at index 0 is a NoneType, not numbers"),
        (Items((Image.new("L", (2, 2)), 1)), r"the input at index 0 is a picture.*ToTensor\(\)"),
    ],
)
def test_what_is_wrong_with_a_dataset_is_named(dataset: Items, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Arrays.from_dataset(dataset)


def test_a_stream_is_not_a_dataset() -> None:
    with pytest.raises(
        TypeError, match="a generator is not a map-style dataset: it needs a length and an index"
    ):
        Arrays.from_dataset(item for item in [(X[0], 1)])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"y": LABELS[:5]}, "x has 6 examples, y has 5"),
        ({"x": np.where(X == 3, np.nan, X)}, "NaN or infinite"),
        ({"x": np.array(["a", "b"])}, "array of numbers"),
        ({"x": np.zeros((0, 2)), "y": LABELS[:0]}, "at least one example"),
        ({"classes": 2}, r"labels in y must lie in 0..1"),
        ({"y": LABELS - 1}, "labels in y must lie in 0.."),
        ({"y": X, "classes": 3}, "classes goes with integer labels"),
        ({"test_x": X}, "test_x and test_y go together"),
        ({"test_x": X[:, :1], "test_y": LABELS}, "test_x has examples of shape"),
        ({"test_x": X, "test_y": LABELS + 5}, "labels in test_y"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Arrays(**({"x": X, "y": LABELS} | fields))


@pytest.mark.parametrize("content", [None, b"", b"not an archive"])
def test_a_file_that_cannot_be_read_is_a_problem_of_the_study(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValidationError, match="cannot read"):
        Arrays.model_validate({"path": str(path)})


def test_a_file_must_hold_x_and_y(tmp_path: Path) -> None:
    path = tmp_path / "half.npz"
    np.savez(path, x=X)
    with pytest.raises(ValidationError, match="holds no y"):
        Arrays.model_validate({"path": str(path)})


def test_arrays_are_copies_that_nobody_can_change() -> None:
    own = X.copy()
    task = Arrays(own, LABELS)
    own[:] = 0
    assert task.x.values[1, 1] == 3
    with pytest.raises(ValueError, match="read-only"):
        task.x.values[0] = 1


def test_an_outline_has_the_sizes_and_one_example() -> None:
    outline = Arrays(X, LABELS).outline()
    assert (outline.inputs, outline.outputs, outline.size) == (2, 3, 1)


def test_a_declaration_is_shown_as_plain_data() -> None:
    tree = Arrays(X, LABELS).tree()
    assert tree["x"].startswith("Block(float64[6, 2], ")
    assert json.loads(json.dumps(tree)) == tree
