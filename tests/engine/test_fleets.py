import dataclasses

import pytest
import studies

from gradlab.engine.fleets import MOST_MEMBERS, crews, until
from gradlab.engine.library import Library
from gradlab.engine.missing import Job
from gradlab.engine.rates import SLICE_SECONDS, Rates
from gradlab.model import MLP
from gradlab.task import Function
from gradlab.task.data import build_data


def plan_of(replicates, epochs, **fields):
    plan = studies.small(replicates=replicates, epochs=epochs, **fields).plan()
    jobs = [
        Job(
            run,
            run.condition,
            plan[run.condition].spec,
            plan[run.condition].parameters,
            0,
            (epochs,),
            plan.record,
            None,
        )
        for run in plan.runs
    ]
    library = Library(lambda spec, seeds: build_data(spec.task, seeds), studies.pick)
    return jobs, Rates(library), library


def test_trivial_runs_go_many_together():
    jobs, rates, library = plan_of(300, 5)
    made = crews(jobs, rates, library, workers=2)
    assert sum(len(crew.jobs) for crew in made) == 600
    assert max(len(crew.jobs) for crew in made) == 100
    assert len({job.run.id for crew in made for job in crew.jobs}) == 600
    assert all(len(crew.jobs) <= MOST_MEMBERS for crew in made)


def test_long_runs_go_alone_and_leave_no_worker_idle():
    fields = {"model": MLP(200, 200), "task": Function("sinc", low=-5, high=5, points=500)}
    jobs, rates, library = plan_of(6, 100_000, **fields)
    assert [len(crew.jobs) for crew in crews(jobs, rates, library, workers=2)] == [1] * 6


def test_members_of_a_fleet_have_one_specification_and_one_data_set_if_they_share_it():
    jobs, rates, library = plan_of(4, 5)
    fleets = [crew.fleet(library) for crew in crews(jobs, rates, library, workers=1)]
    assert len(fleets) == 2
    for fleet in fleets:
        assert len(fleet.data) == 1
        assert {member.data for member in fleet.members} == {0}
        assert fleet.epochs == 5


def test_members_with_data_of_their_own_each_have_theirs():
    fields = {"task": Function("sin", low=0, high=1, points=9, spacing="uniform"), "seeds.data": "varied"}
    study = studies.small(replicates=3, epochs=5, task=fields["task"]).with_settings({"seeds.data": "varied"})
    plan = study.plan()
    jobs = [
        Job(run, run.condition, plan[run.condition].spec, 10, 0, (5,), plan.record, None)
        for run in plan.runs
        if run.condition == "narrow"
    ]
    library = Library(lambda spec, seeds: build_data(spec.task, seeds), studies.pick)
    (crew,) = crews(jobs, Rates(library), library, workers=1)
    fleet = crew.fleet(library)
    assert len(fleet.data) == 3
    assert sorted(member.data for member in fleet.members) == [0, 1, 2]


def test_slices_last_about_as_long_as_they_should_once_measured():
    jobs, rates, library = plan_of(1, 10**6)
    crew = crews(jobs, rates, library, workers=1)[0]
    first = until(crew, rates)
    assert 1 <= first < 10**6
    rates.learn(crew, 1000, 0.5)
    assert until(crew, rates) == pytest.approx(SLICE_SECONDS * 2000, rel=0.01)
    rates.learn(crew, 1000, 5.0)
    assert until(crew, rates) < SLICE_SECONDS * 2000
    near = dataclasses.replace(crew, epoch=10**6 - 3)
    assert until(near, rates) == 10**6
    rates.learn(crew, 1, 1e6)
    assert until(crew, rates) == 1, "at least one epoch"


def test_what_is_learned_of_one_condition_corrects_the_estimate_of_others():
    jobs, rates, library = plan_of(1, 100)
    one, two = crews(jobs, rates, library, workers=1)
    before = rates.seconds(two.jobs[0])
    rates.learn(one, 10, 10 * 7 * rates.seconds(one.jobs[0]))
    assert rates.seconds(two.jobs[0]) == pytest.approx(7 * before)
