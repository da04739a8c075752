"""Resizing gives what Pillow gives."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import slow_images
from PIL import Image

from gradlab.task.resize import resized

SIZES = [(28, 32), (32, 28), (28, 14), (5, 64), (33, 7), (2, 3), (1, 4), (4, 1), (28, 28)]


def noise(height: int, width: int, n: int = 6) -> np.ndarray:
    images = np.random.default_rng(height).integers(0, 256, (n, 3, height, width), dtype=np.uint8)
    images[0], images[1] = 255, 0
    images[2] = images[2] // 255 * 255  # black and white
    return images


@pytest.mark.parametrize(("size", "side"), SIZES)
def test_it_is_pillows_bilinear_to_the_bit(size: int, side: int) -> None:
    images = noise(size, size)
    found = resized(images, side)
    assert found.dtype == np.uint8
    for image, new in zip(images, found, strict=True):
        wanted = Image.fromarray(image.transpose(1, 2, 0)).resize((side, side), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(new, np.asarray(wanted).transpose(2, 0, 1))


@pytest.mark.parametrize(("size", "side"), SIZES)
def test_it_is_the_definition_in_exact_arithmetic(size: int, side: int) -> None:
    image = noise(size, size)[3]
    wanted = np.stack([slow_images.resized(plane, side) for plane in image])
    np.testing.assert_array_equal(resized(image[None], side)[0], wanted)


def test_images_need_not_be_square() -> None:
    image = noise(3, 5)[3]
    wanted = np.stack([slow_images.resized(plane, 4) for plane in image])
    np.testing.assert_array_equal(resized(image[None], 4)[0], wanted)


def test_how_many_are_handled_together_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(28, 28, n=50)
    whole = resized(images, 32)
    monkeypatch.setattr("gradlab.task.resize._AT_ONCE", 1)
    np.testing.assert_array_equal(resized(images, 32), whole)


@pytest.mark.data
def test_mnist_at_32_pixels_is_pinned() -> None:
    from gradlab.task.readers import PUBLISHED, read

    found = resized(read(PUBLISHED["mnist"]).test_x, 32)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:20] == "750966a83c3f66b21f31"
