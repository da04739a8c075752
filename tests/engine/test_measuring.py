"""The measuring phase: everything once, nothing lost, whatever goes wrong with some of it."""

import fake_reading
import pytest
import studies

from gradlab.engine.progress import Progress
from gradlab.errors import Interrupted, RunsFailed
from gradlab.store.lab import Lab
from gradlab.study.instruments import Hessian


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        yield lab


@pytest.fixture
def trained(lab):
    """A study whose six runs are trained, measured at their ends; some have a negative second weight."""
    study = studies.small(measure=[Hessian()])
    studies.train(study, lab)
    return study


def found(lab, study, kind="hessian"):
    plan = study.plan()
    keys = [subject.key for subject in plan.subjects[kind]]
    stored = lab.measured(plan.study.measure[kind].digest, keys)
    return [stored[key] for key in keys if key in stored]


def outcomes(lab, study):
    return [one.outcome for one in found(lab, study)]


def expected(lab, study, other):
    """What becomes of networks whose second weight is negative."""
    plan = study.plan()
    second = [lab.weights_at(s.members[0].run, 50).weights[1] for s in plan.subjects["hessian"]]
    assert 0 < sum(value < 0 for value in second) < len(second)
    return [other if value < 0 else "measured" for value in second]


def test_everything_is_measured_once_with_the_weights_of_its_epochs(lab):
    study = studies.measured(at=(0, 5))
    studies.train(study, lab)
    done = studies.measure(study, lab)
    assert (done.subjects, done.measured, done.reused) == (4 * 3 + 2, 14, 0)
    plan = study.plan()
    for subject, one in zip(plan.subjects["hessian"], found(lab, study), strict=True):
        (member,) = subject.members
        assert (one.values["weights"].value == lab.weights_at(member.run, *member.epochs).weights).all()
    assert (
        len(found(lab, study, "trajectory")[0].values["weights"].value) == 2 * 4 * 5
    )  # runs, epochs, weights
    before = lab.digest()
    again = studies.measure(study, lab)
    assert (again.measured, again.reused) == (0, 14)
    assert lab.digest() == before


def test_a_study_without_instruments_measures_nothing(lab):
    studies.train(studies.small(), lab)
    assert studies.measure(studies.small(), lab).subjects == 0


def test_what_another_study_measured_is_there_and_another_epoch_measures_only_itself(lab, trained):
    studies.measure(trained, lab)
    more = studies.small(measure=[Hessian(at=(10, 50))], replicates=4, title="Another")
    studies.train(more, lab)
    assert (studies.measure(more, lab).measured, studies.measure(more, lab).measured) == (2 * 4 + 2, 0)
    other = studies.small(measure=[Hessian(part="1.weight")])
    assert studies.measure(other, lab).measured == 6


class Told(Progress):
    def __init__(self):
        self.lines, self.steps = [], []

    def say(self, line):
        self.lines.append(line)

    def measuring(self, kind, done, subjects, seconds_left):
        self.steps.append((kind, done, subjects))


def test_a_refusal_is_stored_shown_and_final_and_costs_the_others_nothing(lab, trained):
    told = Told()
    done = studies.measure(trained, lab, fake_reading.refusing, progress=told)
    wanted = expected(lab, trained, "refused")
    assert outcomes(lab, trained) == wanted
    assert done.refused == wanted.count("refused")
    assert told.lines == [f"hessian refused {done.refused} of 6: the second weight is negative"]
    assert told.steps[-1] == ("hessian", 6, 6)
    assert studies.measure(trained, lab, fake_reading.weights).reused == 6


def test_an_error_fails_its_own_subject_and_is_tried_again(lab, trained):
    with pytest.raises(RunsFailed, match=r"ZeroDivisionError: the second weight is negative") as raised:
        studies.measure(trained, lab, fake_reading.failing)
    wanted = expected(lab, trained, "failed")
    assert raised.value.exit_code == 3
    assert f"{wanted.count('failed')} of 6 measurements failed" in str(raised.value)
    assert outcomes(lab, trained) == wanted
    assert "Traceback" in next(one.failure for one in found(lab, trained) if one.failure)
    assert studies.measure(trained, lab).measured == wanted.count("failed")
    assert outcomes(lab, trained) == ["measured"] * 6


def test_a_signal_stops_after_what_is_under_way_and_the_rest_is_measured_later(lab, trained):
    with pytest.raises(Interrupted, match="3 of 6 measurements are stored; the other 3"):
        studies.measure(trained, lab, fake_reading.Interrupting(1), progress=Progress())
    assert studies.measure(trained, lab).measured == 3


def test_a_worker_that_dies_costs_nothing(lab, trained, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADLAB_TEST_MARK", str(tmp_path / "dead"))
    told = Told()
    done = studies.measure(trained, lab, fake_reading.dying_once, workers=2, progress=told)
    assert (done.measured, done.workers) == (6, 2)
    assert any("one subject at a time" in line for line in told.lines)
    with Lab.open(tmp_path / "other", write=True) as other:
        studies.train(trained, other)
        studies.measure(trained, other)
        assert other.digest() == lab.digest()


def test_a_subject_that_always_kills_its_worker_fails_and_the_others_are_measured(lab, trained):
    wanted = expected(lab, trained, "failed")
    with pytest.raises(RunsFailed, match="died 3 times"):
        studies.measure(trained, lab, fake_reading.dying, workers=2)
    assert outcomes(lab, trained) == wanted


def test_weights_that_are_not_there_fail_their_subject_alone(lab, trained):
    plan = trained.plan()
    lost = plan.subjects["hessian"][0].members[0].run
    lab._database.execute("DELETE FROM checkpoint WHERE run = (SELECT number FROM run WHERE id = ?)", (lost,))
    with pytest.raises(RunsFailed, match="1 of 6 measurements failed"):
        studies.measure(trained, lab)
    assert sorted(outcomes(lab, trained)) == ["failed"] + ["measured"] * 5


def test_later_epochs_of_a_run_that_ended_are_marked(lab):
    study = studies.small(measure=[Hessian(at=(0, 40))])
    studies.train(study, lab)
    lab._database.execute("UPDATE ending SET epoch = 30, reason = 'stopped'")
    lab._database.execute("UPDATE checkpoint SET epoch = 30")
    lab._database.execute("DELETE FROM snapshot WHERE epoch = 40")
    studies.measure(study, lab)
    marked = [one.warnings for one in found(lab, study)]
    assert marked == [(), ("a run had ended at epoch 30: its last weights stand in for later ones",)] * 6
