import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fake_advance
import numpy as np
import pytest
import studies

from gradlab.component import vary
from gradlab.engine import rates
from gradlab.engine.coordinator import run_plan
from gradlab.engine.progress import Progress
from gradlab.errors import EnvironmentProblem, Interrupted, RunsFailed, StoreError
from gradlab.model import MLP, After
from gradlab.store import files
from gradlab.store.lab import Lab
from gradlab.study.recipe import Cosine, LossBelow
from gradlab.study.record import Every
from gradlab.task import Function


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        yield lab


def ids_at(study, init):
    return {run.id for run in study.plan().runs if run.seeds["init"] == init}


def test_what_is_stored_is_not_computed_again(lab):
    first = studies.train(studies.small(), lab)
    assert (first.runs, first.computed, first.reused, first.network_epochs) == (6, 6, 0, 300)
    before = lab.digest()
    again = studies.train(studies.small(), lab)
    assert (again.computed, again.reused, again.network_epochs) == (0, 6, 0)
    assert lab.digest() == before


def test_more_replicates_and_more_epochs_extend(lab, tmp_path):
    studies.train(studies.small(replicates=2, epochs=50), lab)
    more = studies.train(studies.small(replicates=4, epochs=50), lab)
    assert (more.computed, more.network_epochs) == (4, 200)
    longer = studies.train(studies.small(replicates=4, epochs=120), lab)
    assert (longer.computed, longer.network_epochs) == (8, 8 * 70)
    assert lab.digest() == studies.digest_of(studies.small(replicates=4, epochs=120), tmp_path / "at-once")
    assert studies.train(studies.small(replicates=2, epochs=50), lab).computed == 0


def test_a_shorter_horizon_after_a_longer_one_is_measured_and_keeps_the_longer(lab):
    long, short = studies.small(epochs=120), studies.small(epochs=50)
    studies.train(long, lab)
    before = lab.digest()
    assert studies.train(short, lab).network_epochs == 6 * 50
    assert lab.digest() == before
    run = long.plan().runs[0].id
    row = lab.known([run])[run]
    assert set(row.endings) == set(row.checkpoints) == {50, 120}
    assert lab.trace(run, "flag_dead")[0].tolist() == [50, 120]
    assert studies.train(long, lab).computed == 0
    assert studies.train(studies.small(epochs=130), lab).network_epochs == 6 * 10


def test_a_new_quantity_is_computed_from_the_start_and_nothing_recorded_is_lost(lab):
    studies.train(studies.small(record=["loss"]), lab)
    more = studies.small(record=["loss", "weight_norm"])
    assert studies.train(more, lab).network_epochs == 300
    run = more.plan().runs[0].id
    assert np.array_equal(lab.trace(run, "weight_norm")[0], lab.trace(run, "loss")[0])
    assert studies.train(studies.small(record=["gradient_norm"]), lab).computed == 6
    for again in (["loss"], ["loss", "weight_norm"], ["gradient_norm"]):
        assert studies.train(studies.small(record=again), lab).computed == 0


def test_a_sparser_schedule_is_covered_by_a_denser_one_and_not_the_other_way(lab):
    studies.train(studies.small(record_at=Every(epochs=10)), lab)
    assert studies.train(studies.small(record_at=Every(epochs=20)), lab).computed == 0
    assert studies.train(studies.small(record_at=Every(epochs=5)), lab).computed == 6
    assert studies.train(studies.small(record_at=Every(epochs=10)), lab).computed == 0


def test_a_new_threshold_is_computed_from_the_start(lab):
    studies.train(studies.small(record=["epochs_to(loss, 0.1)"]), lab)
    both = studies.small(record=["epochs_to(loss, 0.1)", "epochs_to(loss, 0.2)"])
    assert studies.train(both, lab).computed == 6
    run = both.plan().runs[0].id
    assert set(lab.passages([run])[run]) == {0.1, 0.2}


