import errno
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import studies

from gradlab.engine import shelf
from gradlab.engine.shelf import Lost, Shelf, Shelved, fetched
from gradlab.errors import StoreError
from gradlab.store import files
from gradlab.study.record import Record
from gradlab.task.data import Data
from gradlab.train.fleet import Fleet


def images(seed=0, count=400):
    return np.random.default_rng(seed).random((count, 1, 28, 28), np.float32)


def fleet(*data):
    return Fleet(studies.small().plan()["narrow"].spec, 1, Record(), "kernel", data, ())


@pytest.fixture
def place(tmp_path):
    shelf._held.clear()
    yield Shelf(tmp_path / "data")
    shelf._held.clear()


def names(place):
    return sorted(os.listdir(place.folder)) if place.folder.is_dir() else []


def test_large_arrays_become_files_and_small_ones_travel(place):
    x, y = images(), np.arange(400)
    stowed = place.put(Data(x, y, test_x=x[:10]))
    assert isinstance(stowed.x, Shelved)
    assert stowed.y is y
    assert isinstance(stowed.test_x, np.ndarray)
    assert len(pickle.dumps(fleet(stowed))) < 60_000
    (found,) = fetched(fleet(stowed)).data
    assert type(found.x) is np.ndarray
    assert found.x.dtype == np.float32
    assert found.x.flags.c_contiguous
    assert np.array_equal(found.x, x)


def test_small_data_stay_as_they_are(place):
    data = Data(np.zeros((3, 1)), np.zeros((3, 1)))
    assert place.put(data) is data
    whole = fleet(data)
    assert fetched(whole) is whole
    assert names(place) == []


def test_equal_arrays_are_one_file_and_one_mapping(place):
    x = images()
    one = place.put(Data(x, np.zeros(400, np.int64)))
    two = place.put(Data(x.copy(), np.ones(400, np.int64)))
    other = place.put(Data(images(1), np.ones(400, np.int64)))
    assert one.x == two.x != other.x
    assert len(names(place)) == 2
    first, second, third = fetched(fleet(one, two, other)).data
    assert first.x is second.x
    assert first.x is not third.x
    assert fetched(fleet(two)).data[0].x is first.x, "kept for the next slice"


def test_one_object_is_looked_at_once(place, monkeypatch):
    x = images()
    place.put(Data(x, np.zeros(400, np.int64)))
    monkeypatch.setattr(place, "_file", None)
    place.put(Data(x, np.ones(400, np.int64)))


def test_what_a_worker_writes_stays_with_it(place):
    x = images()
    stowed = place.put(Data(x, np.zeros(400, np.int64)))
    fetched(fleet(stowed)).data[0].x[:] = 7
    shelf._held.clear()
    assert np.array_equal(fetched(fleet(stowed)).data[0].x, x)


def test_other_processes_find_the_same_numbers(place):
    x = images()
    stowed = place.put(Data(x, np.zeros(400, np.int64)))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(fetched, fleet(stowed)).result()
    assert np.array_equal(found.data[0].x, x)


def damages(path):
    whole = path.read_bytes()
    yield whole[:1000]
    yield b""
    yield b"garbage" * 100
    yield whole[:-1] + bytes([whole[-1] ^ 1])


def test_a_file_of_an_earlier_command_is_used_if_it_is_whole_and_else_written_anew(place):
    x = images()
    place.put(Data(x, np.zeros(400, np.int64)))
    (path,) = place.folder.iterdir()
    before = path.stat().st_mtime_ns
    Shelf(place.folder).put(Data(x.copy(), np.zeros(400, np.int64)))
    assert path.stat().st_mtime_ns == before
    for damaged in damages(path):
        path.write_bytes(damaged)
        stowed = Shelf(place.folder).put(Data(x, np.zeros(400, np.int64)))
        assert names(place) == [path.name]
        shelf._held.clear()
        assert np.array_equal(fetched(fleet(stowed)).data[0].x, x)


def test_a_file_that_went_missing_is_told_and_mended(place):
    x = images()
    stowed = place.put(Data(x, np.zeros(400, np.int64)))
    (path,) = place.folder.iterdir()
    for broken in (path.unlink, lambda: path.write_bytes(b"short"), lambda: np.save(path, x[1:])):
        broken()
        with pytest.raises(Lost, match=path.stem):
            fetched(fleet(stowed))
        place.mend()
        stowed = place.put(Data(x, np.zeros(400, np.int64)))
        assert names(place) == [path.name]


def test_two_arrays_with_one_checksum_are_two_files(place, monkeypatch):
    monkeypatch.setattr(shelf.zlib, "crc32", lambda _: 7)
    a, b = images(0), images(1)
    stowed = [place.put(Data(x, np.zeros(400, np.int64))) for x in (a, b, a.copy(), b.copy())]
    assert len(names(place)) == 2
    found = fetched(fleet(*stowed)).data
    for data, x in zip(found, (a, b, a, b), strict=True):
        assert np.array_equal(data.x, x)


def test_sweeping_leaves_what_is_in_use(place):
    old = Shelf(place.folder)
    old.put(Data(images(1), np.zeros(400, np.int64)))
    kept = place.put(Data(images(2), np.zeros(400, np.int64)))
    (place.folder / "f4-half.npy.part").write_bytes(b"half")
    place.sweep()
    assert [str(path.absolute()) for path in place.folder.iterdir()] == [kept.x.path]
    place.sweep(all_of_them=True)
    assert names(place) == []
    assert isinstance(place.put(Data(images(2), np.zeros(400, np.int64))).x, Shelved)
    Shelf(place.folder.parent / "nowhere").sweep()


@pytest.mark.parametrize("point", ["file.open", "file.write", "file.rename"])
def test_a_full_disk_is_told_and_leaves_nothing(place, point):
    def full(reached):
        if reached == point:
            raise OSError(errno.ENOSPC, "No space left on device")

    with files.watching(full), pytest.raises(StoreError, match=r"full \(1,254,400 bytes needed"):
        place.put(Data(images(), np.zeros(400, np.int64)))
    assert names(place) == []
