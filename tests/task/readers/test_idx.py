"""The idx format."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from tiny_images import idx

from gradlab.errors import EnvironmentProblem
from gradlab.task.readers.idx import read_idx

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_is_read_plain_or_compressed(tmp_path: Path, pack) -> None:
    path = tmp_path / "images"
    path.write_bytes(pack(idx(VALUES)))
    np.testing.assert_array_equal(read_idx(path, (2, 3, 4)), VALUES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an idx file: it begins with nothing"),
        (b"\x89PNG....", "is not an idx file: it begins with 89 50 4e 47"),
        (b"<!DOCTYPE html><title>404</title>", "is a web page, not data"),
        (b"\xef\xbb\xbf \n<html>", "is a web page, not data"),
        (idx(VALUES[0]), "has the magic number 00 00 08 02, not 00 00 08 03"),
        (b"\0\0\x0d\x03" + idx(VALUES)[4:], "has the magic number 00 00 0d 03"),
        (idx(VALUES)[:10], r"is cut short: 10 of 40 bytes"),
        (idx(VALUES)[:-1], r"is cut short: 39 of 40 bytes"),
        (idx(VALUES) + b"\0", r"is longer than the 40 bytes expected"),
        (idx(VALUES.reshape(2, 4, 3)), "holds 2 x 4 x 3 values, not 2 x 3 x 4"),
        (gzip.compress(idx(VALUES))[:-9], "is cut short"),
        (gzip.compress(idx(VALUES))[:12] + b"damage" + gzip.compress(idx(VALUES))[18:], "is damaged"),
    ],
)
def test_each_wrong_file_is_told_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(EnvironmentProblem, match=rf"train-images-idx3-ubyte {message}.*fetch it again"):
        read_idx(path, (2, 3, 4))


def test_another_content_is_not_the_published_file(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx(VALUES))
    with pytest.raises(EnvironmentProblem, match="is not the published file: its SHA-256 differs"):
        read_idx(path, (2, 3, 4), ("0" * 64,))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(idx(VALUES) + bytes(50_000_000)))
    with pytest.raises(EnvironmentProblem, match="is longer than the 40 bytes expected"):
        read_idx(path, (2, 3, 4))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read: Is a directory"):
        read_idx(tmp_path, (2, 3, 4))
