import os
import subprocess
import sys
import time
from pathlib import Path

import busy_writer
import numpy as np
import pytest
from labs import RECORD, asked, slice_of

from gradlab.errors import StoreError
from gradlab.store.lab import Lab
from gradlab.store.reader import merge


def writer(folder, *fault):
    environment = os.environ | {"PYTHONPATH": str(Path(busy_writer.__file__).parent)}
    return subprocess.Popen(
        [sys.executable, busy_writer.__file__, str(folder), *fault],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_readers_see_whole_slices_while_a_writer_writes_and_never_stop_it(tmp_path):
    process = writer(tmp_path / "lab")
    process.stdout.readline()
    stored = 0
    with Lab.open(tmp_path / "lab") as reader:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            rows = reader.known()
            run = min(rows)
            epochs, values = reader.trace(run, "loss")
            assert len(epochs) == epochs[-1] + 1 >= rows[run].epoch + 1
            assert np.array_equal(values, np.cos(epochs))
            assert reader.load_state(run).epoch >= rows[run].epoch
            reader.digest()
            stored = int(process.stdout.readline())
    assert process.poll() is None, "the writer failed"
    assert stored > 5
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("point", ["database.commit", "database.committed", "database.begun", "file.rename"])
def test_a_lab_whose_writer_was_killed_can_be_read_at_once(tmp_path, point):
    process = writer(tmp_path / "lab", point, "9")
    process.wait()
    process.stdout.close()
    assert process.returncode == -9
    with Lab.open(tmp_path / "lab") as reader:
        rows = reader.known()
        reached = {row.epoch for row in rows.values()}
        assert len(reached) == 1, "a slice was stored in part"
        assert reader.load_state(min(rows)).epoch in reached


def test_a_half_done_commit_on_disk_is_rolled_back_by_a_reader(tmp_path):
    """The journal of a writer that died after it had changed the database file itself."""
    folder = tmp_path / "lab"
    with Lab.open(folder, write=True) as lab:
        ids = asked(lab, 3)
        lab.begin(dict.fromkeys(ids, 0), "kernel")
        lab.store_slice([slice_of(run, 0, 50) for run in ids], RECORD)
        before = lab.digest()
    killed = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("PRAGMA cache_spill = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE trace SET value = zeroblob(4000), epochs = zeroblob(4000)")
database.execute("CREATE TABLE much AS SELECT zeroblob(4000) AS b FROM trace, trace, trace, trace")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", killed, str(folder / "lab.sqlite")], check=False)
    assert (folder / "lab.sqlite-journal").exists()
    with Lab.open(folder) as reader:
        assert reader.digest() == before


def test_no_query_of_a_large_lab_holds_it_for_long(tmp_path):
    with Lab.open(tmp_path, write=True) as lab:
        ids = asked(lab, 300)
        lab.begin(dict.fromkeys(ids, 0), "kernel")
        lab.store_slice([slice_of(run, 0, 5000, ends=True) for run in ids], RECORD)
    with Lab.open(tmp_path) as reader:
        taken = []
        plain = reader._rows

        def timed(query, values=()):
            begun = time.thread_time()
            rows = plain(query, values)
            taken.append(time.thread_time() - begun)
            return rows

        reader._rows = timed
        assert len(reader.traces(ids, "loss")) == 300
    assert max(taken[2:]) < 0.05


def test_series_come_by_run_and_quantity(tmp_path):
    with Lab.open(tmp_path, write=True) as lab:
        ids = asked(lab, 3)
        lab.begin(dict.fromkeys(ids, 0), "kernel")
        lab.store_slice([slice_of(run, 0, 5, ends=True) for run in ids], RECORD)
        found = [(run, quantity) for run, quantity, _ in lab.series(reversed(ids))]
        assert found == [(run, quantity) for run in ids for quantity in ("flag_dead", "loss")]
        assert [quantity for _, quantity, _ in lab.series(ids[:1], beside=True)] == ["flag_dead"]
        assert lab.quantities(ids) == ["flag_dead", "loss"]
        assert lab.trace(ids[0], "nothing")[0].size == 0
        assert lab.traces([], "loss") == {}


def test_merging_keeps_the_first_of_equal_epochs():
    one = (np.array([0, 1, 4]), np.array([0.0, 1.0, 4.0]))
    two = (np.array([1, 2]), np.array([9.0, 2.0]))
    epochs, values = merge([one, two])
    assert epochs.tolist() == [0, 1, 2, 4]
    assert values.tolist() == [0.0, 1.0, 2.0, 4.0]


def test_a_lab_is_not_carried_over_a_fork(tmp_path):
    with Lab.open(tmp_path, write=True) as lab:
        lab._process = -1
        with pytest.raises(StoreError, match="forked"):
            lab.ids()
        lab._process = os.getpid()
