"""Large data and little memory: what the coordinator does about both."""

import os

import fake_advance
import numpy as np
import pytest
import studies

from gradlab.engine import coordinator
from gradlab.engine.progress import Progress
from gradlab.errors import EnvironmentProblem, RunsFailed, StoreError
from gradlab.model import MLP
from gradlab.store.lab import Lab
from gradlab.task import Function
from gradlab.task.data import Data


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        yield lab


class Heard(Progress):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def images(spec, seeds):
    """Too large to travel; the labels are the run's own."""
    x = np.random.default_rng(7).random((400, 1, 28, 28), np.float32)
    return Data(x, np.random.default_rng(seeds["labels"]).integers(0, 10, 400), test_x=x)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fleet_that_memory_does_not_hold_is_halved_until_it_does(lab, tmp_path, workers):
    study = studies.small(replicates=9, model=MLP(3))
    heard = Heard()
    outcome = studies.train(study, lab, fake_advance.full_beyond_2, workers=workers, progress=heard)
    assert outcome.failed == {}
    assert any("not enough memory for" in line and "at a time" in line for line in heard.lines)
    assert lab.digest() == studies.digest_of(study, tmp_path / "other")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_memory_does_not_hold_fails_alone_and_says_what_to_lower(lab, workers):
    study = studies.small(batch_size=5)
    with pytest.raises(RunsFailed) as caught:
        studies.train(study, lab, fake_advance.too_large_at_init_1, workers=workers)
    told = str(caught.value)
    cursed = {run.id for run in study.plan().runs if run.seeds["init"] == 1}
    for run, row in lab.known().items():
        assert row.state == ("failed" if run in cursed else "done")
        if run in cursed:
            assert f"{run}: out of memory: mlp-" in told
            assert row.reason.startswith(f"{run}: out of memory: mlp-")
            assert "lower batch_size" in lab.attempts([run])[0].message
    assert "parameters) at batch size 5 does not fit" in told
    assert studies.train(study, lab).computed == 2, "with more memory the same command goes on"


def test_a_run_whose_worker_the_system_kills_is_told_what_to_lower(lab):
    with pytest.raises(
        RunsFailed, match=r"killed as if out of memory: mlp-3 \(10 parameters\) at the full batch"
    ):
        studies.train(studies.small(model=MLP(3)), lab, fake_advance.dies_at_init_1, workers=2)


def test_large_data_are_written_once_for_all_workers_and_runs(lab, tmp_path):
    study = studies.small()
    options = {"advance": fake_advance.learns_from_inputs, "build": images}
    studies.train(study, lab, workers=2, **options)
    assert len(os.listdir(lab.folder / coordinator.SHELF)) == 1
    assert lab.digest() == studies.digest_of(study, tmp_path / "other", **options)
    assert not (tmp_path / "other" / coordinator.SHELF).exists(), "one process needs no shelf"


def test_data_that_are_lost_on_the_way_are_written_anew(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADLAB_TEST_MARKER", str(tmp_path / "marker"))
    monkeypatch.setenv("GRADLAB_TEST_SHELF", str(lab.folder / coordinator.SHELF))
    heard = Heard()
    outcome = studies.train(
        studies.small(), lab, fake_advance.loses_data, workers=2, build=images, progress=heard
    )
    assert not outcome.failed
    assert any("written anew" in line for line in heard.lines)
    options = {"advance": fake_advance.learns_from_inputs, "build": images}
    assert lab.digest() == studies.digest_of(studies.small(), tmp_path / "other", **options)


def noisy(**fields):
    """A task whose labels are drawn."""
    return studies.small(task=Function("sinc", low=-5, high=5, points=20, noise=0.1), **fields)


def test_labels_that_were_drawn_are_kept_once_and_can_be_read(lab):
    study = noisy().with_settings({"seeds.labels": "varied"})
    studies.train(study, lab, build=images)
    assert lab._rows("SELECT count(*) FROM labels") == [(3,)], "two networks learn from the same"
    for run in study.plan().runs:
        assert np.array_equal(lab.labels(run.id), images(None, run.seeds).y)


def test_labels_of_the_task_itself_are_not_kept(lab):
    studies.train(studies.small(), lab, build=images)
    assert lab._rows("SELECT count(*) FROM labels") == [(0,)]


def test_going_on_with_other_labels_is_refused(lab):
    studies.train(noisy(epochs=20), lab, build=images)
    before = lab.digest()

    def others(spec, seeds):
        data = images(spec, seeds)
        data.y[3] = (data.y[3] + 1) % 10
        return data

    with pytest.raises(StoreError, match="not those that this lab holds"):
        studies.train(noisy(epochs=50), lab, build=others)
    assert lab.digest(run.id for run in noisy().plan().runs) == before
    assert {row.state for row in lab.known().values()} <= {"done", "interrupted"}
    assert not studies.train(noisy(epochs=50), lab, build=images).failed


def test_what_cannot_fit_is_refused_before_anything_is_trained(lab):
    study = studies.small(model=MLP(60_000, 60_000), replicates=1)
    with pytest.raises(
        EnvironmentProblem, match=r"needs about .* GB a worker.*lower batch_size or the widths"
    ):
        coordinator.run_plan(study.plan(), lab, workers=2)
    assert {row.state for row in lab.known().values()} == {"planned"}


def test_a_gpu_that_is_not_there_is_told(lab, monkeypatch):
    monkeypatch.setattr(coordinator.devices, "gpus", list)
    with pytest.raises(EnvironmentProblem, match="PyTorch finds no GPU here"):
        studies.train(studies.small(), lab, device="cuda")
    assert lab.ids() == []
