"""Folders of images as declarations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from gradlab.errors import EnvironmentProblem
from gradlab.study.toml import read_toml
from gradlab.task import CropFlip, Folder
from gradlab.task.folder import listing


def save(path: Path, side: int = 6, seed: int = 0, height: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height or side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    root = tmp_path / "animals"
    for number, name in enumerate([
        "train/dog/a.png",
        "train/cat/b.png",
        "train/cat/a.PNG",
        "test/dog/a.png",
        "test/cat/a.jpg",
    ]):
        save(root / name, seed=number)
    (root / "train" / "cat" / "notes.txt").write_text("not an image")
    (root / "train" / ".hidden").mkdir()
    return root


def test_sizes_follow_from_the_files(animals: Path) -> None:
    task = Folder(animals)
    assert (task.shape, task.size, task.test_size, task.outputs) == ((3, 6, 6), 3, 2, 2)
    assert Folder(animals, grey=True, resize=4).shape == (1, 4, 4)
    assert Folder(animals, train=2, classes=(1, 0)).size == 2
    assert task.has_test
    assert task.label() == "animals"


def test_a_folder_of_classes_is_a_training_set_alone(animals: Path) -> None:
    task = Folder(animals / "train")
    assert (task.size, task.has_test) == (3, False)
    assert listing(str(animals / "train")).classes == ("cat", "dog")


def test_content_is_the_identity_wherever_it_lies(animals: Path) -> None:
    before = Folder(animals).canonical()
    moved = animals.rename(animals.with_name("moved"))
    assert Folder(moved).canonical() == before
    assert Folder(moved, grey=True).canonical() != before
    save(moved / "train" / "dog" / "c.png", seed=9)
    assert Folder(moved).canonical() != before
    assert Folder(moved).size == 4


def test_a_page_names_the_folder(animals: Path) -> None:
    study = read_toml(
        f'title = "Own"\ntask.folder = "{animals}"\nmodel.mlp = [5]\noptimizer.adam.lr = 1e-3\nepochs = 1\n'
    )
    assert study.task == Folder(animals)
    assert study.task.tree()["path"] == str(animals)


def break_one_class(root: Path) -> None:
    (root / "train" / "bird").mkdir()


def break_test_classes(root: Path) -> None:
    save(root / "test" / "bird" / "a.png")


def break_shape(root: Path) -> None:
    save(root / "train" / "cat" / "a.PNG", side=6, height=5)


def break_to_one(root: Path) -> None:
    for part in ("train", "test"):
        for file in (root / part / "dog").iterdir():
            file.unlink()
        (root / part / "dog").rmdir()


def break_all(root: Path) -> None:
    for part in ("train", "test"):
        (root / part).rename(root.parent / part)
    (root / "a.txt").touch()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (break_one_class, "bird holds no PNG or JPEG images"),
        (break_test_classes, "have different classes: bird"),
        (break_shape, "a.PNG is 6 x 5 pixels, not square: give resize"),
        (break_to_one, "holds one class; two at least"),
        (break_all, "animals holds no sub-folders, of which each would be a class"),
    ],
)
def test_each_wrong_folder_is_a_problem_of_the_declaration(animals: Path, harm: Any, message: str) -> None:
    harm(animals)
    with pytest.raises(ValidationError, match=message):
        Folder(animals)


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"there is no folder .*none"):
        Folder(tmp_path / "none")


def test_a_size_makes_images_of_any_shape_alike(animals: Path) -> None:
    break_shape(animals)
    assert Folder(animals, resize=3, augment=CropFlip(padding=2)).shape == (3, 3, 3)


def test_without_pillow_the_command_that_installs_it_is_told(
    animals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(EnvironmentProblem, match=r"needs Pillow.*pip install 'gradlab\[images\]'"):
        Folder(animals)
