import errno
import os

import numpy as np
import pytest
from labs import RECORD, asked, run_id, slice_of, state

from gradlab.errors import StoreError
from gradlab.store import files
from gradlab.store.lab import Lab
from gradlab.store.rows import NewRun, Progress


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        yield lab


def begun(lab, count=2):
    ids = asked(lab, count)
    lab.begin(dict.fromkeys(ids, 0), "kernel", lab.add_environment({"cpu": "x"}))
    return ids


def weights(lab):
    return sorted(os.listdir(lab.folder / "weights"))


def test_a_slice_is_there_when_the_call_returns(lab):
    ids = begun(lab)
    lab.store_slice([slice_of(run, 0, 10, seed=i) for i, run in enumerate(ids)], RECORD, 3.0)
    with Lab.open(lab.folder) as reader:
        row = reader.known(ids)[ids[1]]
        assert (row.state, row.epoch, row.attempts, row.backend) == ("running", 10, 1, "kernel")
        assert row.checkpoints == {10: RECORD}
        assert row.at(10) is None
        assert np.array_equal(reader.load_state(ids[1]).weights, state(10, seed=1).weights)
        epochs, values = reader.trace(ids[1], "loss")
        assert np.array_equal(epochs, np.arange(11))
        assert np.array_equal(values, np.cos(np.arange(11) + 1))
        assert reader.attempts(ids)[0].seconds == 1.5


def test_a_superseded_checkpoint_goes_and_one_of_an_end_stays(lab):
    ids = begun(lab)
    lab.store_slice([slice_of(run, 0, 10) for run in ids], RECORD)
    assert weights(lab) == ["00000001.safetensors"]
    lab.store_slice([slice_of(ids[0], 10, 20, ends=True), slice_of(ids[1], 10, 20)], RECORD)
    assert weights(lab) == ["00000002.safetensors", "00000003.safetensors"]
    lab.store_slice([slice_of(ids[1], 20, 30)], RECORD)
    assert weights(lab) == ["00000002.safetensors", "00000004.safetensors"]
    lab.begin({ids[0]: 20}, "kernel")
    lab.store_slice([slice_of(ids[0], 20, 40)], RECORD)
    row = lab.known(ids)[ids[0]]
    assert set(row.checkpoints) == {20, 40}
    assert row.at(20).reason == "epochs"
    assert row.at(40) is None
    assert lab.load_state(ids[0], 20).epoch == 20


def test_pieces_of_a_series_are_joined_at_the_end_and_overlaps_counted_once(lab):
    (run,) = begun(lab, 1)
    lab.store_slice([slice_of(run, 0, 10)], RECORD)
    lab.store_slice([slice_of(run, 0, 15)], RECORD)
    assert np.array_equal(lab.trace(run, "loss")[0], np.arange(16))
    lab.store_slice([slice_of(run, 15, 20, ends=True)], RECORD)
    assert np.array_equal(lab.trace(run, "loss")[0], np.arange(21))
    assert lab._rows("SELECT count(*) FROM trace WHERE quantity = 'loss'") == [(1,)]


@pytest.mark.parametrize("reason", ["stopped", "diverged"])
def test_a_run_that_ended_early_has_ended_for_every_farther_horizon(lab, reason):
    (run,) = begun(lab, 1)
    lab.store_slice([Progress(run, state(7), {}, {}, reason, 7, 70)], RECORD)
    row = lab.known([run])[run]
    assert row.state == ("done" if reason == "stopped" else "diverged")
    assert row.at(6) is None
    assert row.at(7).epoch == row.at(1000).epoch == 7
    assert row.at(1000).updates == 70


def test_passages_are_infinite_until_they_happen_and_never_forgotten(lab):
    (run,) = begun(lab, 1)
    early = state(10, passages={0.5: 3})
    lab.store_slice([Progress(run, early, {}, {}, None, 10, 10, (0.5, 0.1))], RECORD)
    assert lab.passages([run]) == {run: {0.5: 3.0, 0.1: np.inf}}
    lab.store_slice(
        [Progress(run, state(20, passages={0.5: 3, 0.1: 15}), {}, {}, None, 20, 20, (0.5, 0.1))], RECORD
    )
    lab.store_slice([Progress(run, state(5), {}, {}, None, 5, 5, (0.5, 0.1))], RECORD)  # computed anew
    assert lab.passages([run]) == {run: {0.5: 3.0, 0.1: 15.0}}


def test_nan_and_infinities_come_back_from_states_and_series(lab):
    (run,) = begun(lab, 1)
    values = np.array([1.0, np.nan, np.inf, -np.inf])
    broken = state(3, weights=values.astype(np.float32), best=(np.inf, 1, values.astype(np.float32)))
    lab.store_slice([Progress(run, broken, {"loss": (np.arange(4), values)}, {}, "diverged", 3, 3)], RECORD)
    assert np.array_equal(lab.trace(run, "loss")[1], values, equal_nan=True)
    back = lab.load_state(run)
    assert np.array_equal(back.weights, values.astype(np.float32), equal_nan=True)
    assert back.best[0] == np.inf