def test_where_the_horizon_is_part_of_a_run_nothing_is_shared(lab):
    studies.train(studies.small(schedule=Cosine()), lab)
    assert studies.train(studies.small(schedule=Cosine(), epochs=60), lab).network_epochs == 6 * 60


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_do_not_change_the_digest(lab, workers, tmp_path):
    studies.train(studies.small(), lab, workers=workers)
    assert lab.digest() == studies.digest_of(studies.small(), tmp_path / "other", workers=1)


def test_any_executor_will_do(lab, tmp_path):
    with ThreadPoolExecutor(3) as executor:
        studies.train(studies.small(), lab, executor=executor, workers=3)
        assert executor.submit(int, "7").result() == 7, "it was shut down"
    assert lab.digest() == studies.digest_of(studies.small(), tmp_path / "other")


def chained(**fields):
    model = MLP(3)
    initial = vary(fresh=studies.small().initial, warm=After({"initial": "fresh"}, **fields))
    return studies.small(model=model, initial=initial)


def test_a_run_that_starts_from_another_waits_for_it(lab):
    study = chained()
    studies.train(study, lab)
    plan = study.plan()
    for run in plan.runs:
        state = lab.load_state(run.id)
        assert state.epoch == 50
        if run.start_from:
            parent = lab.load_state(run.start_from)
            assert lab.trace(run.id, "loss")[1][0] == float(np.mean(parent.weights**2))
            assert state.updates == 100
            assert state.slots["exp_avg"][0] == 100


def test_a_warm_start_may_leave_the_optimizer_behind(lab):
    study = chained(optimizer_state=False)
    studies.train(study, lab)
    child = next(run for run in study.plan().runs if run.start_from)
    assert lab.load_state(child.id).updates == 50
    assert lab.load_state(child.id).slots["exp_avg"][0] == 50


def test_children_go_on_without_their_parents_and_parents_whose_state_is_gone_come_again(lab):
    study = chained()
    studies.train(study, lab)
    before = lab.digest()
    parents = [run.start_from for run in study.plan().runs if run.start_from]
    children = [run.id for run in study.plan().runs if run.start_from]
    for file in (lab.folder / "weights").iterdir():
        file.write_bytes(b"damaged")
    lab._database.execute(
        "DELETE FROM ending WHERE run IN (SELECT number FROM run WHERE start_from IS NOT NULL)"
    )
    assert studies.train(study, lab).computed == len(parents) + len(children)
    assert lab.digest() == before


def test_when_a_parent_fails_its_children_do_and_others_go_on(lab):
    study = chained()
    with pytest.raises(RunsFailed, match="init seed 1 is cursed") as caught:
        studies.train(study, lab, fake_advance.raises_at_init_1)
    assert "2 of 6 runs failed" in str(caught.value)
    rows = lab.known()
    assert sorted(row.state for row in rows.values()) == ["done"] * 4 + ["failed"] * 2
    assert sum("from which it starts" in row.reason for row in rows.values()) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_fails_its_run_alone_and_its_text_is_stored(lab, workers):
    study = studies.small()
    with pytest.raises(RunsFailed) as caught:
        studies.train(study, lab, fake_advance.raises_at_init_1, workers=workers)
    assert caught.value.exit_code == 3
    assert "2 of 6 runs failed" in str(caught.value)
    cursed = ids_at(study, 1)
    for run, row in lab.known().items():
        assert row.state == ("failed" if run in cursed else "done")
    message = lab.attempts(cursed)[0].message
    assert "raise ValueError" in message
    again = studies.train(study, lab)
    assert again.computed == 2


def test_a_run_that_kills_its_workers_fails_alone(lab, tmp_path):
    study = studies.small()
    with pytest.raises(RunsFailed, match="died 3 times"):
        studies.train(study, lab, fake_advance.dies_at_init_1, workers=2)
    cursed = ids_at(study, 1)
    for run, row in lab.known().items():
        assert row.state == ("failed" if run in cursed else "done")
    studies.train(study, lab)
    assert lab.digest() == studies.digest_of(study, tmp_path / "other")


