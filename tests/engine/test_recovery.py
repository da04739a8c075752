import errno
import pickle

import pytest
import studies

from gradlab.engine.fleets import Crew
from gradlab.engine.missing import Job
from gradlab.engine.recovery import DEATHS, Recovery, short_of_memory
from gradlab.engine.shelf import Lost


def crew_of(replicates, **fields):
    plan = studies.small(replicates=replicates).plan()
    jobs = tuple(
        Job(run, run.condition, plan[run.condition].spec, 10, 0, (50,), plan.record, None)
        for run in plan.runs
        if run.condition == "narrow"
    )
    return Crew(jobs, "kernel", None, 0, (50,), {}, **fields)


@pytest.fixture
def said():
    return []


@pytest.fixture
def recovery(said):
    return Recovery(said.append)


def ids(crews):
    return sorted(run for crew in crews for run in crew.ids)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 3 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_memory_that_is_short_is_known_by_any_library_s_words(error):
    assert short_of_memory(error)
    assert short_of_memory(pickle.loads(pickle.dumps(error)))


@pytest.mark.parametrize(
    "error", [RuntimeError("shape mismatch"), OSError("gone"), ValueError("out of memory")]
)
def test_other_errors_are_not(error):
    assert not short_of_memory(error)


def test_a_fleet_is_halved_and_others_of_its_kind_with_it(recovery, said):
    crew = crew_of(9)
    remedy = recovery.raised(crew, MemoryError())
    assert [len(part.jobs) for part in remedy.again] == [5, 4]
    assert ids(remedy.again) == ids([crew])
    assert said == ["not enough memory for 9 runs of 'narrow' at once; tried again 5 at a time"]
    assert max(len(part.jobs) for part in recovery.narrowed(crew)) == 5
    remedy = recovery.raised(remedy.again[0], MemoryError())
    assert [len(part.jobs) for part in remedy.again] == [3, 2]
    assert max(len(part.jobs) for part in recovery.narrowed(crew)) == 3
    assert recovery.narrowed(crew_of(2)) == [crew_of(2)]


def test_one_run_is_tried_with_nothing_beside_it_before_it_fails(recovery):
    crew = crew_of(1)
    (again,) = recovery.raised(crew, MemoryError()).again
    assert again.careful
    remedy = recovery.raised(again, MemoryError("of 4 GB"))
    assert not remedy.again
    (message,) = remedy.failed.values()
    last = message.splitlines()[-1]
    assert last.startswith(
        f"{crew.ids[0]}: out of memory: mlp-3 (10 parameters) at the full batch does not fit"
    )
    assert "lower batch_size or the widths of the network" in last
    assert "of 4 GB" in message


def test_lost_data_are_mended_but_not_for_ever(recovery):
    crew = crew_of(2)
    for _ in range(2):
        remedy = recovery.raised(crew, Lost("x.npy"))
        assert remedy.mend
        assert list(remedy.again) == [crew]
    assert set(recovery.raised(crew, Lost("x.npy")).failed) == set(crew.ids)


def test_any_other_error_is_looked_for_one_run_at_a_time(recovery):
    crew = crew_of(3)
    remedy = recovery.raised(crew, ValueError("cursed"))
    assert [len(part.jobs) for part in remedy.again] == [1, 1, 1]
    remedy = recovery.raised(remedy.again[0], ValueError("cursed"))
    assert remedy.failed[crew.ids[0]].endswith("ValueError: cursed")


@pytest.mark.parametrize("killed", [True, False])
def test_a_run_fails_when_its_worker_has_died_alone_often_enough(recovery, killed):
    remedy = recovery.died([crew_of(2), crew_of(1)], killed=killed)
    assert [(len(crew.jobs), crew.careful) for crew in remedy.again] == [(1, True)] * 3
    (alone,) = recovery.died([crew_of(1)], killed=killed).again
    for _ in range(DEATHS - 1):
        assert recovery.died([alone], killed=killed).again
    (message,) = recovery.died([alone], killed=killed).failed.values()
    assert message.startswith(f"its worker process died {DEATHS} times while it was computed alone")
    assert ("killed as if out of memory" in message) is killed