def test_what_a_killed_writer_left_is_cleared_away(lab):
    ids = begun(lab)
    lab.store_slice([slice_of(run, 0, 10) for run in ids], RECORD)
    lab.close()
    for name in ("00000009.safetensors", "00000010.safetensors.part"):
        (lab.folder / "weights" / name).write_bytes(b"half")
    with Lab.open(lab.folder, write=True) as again:
        assert weights(again) == ["00000001.safetensors"]
        row = again.known(ids)[ids[0]]
        assert (row.state, row.epoch) == ("interrupted", 10)
        assert [attempt.outcome for attempt in again.attempts(ids)] == ["lost", "lost"]
        assert again.load_state(ids[0]).epoch == 10


def fault(point, nth, error):
    """Raise `error` when `point` is passed for the n-th time."""
    seen = [0]

    def watch(reached):
        seen[0] += reached == point
        if reached == point and seen[0] == nth:
            raise error

    return watch


def story(lab):
    """Store two runs in three slices, one of them to its end."""
    ids = begun(lab)
    lab.store_slice([slice_of(run, 0, 10) for run in ids], RECORD)
    lab.store_slice([slice_of(ids[0], 10, 20, ends=True), slice_of(ids[1], 10, 20)], RECORD)
    lab.store_slice([slice_of(ids[1], 20, 30, ends=True)], RECORD)


def whole(lab):
    """Every checkpoint that is named can be loaded, and nothing else lies about."""
    rows = lab.known()
    for run, row in rows.items():
        for epoch in row.checkpoints:
            assert lab.load_state(run, epoch).epoch == epoch
        if row.checkpoints:
            assert lab.trace(run, "loss")[0][-1] == row.epoch
    named = lab._rows("SELECT count(*) FROM weights")[0][0]
    assert len(weights(lab)) == named
    return {run: row.epoch for run, row in rows.items()}


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize(
    "point", [p for p in files.POINTS if p not in {"database.committed", "file.removed"}]
)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_at_any_point_leaves_whole_slices_and_is_told(tmp_path, point, nth, code):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        told = None
        with files.watching(fault(point, nth, OSError(code, os.strerror(code)))):
            try:
                story(lab)
            except StoreError as error:
                told = str(error)
        reached = whole_after_sweep(lab)
        if told is None:
            assert reached == {run_id(0): 20, run_id(1): 30}
        else:
            assert str(lab.folder) in told


def whole_after_sweep(lab):
    lab.close()
    with Lab.open(lab.folder, write=True) as again:
        return whole(again)


def test_a_database_that_is_really_full_says_so_and_keeps_what_was_stored(lab):
    ids = begun(lab)
    lab.store_slice([slice_of(run, 0, 10) for run in ids], RECORD)
    pages = lab._database.execute("PRAGMA page_count").fetchone()[0]
    lab._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        lab.store_slice([slice_of(run, 10, 20_000) for run in ids], RECORD)
    assert whole_after_sweep(lab) == dict.fromkeys(ids, 10)


def test_a_damaged_or_missing_checkpoint_is_found_before_it_is_used(lab):
    ids = begun(lab)
    lab.store_slice([slice_of(run, 0, 10, ends=True) for run in ids], RECORD)
    file = lab.folder / "weights" / "00000001.safetensors"
    content = file.read_bytes()
    assert lab.sound([(ids[0], 10), (ids[0], 99)]) == {(ids[0], 10)}
    for place in range(0, len(content), 97):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert lab.sound([(ids[0], 10)]) == set()
    with pytest.raises(StoreError, match="damaged"):
        lab.load_state(ids[0])
    file.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        lab.load_state(ids[0])


def test_looks_count_extensions_and_one_n_is_spent_once(lab):
    first = lab.add_look("claim", 20, 0.05, {"outcome": "inconclusive", "p": float("nan")})
    assert (first.k, first.verdict["p"]) == (0, "nan")
    again = lab.add_look("claim", 20, 0.05, {"outcome": "supported"})
    assert again == first
    assert lab.add_look("claim", 40, 0.025, {"outcome": "supported"}).k == 1
    assert [look.n for look in lab.looks("claim")] == [20, 40]
    assert lab.looks("other") == []


def test_failures_and_interruptions_are_remembered(lab):
    ids = begun(lab)
    lab.fail([ids[0]], "Traceback ...\nValueError: no")
    lab.interrupt([ids[1]])
    rows = lab.known(ids)
    assert (rows[ids[0]].state, rows[ids[0]].reason) == ("failed", "ValueError: no")
    assert rows[ids[1]].state == "interrupted"
    assert lab.attempts([ids[0]])[0].message.startswith("Traceback")
    assert [row["error"] for row in lab.describe(ids)] == ["Traceback ...\nValueError: no", ""]


def test_studies_may_share_runs(lab):
    ids = asked(lab, 2)
    lab.ask(
        "other", "Another", {}, [NewRun(ids[0], '{"kind":"spec"}', {"init": 0}, "theirs", 5)], "other.toml"
    )
    described = lab.describe([ids[0]])[0]
    assert {(a["study"], a["condition"], a["replicate"]) for a in described["asked"]} == {
        ("study", "only", 0),
        ("other", "theirs", 5),
    }
    assert {study["title"] for study in lab.studies()} == {"A study", "Another"}


def test_a_reader_cannot_write_and_a_second_writer_is_refused(lab):
    asked(lab, 1)
    with Lab.open(lab.folder) as reader, pytest.raises(StoreError, match="reading only"):
        reader.interrupt([run_id(0)])
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        Lab.open(lab.folder, write=True)


def test_runs_nobody_asked_for_are_refused(lab):
    with pytest.raises(StoreError, match="never been asked"):
        lab.begin({"f" * 20: 0}, "kernel")
