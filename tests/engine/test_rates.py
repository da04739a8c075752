import pytest
import studies

from gradlab.engine.fleets import crews
from gradlab.engine.library import Library, built
from gradlab.engine.missing import Job
from gradlab.engine.rates import FIRST_SLICE_SECONDS, LONG_SLICE_SECONDS, SLICE_SECONDS, Rates


@pytest.fixture
def crew():
    plan = studies.small(replicates=2, epochs=10**6).plan()
    jobs = [
        Job(run, run.condition, plan[run.condition].spec, 10, 0, (10**6,), plan.record, None)
        for run in plan.runs
        if run.condition == "narrow"
    ]
    library = Library(built, studies.pick)
    rates = Rates(library)
    return crews(jobs, rates, library, workers=1)[0], rates


def test_slices_are_short_before_anything_is_known_and_then_as_long_as_they_should(crew):
    crew, rates = crew
    assert rates.slice_seconds(crew) == FIRST_SLICE_SECONDS
    rates.learn(crew, 100, 0.5, storing=0.001)
    assert rates.slice_seconds(crew) == SLICE_SECONDS


def test_large_checkpoints_are_written_less_often(crew):
    crew, rates = crew
    rates.learn(crew, 100, 0.5, storing=0.1)
    assert rates.slice_seconds(crew) == pytest.approx(5.0)
    for _ in range(9):
        rates.learn(crew, 100, 0.5, storing=1.0)
    assert rates.slice_seconds(crew) == LONG_SLICE_SECONDS


def test_the_time_left_follows_what_was_measured(crew):
    crew, rates = crew
    job = crew.jobs[0]
    rates.learn(crew, 10, 10 * len(crew.jobs))
    assert rates.left(job, 10**6 - 60) == pytest.approx(60)
