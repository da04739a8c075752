import dataclasses
import itertools

import numpy as np
import pytest
from labs import RECORD, asked, slice_of, state

from gradlab.store.lab import Lab


def lab_of(folder, cuts=(0, 40), *, order=(0, 1, 2), change=None, backend="kernel"):
    """Three runs to epoch 40, sliced at `cuts`; `change` alters the last entry of run 1."""
    with Lab.open(folder, write=True) as lab:
        ids = asked(lab, 3)
        ids = [ids[place] for place in order]
        lab.begin(dict.fromkeys(ids, 0), backend, lab.add_environment({"host": str(folder)}))
        for first, last in itertools.pairwise(cuts):
            for run in ids:
                entry = slice_of(run, first, last, ends=last == cuts[-1], seed=int(run, 16))
                if change and last == cuts[-1] and run == sorted(ids)[1]:
                    entry = change(entry)
                lab.store_slice([entry], RECORD, seconds=last)
        return lab.digest()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return lab_of(tmp_path_factory.mktemp("base"))


def test_it_depends_on_neither_slices_nor_order_nor_place(tmp_path, base):
    assert lab_of(tmp_path / "a", (0, 1, 7, 39, 40), order=(2, 0, 1), backend="loop") == base


def nudged(entry, field, quantity="loss"):
    epochs, values = getattr(entry, field)[quantity]
    values = values.copy()
    values[-1] = np.nextafter(values[-1], 2)
    return dataclasses.replace(entry, **{field: {**getattr(entry, field), quantity: (epochs, values)}})


CHANGES = {
    "one bit of a series": lambda e: nudged(e, "trace"),
    "one bit of what is measured at the end": lambda e: nudged(e, "beside", "flag_dead"),
    "the weights": lambda e: dataclasses.replace(e, state=state(40, seed=77)),
    "a passage": lambda e: dataclasses.replace(e, thresholds=(0.1,)),
    "how it ended": lambda e: dataclasses.replace(e, ending="diverged"),
    "that it has not ended": lambda e: dataclasses.replace(e, ending=None, beside={}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_depends_on_every_result(tmp_path, base, change):
    assert lab_of(tmp_path, change=CHANGES[change]) != base


def test_the_end_of_a_shorter_horizon_is_not_in_it(tmp_path, base):
    with Lab.open(tmp_path, write=True) as lab:
        ids = asked(lab, 3)
        lab.begin(dict.fromkeys(ids, 0), "kernel")
        for first, last in ((0, 11), (11, 40)):
            lab.store_slice([slice_of(run, first, last, ends=True, seed=int(run, 16)) for run in ids], RECORD)
        assert lab.digest() == base


def test_runs_that_were_only_planned_are_not_in_it(tmp_path, base):
    lab_of(tmp_path)
    with Lab.open(tmp_path, write=True) as lab:
        asked(lab, 9)
        assert lab.digest() == base
        assert lab.digest(lab.ids()[:1]) != base