def test_a_worker_that_dies_once_costs_nothing(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADLAB_TEST_MARKER", str(tmp_path / "marker"))
    outcome = studies.train(studies.small(), lab, fake_advance.dies_once, workers=2)
    assert (tmp_path / "marker").exists()
    assert not outcome.failed
    assert lab.digest() == studies.digest_of(studies.small(), tmp_path / "other")


def test_a_given_executor_that_breaks_is_told_and_what_was_stored_stays(lab):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor,
        pytest.raises(EnvironmentProblem, match="make a new one"),
    ):
        studies.train(studies.small(), lab, fake_advance.dies_at_init_1, executor=executor, workers=1)
    assert {row.state for row in lab.known().values()} <= {"planned", "interrupted", "done"}


def test_divergence_is_a_result_with_its_epoch(lab):
    study = studies.small()
    outcome = studies.train(study, lab, fake_advance.diverges_at_init_1)
    assert (outcome.diverged, outcome.failed) == (2, {})
    for run in ids_at(study, 1):
        row = lab.known([run])[run]
        assert (row.state, row.epoch, row.at(50).reason, row.at(50).epoch) == ("diverged", 7, "diverged", 7)
        assert np.isnan(lab.trace(run, "loss")[1][-1])
    assert studies.train(study, lab, fake_advance.diverges_at_init_1).computed == 0
    assert studies.train(studies.small(epochs=60), lab, fake_advance.diverges_at_init_1).computed == 4


def test_a_poisoned_member_changes_no_other(lab, tmp_path):
    study = studies.small()
    studies.train(study, lab, fake_advance.diverges_at_init_1)
    healthy = [run.id for run in study.plan().runs if run.seeds["init"] != 1]
    with Lab.open(tmp_path / "other", write=True) as other:
        studies.train(study, other)
        assert other.digest(healthy) == lab.digest(healthy)


def test_a_full_disk_stops_loudly_and_soon(lab):
    seen = []

    def full(point):
        seen.append(point)
        if seen.count("file.sync") > 1:
            raise OSError(28, "No space left on device")

    begun = time.monotonic()
    with files.watching(full), pytest.raises(StoreError, match="full"):
        studies.train(studies.small(), lab)
    assert time.monotonic() - begun < 30
    assert lab.digest()
    outcome = studies.train(studies.small(), lab)
    assert not outcome.failed


SIGNALLED = """
import signal, sys
import fake_advance, studies
from gradlab.engine import rates
from gradlab.engine.progress import Plain
from gradlab.errors import Interrupted
from gradlab.store.lab import Lab
rates.FIRST_SLICE_SECONDS = rates.SLICE_SECONDS = rates.LONG_SLICE_SECONDS = 1e-9
advance = getattr(fake_advance, sys.argv[2])
class Loud(Plain):
    def start(self, *_):
        print("started", flush=True)
try:
    with Lab.open(sys.argv[1], write=True) as lab:
        studies.train(studies.small(), lab, advance, workers=int(sys.argv[3]), progress=Loud(sys.stderr))
except Interrupted as error:
    print(error)
    sys.exit(error.exit_code)
"""


