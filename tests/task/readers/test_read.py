"""Whole image sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_images import COLOUR, FINE, GREY, idx, images, write_batches, write_idx

from gradlab.errors import EnvironmentProblem
from gradlab.task.readers import PUBLISHED, read


def assert_whole(published, root: Path) -> None:
    found = read(published, [root])
    for name in ("train", "test"):
        x, y = images(published)[name]
        np.testing.assert_array_equal(getattr(found, f"{name}_x"), x)
        np.testing.assert_array_equal(getattr(found, f"{name}_y"), y)
    assert found.train_x.dtype == np.uint8


@pytest.mark.parametrize("packed", [False, True])
def test_a_grey_set_is_read_in_its_order(tmp_path: Path, packed: bool) -> None:
    write_idx(tmp_path, GREY, packed)
    assert_whole(GREY, tmp_path)


@pytest.mark.parametrize("published", [COLOUR, FINE], ids=["one label", "two labels"])
@pytest.mark.parametrize("form", ["binary", "python"])
def test_a_colour_set_is_read_in_its_order(tmp_path: Path, published, form: str) -> None:
    write_batches(tmp_path, published, form)
    assert_whole(published, tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 0, 0, 0, 1, 2, 2, 2], "is not Tiny as published: 4 training images of class 0, not 3"),
        ([0, 0, 0, 1, 1, 2, 2, 3], "has the training label 3; labels are 0 to 2"),
    ],
)
def test_labels_are_as_many_as_published(tmp_path: Path, labels: list[int], message: str) -> None:
    folder = write_idx(tmp_path, packed=False)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.array(labels, np.uint8)))
    with pytest.raises(EnvironmentProblem, match=message):
        read(GREY, [tmp_path])


def test_a_damaged_set_is_told_and_no_other_place_is_tried(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    (write_idx(bad, packed=False) / "train-images-idx3-ubyte").write_bytes(b"<html>")
    write_idx(good)
    with pytest.raises(EnvironmentProblem, match=r"train-images-idx3-ubyte is a web page.*fetch it again"):
        read(GREY, [bad, good])


def test_a_known_digest_is_compared(tmp_path: Path) -> None:
    write_idx(tmp_path)
    known = replace(GREY, digests={"train-labels-idx1-ubyte": ("0" * 64,)})
    with pytest.raises(EnvironmentProblem, match=r"train-labels-idx1-ubyte.gz is not the published file"):
        read(known, [tmp_path])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "first", "mean"),
    [("mnist", [5, 0, 4, 1, 9], 33.318421), ("cifar10", [6, 9, 9, 4, 1], 120.707565)],
)
def test_the_published_sets_are_known_by_their_hashes(name: str, first: list[int], mean: float) -> None:
    found = read(PUBLISHED[name])
    assert found.train_y[:5].tolist() == first
    assert found.train_x.mean() == pytest.approx(mean, abs=1e-5)
    assert np.bincount(found.test_y).tolist() == list(PUBLISHED[name].test_counts)
