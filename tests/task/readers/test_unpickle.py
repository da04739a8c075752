"""Pickles are read, never run."""

from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gradlab.task.readers.unpickle import UnsafePickle, load_arrays

ROWS = np.arange(6, dtype=np.uint8).reshape(2, 3)


class Harmful:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_batches_of_every_protocol_are_read(protocol: int) -> None:
    if protocol >= 5:
        content = pickle.dumps({"data": ROWS.tolist(), "labels": [1, 2]}, protocol=protocol)
        assert load_arrays(content) == {"data": ROWS.tolist(), "labels": [1, 2]}
        return
    found = load_arrays(pickle.dumps({"data": ROWS, "labels": [1, 2], "batch": "1 of 5"}, protocol=protocol))
    np.testing.assert_array_equal(found["data"], ROWS)
    assert found["labels"] == [1, 2]


PYTHON_2 = (
    b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\teU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05"
    b"cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\t"
    b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02AZtbu."
)


def test_a_pickle_of_python_2_is_read() -> None:
    found = load_arrays(PYTHON_2)
    assert found["labels"] == [6, 9]
    assert found["data"].tolist() == [[65, 90]]


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (Harmful(os.system, "touch harm"), "posix.system|nt.system"),
        (Harmful(subprocess.Popen, ["touch", "harm"]), "Popen"),
        (Harmful(eval, "open('harm', 'w')"), "builtins.eval|__builtin__.eval"),
        (Harmful(getattr, "x", "upper"), "builtins.getattr|__builtin__.getattr"),
        (Harmful(np.load, "x.npy"), r"numpy\S*.load"),
        (Harmful(Path, "harm"), "pathlib"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_what_asks_for_anything_else_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Harmful, asked: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"data": ROWS, "labels": [value]}, protocol=protocol)
    with pytest.raises(UnsafePickle, match=f"asks for .*({asked}).*, which is refused"):
        load_arrays(content)
    assert list(tmp_path.iterdir()) == []


class Other:
    pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a pickle, or cut short"),
        (b"<html>", "is not a pickle, or cut short"),
        (pickle.dumps({"data": ROWS}, protocol=2)[:-20], "is not a pickle, or cut short"),
        (pickle.dumps([1]), "holds a list, not a dict"),
        (pickle.dumps({"data": np.zeros((2, 2))}, protocol=2), "array of type 'f8', not of bytes"),
        (pickle.dumps({"data": np.zeros((2, 2), object)}, protocol=2), "array of type 'O8', not of bytes"),
        (pickle.dumps({"data": ROWS[0]}, protocol=2), "not a table of bytes"),
        (pickle.dumps({"a": Other()}, protocol=2), "is refused"),
        (pickle.dumps({"a": {1, 2}}, protocol=4), "the instruction EMPTY_SET, which is refused"),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "claims more memory than it can need"),
        (b"cnumpy\ndtype\n}S'x'\nI1\nsb.", "changes a function, which is refused"),
        (b"\x80\x02K\x00\x81.", "the instruction NEWOBJ, which is refused"),
        (b"\x80\x02\x82\x01.", "the instruction EXT1, which is refused"),
        (b"Pid\n.", "the instruction PERSID, which is refused"),
        (b"0.", "is damaged|is not a pickle"),
    ],
)
def test_what_is_no_batch_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(UnsafePickle, match=message):
        load_arrays(content)


def test_a_shape_that_does_not_fit_its_bytes_is_refused() -> None:
    honest = pickle.dumps({"data": ROWS}, protocol=2)
    false = honest.replace(b"K\x02K\x03\x86", b"K\x02K\x7f\x86")
    assert false != honest
    with pytest.raises(UnsafePickle, match="not a table of bytes"):
        load_arrays(false)