def signalled(folder, advance, workers):
    environment = os.environ | {"PYTHONPATH": str(Path(fake_advance.__file__).parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", SIGNALLED, str(folder), advance, str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "started\n"
    return process


def wait_for(folder, epochs):
    """Wait until some run has been stored at some epoch."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with Lab.open(folder) as reader:
            if any(row.epoch >= epochs for row in reader.known().values()):
                return
        time.sleep(0.1)
    raise AssertionError("nothing was stored")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stores_what_is_under_way_and_the_same_command_goes_on(tmp_path, number, workers):
    process = signalled(tmp_path / "lab", "slow", workers)
    wait_for(tmp_path / "lab", 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert f"stopped by {number.name}" in out
    with Lab.open(tmp_path / "lab", write=True) as lab:
        states = {row.state for row in lab.known().values()}
        assert "running" not in states
        assert "interrupted" in states
        studies.train(studies.small(), lab)
        assert lab.digest() == studies.digest_of(studies.small(), tmp_path / "other")


def test_a_second_signal_stops_at_once(tmp_path):
    process = signalled(tmp_path / "lab", "endless", 2)
    wait_for(tmp_path / "lab", 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert time.monotonic() - begun < 10
    with Lab.open(tmp_path / "lab", write=True) as lab:
        studies.train(studies.small(), lab)
        assert lab.digest() == studies.digest_of(studies.small(), tmp_path / "other")


def test_workers_end_when_their_coordinator_is_killed(tmp_path):
    process = signalled(tmp_path / "lab", "slow", 2)
    wait_for(tmp_path / "lab", 1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while any(alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(child) for child in children)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_progress_is_told_from_beginning_to_end(lab):
    class Heard(Progress):
        def __init__(self):
            self.heard = []

        def start(self, runs, stored, conditions, epochs):
            self.heard.append((runs, stored, conditions, epochs))

        def update(self, snapshot):
            self.heard.append(snapshot)

        def finish(self):
            self.heard.append("finish")

    heard = Heard()
    studies.train(studies.small(), lab, progress=heard)
    assert heard.heard[0] == (6, 0, {"narrow": 3, "wide": 3}, {"narrow": 150, "wide": 150})
    assert heard.heard[-1] == "finish"
    assert sum(heard.heard[1].epochs.values()) > 0


def test_the_study_and_its_surroundings_are_remembered(lab):
    study = studies.small().from_source("reports/000/none")
    studies.train(study, lab)
    (stored,) = lab.studies()
    assert stored["title"] == "A small study"
    assert stored["source"] == "reports/000/none"
    assert stored["declaration"]["replicates"] == 3
    (asked, *_) = lab.describe()
    assert asked["spec"]["optimizer"] == {"kind": "adam", "lr": 0.001}
    assert lab.attempts(lab.ids())[0].environment["packages"]["numpy"] == np.__version__


def test_signals_are_left_as_they_were(lab):
    before = signal.getsignal(signal.SIGINT)
    studies.train(studies.small(), lab)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(Interrupted):
        raise Interrupted


REAL = {
    "full batch": {},
    "minibatches": {"batch_size": 6},
    "stopped by a rule": {"stop": LossBelow(value=0.06)},
    "test-best weights": {"keep": "test-best", "task": Function("sin", low=0, high=3, points=12, heldout=5)},
    "optimizer made anew": {"reset_optimizer": "epoch", "batch_size": 5},
    "cosine": {"schedule": Cosine()},
}


@pytest.mark.parametrize("case", REAL)
def test_real_training_gives_the_same_digest_in_one_slice_in_many_and_extended(tmp_path, monkeypatch, case):
    fields = {
        "task": Function("sin", low=0, high=3, points=12),
        "record": ["loss", "gradient_norm", "predictions"],
    }
    study = studies.small(replicates=2, epochs=24, model=MLP(3), **(fields | REAL[case]))
    with Lab.open(tmp_path / "whole", write=True) as lab:
        run_plan(study.plan(), lab, workers=1)
        expected = lab.digest()
    for name in ("FIRST_SLICE_SECONDS", "SLICE_SECONDS", "LONG_SLICE_SECONDS"):
        monkeypatch.setattr(rates, name, 1e-9)
    with Lab.open(tmp_path / "sliced", write=True) as lab:
        run_plan(study.plan(), lab, workers=1)
        assert lab.digest() == expected
    with Lab.open(tmp_path / "extended", write=True) as lab:
        run_plan(study.with_settings({"epochs": 11}).plan(), lab, workers=1)
        run_plan(study.plan(), lab, workers=1)
        assert lab.digest([run.id for run in study.plan().runs]) == expected
