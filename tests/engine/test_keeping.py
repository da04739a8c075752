"""Weights on the way: kept without disturbing anything, and computed again no farther than needed."""

import numpy as np
import pytest
import studies

from gradlab.component import vary
from gradlab.engine import rates
from gradlab.engine.coordinator import run_plan
from gradlab.engine.fleets import Crew, stops
from gradlab.engine.missing import Job
from gradlab.engine.subjects import wanted
from gradlab.model import MLP, After
from gradlab.store.lab import Lab
from gradlab.study.instruments import Hessian
from gradlab.study.recipe import Cosine, LossBelow


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        yield lab


def weights(lab, study, epoch):
    return [lab.weights_at(run.id, epoch).weights for run in study.plan().runs]


@pytest.mark.parametrize("seconds", [2e-7, 2.0])
def test_weights_on_the_way_are_those_of_runs_that_end_there_and_disturb_nothing(
    lab, tmp_path, monkeypatch, seconds
):
    for name in ("FIRST_SLICE_SECONDS", "SLICE_SECONDS", "LONG_SLICE_SECONDS"):
        monkeypatch.setattr(rates, name, seconds)
    study = studies.measured(at=(0, 5, 6))
    studies.train(study, lab)
    assert lab.digest() == studies.digest_of(studies.small(replicates=2, epochs=12), tmp_path / "without")
    assert {row.snapshots for row in lab.known().values()} == {frozenset({0, 4, 5, 6, 8})}
    with Lab.open(tmp_path / "short", write=True) as other:
        short = studies.small(replicates=2, epochs=5)
        studies.train(short, other)
        for one, two in zip(weights(lab, study, 5), weights(other, short, 5), strict=True):
            assert np.array_equal(one, two)


def test_a_lab_that_did_not_keep_them_trains_no_farther_than_the_last_of_them(lab):
    studies.train(studies.small(replicates=2, epochs=12), lab)
    before, files = lab.digest(), lab.known()
    study = studies.measured(at=(0, 5))  # the sets take epochs 0, 4 and 8
    assert studies.train(study, lab).network_epochs == 4 * 8
    assert lab.digest() == before
    for run, row in lab.known().items():
        assert (row.state, row.epoch, row.reason) == ("done", 12, "epochs")
        assert row.checkpoints == files[run].checkpoints
        assert row.snapshots == {0, 4, 5, 8}
    assert studies.train(study, lab).computed == 0


def test_the_first_weights_alone_take_no_training(lab):
    small = studies.small(replicates=2, epochs=12)
    studies.train(small, lab)
    assert studies.train(small.with_settings({"measure": {"hessian": {"at": 0}}}), lab).network_epochs == 0
    assert all(row.snapshots == {0} and row.state == "done" for row in lab.known().values())


def test_studies_that_keep_other_weights_of_one_run_share_it(lab):
    small = studies.small(replicates=2, epochs=12)
    for at in (7, [2, 7], 9):
        studies.train(small.with_settings({"measure": {"hessian": {"at": at}}}), lab)
    assert all(row.snapshots == {2, 7, 9} for row in lab.known().values())
    studies.train(small, lab)
    assert all(row.snapshots == {2, 7, 9} for row in lab.known().values())


def test_a_longer_run_keeps_what_lies_before_and_behind_its_earlier_end(lab):
    studies.train(studies.small(replicates=2, epochs=6), lab)
    study = studies.measured(at=(6, 9))
    studies.train(study, lab)
    for row in lab.known().values():
        assert row.snapshots == {0, 4, 8, 9}
        assert set(row.endings) == {6, 12}
    assert [lab.weights_at(run, 6).epoch for run in lab.ids()] == [6] * 4


def test_damaged_weights_are_computed_again_where_they_will_be_looked_at(lab):
    study = studies.measured(at=(5,))
    studies.train(study, lab)
    before, looked_at = lab.digest(), wanted(study.plan(), lab)
    for file in (lab.folder / "weights").iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    assert studies.train(study, lab).computed == 0
    assert studies.train(study, lab, wanted=looked_at).computed == 4
    assert lab.digest() == before
    assert len(lab.weights_of(sorted(looked_at))) == len(looked_at)


def test_a_retraced_parent_leaves_its_child_alone(lab):
    initial = vary(fresh=studies.small().initial, warm=After({"initial": "fresh"}))
    study = studies.small(model=MLP(3), initial=initial, replicates=1, epochs=12)
    studies.train(study, lab)
    before = lab.digest()
    again = study.with_settings({"measure": {"hessian": {"at": 3}}})
    assert studies.train(again, lab).network_epochs == 2 * 3
    assert lab.digest() == before


@pytest.mark.parametrize("backend", ["kernel", "loop"])
def test_a_schedule_that_depends_on_the_horizon_is_not_disturbed_by_training_again(lab, tmp_path, backend):
    study = studies.small(
        model=MLP(3), replicates=1, epochs=9, schedule=Cosine(), batch_size=6, measure=[Hessian(at=(0, 3, 7))]
    )
    options = {"workers": 1, "backend": lambda _: backend}
    run_plan(study.with_settings({"measure": {}}).plan(), lab, **options)
    before = lab.digest()
    assert run_plan(study.plan(), lab, **options).network_epochs == 7
    assert lab.digest() == before
    with Lab.open(tmp_path / "at-once", write=True) as other:
        run_plan(study.plan(), other, **options)
        assert other.digest() == before
        for epoch in (0, 3, 7, 9):
            for one, two in zip(weights(lab, study, epoch), weights(other, study, epoch), strict=True):
                assert np.array_equal(one, two)


def test_a_run_that_stops_early_keeps_what_it_came_by_and_its_last_weights_stand_in(lab):
    study = studies.small(
        model=MLP(3), replicates=1, epochs=9, stop=LossBelow(1e3), measure=[Hessian(at=(0, 5))]
    )
    run_plan(study.plan(), lab, workers=1, backend=lambda _: "kernel")
    (run,) = lab.ids()
    row = lab.known([run])[run]
    end = row.at(9).epoch
    assert end < 5
    assert row.snapshots <= {0}
    assert (lab.weights_at(run, 0).epoch, lab.weights_at(run, 5).epoch) == (0, end)
    assert run_plan(study.plan(), lab, workers=1, backend=lambda _: "kernel").computed == 0


def test_only_the_first_slice_keeps_what_it_starts_from():
    plan = studies.small(replicates=1, epochs=20).plan()
    run = plan.runs[0]
    job = Job(
        run, run.condition, plan[run.condition].spec, 10, 4, (20,), plan.record, None, (4, 9, 12), False
    )
    crew = Crew((job,), "kernel", None, 4, (20,), {})
    assert stops(crew, 9) == (4, 9)
    assert stops(Crew((job,), "kernel", None, 9, (20,), {}), 20) == (12,)
