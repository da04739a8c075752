import errno
import os

import pytest

from gradlab.errors import StoreError
from gradlab.store import files


def test_a_file_is_written_whole_and_leaves_no_other_name(tmp_path):
    files.write_new(tmp_path, "a.safetensors", b"x" * 1001)
    assert (tmp_path / "a.safetensors").read_bytes() == b"x" * 1001
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_points_are_passed_in_their_documented_order(tmp_path):
    passed = []
    with files.watching(passed.append):
        files.write_new(tmp_path, "a", b"data")
        files.remove(tmp_path / "a")
    assert passed == [point for point in files.POINTS if point.startswith("file.")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPERM, errno.EROFS])
@pytest.mark.parametrize("point", [p for p in files.POINTS if p.startswith("file.") and "remove" not in p])
def test_a_write_that_fails_at_any_point_leaves_nothing_and_says_how_to_go_on(tmp_path, point, code):
    def fail(reached):
        if reached == point:
            raise OSError(code, os.strerror(code))

    with files.watching(fail), pytest.raises(StoreError) as caught:
        files.write_new(tmp_path, "a", b"data" * 100)
    assert os.listdir(tmp_path) == []
    assert str(tmp_path) in str(caught.value)
    expected = {errno.ENOSPC: "400 bytes needed", errno.EDQUOT: "full", errno.EIO: "device"}
    assert expected.get(code, "permission") in str(caught.value)


def test_a_file_that_cannot_be_removed_is_left_for_the_next_sweep(tmp_path):
    folder = tmp_path / "not-a-file"
    folder.mkdir()
    files.remove(folder)
    assert folder.exists()


def test_watching_ends_with_its_block(tmp_path):
    with pytest.raises(KeyError), files.watching(lambda point: {}[point]):
        files.reach("file.open")
    files.reach("file.open")
