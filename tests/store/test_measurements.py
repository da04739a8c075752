import math

import numpy as np
import pytest
from labs import RECORD, asked, slice_of, state

from gradlab.errors import StoreError
from gradlab.measure.measurement import Value
from gradlab.store import NewMeasurement, Stored, files
from gradlab.store.lab import Lab

DIGEST = "0123456789abcdef0123"


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        yield lab


def keep(lab, **found):
    lab.store_measurements(
        DIGEST, {"kind": "hessian"}, [NewMeasurement(key, (("run", 3),), one) for key, one in found.items()]
    )


def same(one, other):
    return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)


VALUES = {
    "one": Value(0.25, "one number"),
    "nan": Value(math.nan, "not a number", error=math.inf, uncertainty="bound"),
    "series": Value(
        np.array([1.0, -np.inf, np.nan]), "along alpha", np.ones(3), "standard error", "alpha", np.arange(3.0)
    ),
    "band": Value(
        np.arange(4.0), "with a band", np.arange(8.0).reshape(2, 4), "band", "value", np.arange(4.0)
    ),
    "grid": Value(np.arange(12.0).reshape(2, 3, 2), "a grid", axis="pair", places=np.arange(2.0)),
    "none": Value(np.zeros((0, 2)), "nothing", axis="row", places=np.zeros(0)),
}


def test_everything_about_a_value_comes_back_also_for_a_reader(lab):
    keep(
        lab,
        a=Stored(
            values=VALUES, warnings=("mind",), settings={"n": 3, "x": math.inf}, gradients=7.5, seconds=2
        ),
    )
    with Lab.open(lab.folder) as reader:
        found = reader.measured(DIGEST, ["a", "b"])
    assert set(found) == {"a"}
    stored = found["a"]
    assert (stored.outcome, stored.failure, stored.warnings) == ("measured", "", ("mind",))
    assert (stored.gradients, stored.seconds, stored.settings["n"]) == (7.5, 2, 3)
    assert list(stored.values) == list(VALUES)
    for name, value in VALUES.items():
        again = stored.values[name]
        assert (again.means, again.axis, again.uncertainty) == (value.means, value.axis, value.uncertainty)
        assert same(again.value, value.value)
        assert np.shape(again.value) == np.shape(value.value)
        assert (again.error is None) == (value.error is None)
        assert again.error is None or same(again.error, value.error)
        assert (again.places is None) == (value.places is None)
        assert again.places is None or same(again.places, value.places)


def test_a_refusal_is_a_result_and_an_error_is_tried_again(lab):
    keep(lab, a=Stored("refused", failure="it is dead"), b=Stored("failed", failure="Traceback"))
    keep(lab, a=Stored(values=VALUES), b=Stored(values=VALUES))
    found = lab.measured(DIGEST, ["a", "b"])
    assert (found["a"].outcome, found["a"].failure, dict(found["a"].values)) == ("refused", "it is dead", {})
    assert (found["b"].outcome, set(found["b"].values)) == ("measured", set(VALUES))
    keep(lab, b=Stored("failed", failure="later"))
    assert lab.measured(DIGEST, ["b"])["b"].outcome == "measured"


def test_the_digest_covers_bits_and_refusals_but_neither_errors_nor_times(lab):
    ids = asked(lab, 1)
    nothing = lab.digest()
    keep(lab, a=Stored("failed", failure="Traceback"))
    assert lab.digest() == nothing
    keep(lab, a=Stored(values={"one": Value(0.5, "means")}, seconds=1.0, gradients=1.0))
    measured = lab.digest()
    assert measured != nothing
    assert lab.digest(ids) == nothing
    assert lab.digest(ids, {DIGEST: ["a"]}) == measured
    keep(lab, b=Stored("refused", failure="why"))
    assert lab.digest() != measured
    assert lab.digest(ids, {DIGEST: ["a"]}) == measured


@pytest.mark.parametrize(
    ("one", "other"), [(0.5, np.nextafter(0.5, 1)), (math.nan, 0.0), (0.5, np.array([0.5]))]
)
def test_a_bit_that_differs_changes_the_digest(tmp_path, one, other):
    digests = set()
    for place, value in enumerate((one, other)):
        with Lab.open(tmp_path / str(place), write=True) as lab:
            keep(lab, a=Stored(values={"v": Value(value, "means")}))
            digests.add(lab.digest())
    assert len(digests) == 2


@pytest.mark.parametrize("point", ["database.begun", "database.commit"])
def test_a_batch_is_stored_whole_or_not_at_all(lab, point):
    def full(reached):
        if reached == point:
            raise OSError(28, "No space left on device")

    with files.watching(full), pytest.raises(StoreError, match="full"):
        keep(lab, a=Stored(values=VALUES), b=Stored(values=VALUES))
    assert lab.measured(DIGEST, ["a", "b"]) == {}
    keep(lab, a=Stored(values=VALUES))
    assert set(lab.measured(DIGEST, ["a", "b"])) == {"a"}


def test_a_reader_may_not_store_measurements(lab):
    with Lab.open(lab.folder) as reader, pytest.raises(StoreError, match="reading only"):
        keep(reader, a=Stored(values=VALUES))


def passing(run, first, last, kept, **fields):
    slice_ = slice_of(run, first, last, **fields)
    return type(slice_)(**{**vars(slice_), "kept": tuple(state(epoch) for epoch in kept)})


def test_kept_weights_outlive_the_checkpoints_around_them(lab):
    (run,) = asked(lab, 1)
    lab.begin({run: 0}, "kernel")
    lab.store_slice([passing(run, 0, 10, (0, 4))], RECORD)
    lab.store_slice([passing(run, 10, 20, (15,))], RECORD)
    lab.store_slice([passing(run, 20, 30, (), ends=True)], RECORD)
    assert lab.known([run])[run].snapshots == {0, 4, 15}
    folder = lab.folder
    lab.close()
    with Lab.open(folder, write=True) as again:  # which sweeps what no row names
        for epoch in (0, 4, 15, 30):
            found = again.weights_at(run, epoch)
            assert found.epoch == epoch
            assert np.array_equal(found.weights, state(epoch).weights)
        assert len(list((folder / "weights").iterdir())) == 3
        with pytest.raises(StoreError, match=r"not kept the weights .* epoch 5"):
            again.weights_at(run, 5)


@pytest.mark.parametrize("reason", ["stopped", "diverged"])
def test_the_last_state_of_a_run_that_ended_early_stands_in_and_says_so(lab, reason):
    (run,) = asked(lab, 1)
    lab.begin({run: 0}, "kernel")
    end = slice_of(run, 0, 7)
    lab.store_slice([type(end)(**{**vars(end), "ending": reason})], RECORD)
    found = lab.weights_at(run, 40)
    assert found.epoch == 7
    assert np.array_equal(found.weights, state(7).weights)


def test_a_damaged_snapshot_is_known_and_replaced(lab):
    (run,) = asked(lab, 1)
    lab.begin({run: 0}, "kernel")
    lab.store_slice([passing(run, 0, 10, (4,))], RECORD)
    for file in (lab.folder / "weights").iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    assert lab.sound([(run, 4)], "snapshot") == set()
    with pytest.raises(StoreError, match="damaged"):
        lab.weights_at(run, 4)
    lab.store_slice([passing(run, 0, 10, (4,))], RECORD)
    assert lab.sound([(run, 4)], "snapshot") == {(run, 4)}
    assert len(list((lab.folder / "weights").iterdir())) == 2
