import sqlite3

import numpy as np
import pytest
from labs import asked

from gradlab.errors import StoreError
from gradlab.store.lab import Lab


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        yield lab


@pytest.mark.parametrize("labels", [[3, 0, 9], [], [300, 1], [70_000, -1]])
def test_labels_come_back_whatever_their_size(lab, labels):
    (run,) = asked(lab, 1)
    assert lab.labels(run) is None
    lab.keep_labels(run, "key", np.array(labels, np.int64))
    with Lab.open(lab.folder) as reader:
        found = reader.labels(run)
        assert found.dtype == np.int64
        assert found.tolist() == labels


def test_runs_with_the_same_labels_share_them(lab):
    one, two, three = asked(lab, 3)
    lab.keep_labels(one, "seed 0", np.array([1, 2]))
    lab.keep_labels(two, "seed 0", np.array([1, 2]))
    lab.keep_labels(three, "seed 1", np.array([2, 1]))
    lab.keep_labels(one, "seed 0", np.array([1, 2]))  # taken up again
    assert lab._rows("SELECT count(*) FROM labels") == [(2,)]
    assert [lab.labels(run).tolist() for run in (one, two, three)] == [[1, 2], [1, 2], [2, 1]]


def test_other_labels_than_those_that_were_kept_are_refused(lab):
    one, two = asked(lab, 2)
    lab.keep_labels(one, "seed 0", np.array([1, 2]))
    for run in (one, two):
        with pytest.raises(StoreError, match=r"not those that this lab holds.*another"):
            lab.keep_labels(run, "seed 0", np.array([1, 3]))
    with pytest.raises(StoreError, match="another"):
        lab.keep_labels(one, "seed 1", np.array([1, 3]))
    assert lab.labels(one).tolist() == [1, 2]
    assert lab.labels(two) is None
    assert lab._rows("SELECT count(*) FROM labels") == [(1,)], "what was refused left nothing"


def test_damaged_labels_are_told(lab):
    (run,) = asked(lab, 1)
    lab.keep_labels(run, "key", np.array([1, 2]))
    database = sqlite3.connect(lab.file)
    with database:
        database.execute("UPDATE labels SET value = x'0103'")
    database.close()
    with pytest.raises(StoreError, match="damaged"):
        lab.labels(run)
