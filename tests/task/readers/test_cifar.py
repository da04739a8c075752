"""The batches of the CIFAR sets, in both versions and both packings."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_images import COLOUR, FINE, archive, batches, binary, contents, write_batches

from gradlab.errors import EnvironmentProblem
from gradlab.task.readers.cifar import read_batches, records_of
from gradlab.task.readers.locate import Place


def placed(root: Path, published, form: str, *, packed: bool) -> Place:
    if not packed:
        return Place(write_batches(root, published, form), form)
    path = root / f"{published.title.lower()}-{form}.tar.gz"
    path.write_bytes(archive(contents(published, form)))
    return Place(path, form)


@pytest.mark.parametrize("published", [COLOUR, FINE], ids=["one label", "two labels"])
@pytest.mark.parametrize("form", ["binary", "python"])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_every_version_gives_the_binary_records(tmp_path: Path, published, form: str, packed: bool) -> None:
    found = read_batches(published, placed(tmp_path, published, form, packed=packed))
    assert {name: records.tobytes() for name, records in found.items()} == {
        name: binary(published, *batch) for name, batch in batches(published).items()
    }


ROWS, LABELS = batches(COLOUR)["data_batch_1"]


def batch(**changes: object) -> bytes:
    return pickle.dumps({"data": ROWS, "labels": LABELS.tolist()} | changes, protocol=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (batch(data=[1, 2]), "holds data that are not images of 48 bytes"),
        (batch(data=ROWS[:, :-1]), "holds data that are not images of 48 bytes"),
        (batch(labels=[0]), "holds labels that are not one label for each of the 3 images"),
        (batch(labels=[0, 1, 300]), "holds labels that are not one label"),
        (batch(labels=[0, 1, "2"]), "holds labels that are not one label"),
        (batch(labels=[0, 1, 3]), "has the label 3; labels are 0 to 2"),
        (batch(data=ROWS[:2], labels=[0, 1]), "is cut short: 98 of 147 bytes"),
        (pickle.dumps({"data": ROWS}, protocol=2), "holds no labels"),
        (pickle.dumps(print, protocol=2), "asks for .*print, which is refused"),
        (b"", "is not a pickle, or cut short"),
    ],
)
def test_each_wrong_batch_for_python_is_told(content: bytes, message: str) -> None:
    with pytest.raises(EnvironmentProblem, match=f"data_batch_1 {message}"):
        records_of(COLOUR, "data_batch_1", "data_batch_1", content, pickled=True)


RECORDS = binary(COLOUR, ROWS, LABELS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (RECORDS[:-1], "is cut short: 146 of 147 bytes"),
        (RECORDS + b"\0", "is longer than the 147 bytes expected"),
        (b"\x09" + RECORDS[1:], "has the label 9; labels are 0 to 2"),
        (b"", "is cut short: 0 of 147 bytes"),
    ],
)
def test_each_wrong_binary_batch_is_told(content: bytes, message: str) -> None:
    with pytest.raises(EnvironmentProblem, match=f"data_batch_1.bin {message}"):
        records_of(COLOUR, "data_batch_1", "data_batch_1.bin", content)


def test_another_content_is_not_the_published_file() -> None:
    known = replace(COLOUR, digests={"data_batch_1": ("0" * 64,)})
    with pytest.raises(
        EnvironmentProblem, match="not the published file: the SHA-256 of its content differs"
    ):
        records_of(known, "data_batch_1", "data_batch_1.bin", RECORDS)


def test_a_web_page_in_place_of_a_batch_is_told(tmp_path: Path) -> None:
    folder = write_batches(tmp_path, COLOUR, "binary")
    (folder / "test_batch.bin").write_bytes(b"<!doctype html>")
    with pytest.raises(EnvironmentProblem, match=r"test_batch.bin is a web page"):
        read_batches(COLOUR, Place(folder, "binary"))


def test_records_are_labels_then_channels() -> None:
    records = records_of(FINE, "train", "train.bin", binary(FINE, *batches(FINE)["train"]))
    rows, labels = batches(FINE)["train"]
    np.testing.assert_array_equal(records[:, 1], labels)
    np.testing.assert_array_equal(records[:, 2:], rows)
