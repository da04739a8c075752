"""Images decoded from a folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradlab.errors import EnvironmentProblem
from gradlab.task import Folder, RandomLabels
from gradlab.task.data import build_data
from gradlab.task.readers.folder import read_folder

DRAW = np.random.default_rng(0)
PIXELS = {
    f"{part}/{name}/{number}.png": DRAW.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    for part, count in (("train", 3), ("test", 2))
    for name in ("dog", "cat")
    for number in range(count)
}


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    for name, pixels in PIXELS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def test_classes_and_files_come_in_alphabetical_order(animals: Path) -> None:
    found = read_folder(Folder(animals))
    assert (found.train_y.tolist(), found.test_y.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1])
    wanted = [PIXELS[f"train/{name}/{number}.png"] for name in ("cat", "dog") for number in range(3)]
    np.testing.assert_array_equal(found.train_x, np.stack(wanted).transpose(0, 3, 1, 2))


def test_grey_and_resized_as_pillow_does(animals: Path) -> None:
    found = read_folder(Folder(animals, grey=True, resize=4))
    image = Image.fromarray(PIXELS["train/cat/0.png"]).convert("L").resize((4, 4), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found.train_x[0, 0], np.asarray(image))


def test_the_data_of_a_folder(animals: Path) -> None:
    data = build_data(Folder(animals, classes=(1, 0), corruption=RandomLabels()), {"data": 0, "labels": 0})
    assert (data.x.shape, data.x.dtype, data.test_y.tolist()) == ((6, 3, 5, 5), np.float32, [1, 1, 0, 0])
    alone = build_data(Folder(animals / "train"), {"data": 0, "labels": 0})
    assert alone.test_x is None
    assert alone.test_y is None


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1"])
def test_pixels_of_every_8_bit_kind_are_taken(animals: Path, mode: str) -> None:
    Image.fromarray(PIXELS["train/cat/0.png"]).convert(mode).save(animals / "train/cat/0.png")
    assert read_folder(Folder(animals)).train_x.shape == (6, 3, 5, 5)


def test_an_image_of_another_size_is_named(animals: Path) -> None:
    Image.new("RGB", (6, 5)).save(animals / "train/dog/1.png")
    with pytest.raises(
        EnvironmentProblem, match=r"dog.1.png is 6 x 5 pixels, the first image is 5 x 5: give resize"
    ):
        read_folder(Folder(animals))


def test_16_bit_pixels_are_refused(animals: Path) -> None:
    Image.fromarray(np.zeros((5, 5), np.uint16)).save(animals / "train/dog/1.png")
    with pytest.raises(EnvironmentProblem, match=r"1.png has pixels of the kind I;16, not of 8 bits"):
        read_folder(Folder(animals))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a PNG or JPEG image"),
        (b"<!DOCTYPE html>", "is not a PNG or JPEG image"),
        (b"GIF89a\1\0\1\0\0\0\0;", "is not a PNG or JPEG image"),
        (None, "is damaged"),
    ],
)
def test_a_file_that_is_no_image_is_named(animals: Path, content: bytes | None, message: str) -> None:
    path = animals / "train" / "dog" / "2.png"
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    with pytest.raises(EnvironmentProblem, match=f"2.png {message}"):
        read_folder(Folder(animals))


def test_files_that_changed_since_the_declaration_are_told(animals: Path) -> None:
    task = Folder(animals)
    path = animals / "train" / "dog" / "2.png"
    os.utime(path, ns=(1, 1))
    with pytest.raises(EnvironmentProblem, match="have changed since the study was declared"):
        read_folder(task)
