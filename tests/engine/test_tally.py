import studies

from gradlab.engine.missing import Job
from gradlab.engine.tally import Tally


def tally_of(replicates=4):
    plan = studies.small(replicates=replicates, epochs=50).plan()
    jobs = [
        Job(run, run.condition, plan[run.condition].spec, 10, 20, (30, 50), plan.record, None)
        for run in plan.runs
    ]
    return Tally(jobs), [run.id for run in plan.runs]


def test_what_there_is_to_do_is_counted_by_condition():
    tally, _ = tally_of()
    assert tally.runs() == {"narrow": 4, "wide": 4}
    assert tally.epochs_to_train() == {"narrow": 120, "wide": 120}


def test_runs_are_begun_and_end_or_fail():
    tally, ids = tally_of()
    tally.begun.update(ids[:4])
    tally.finished.add(ids[0])
    tally.failed[ids[1]] = "Traceback\nValueError: cursed"
    tally.epochs["narrow"] += 33
    assert tally.unfinished == sorted(ids[2:4])
    assert tally.left() == 6
    snapshot = tally.snapshot(7.0)
    assert (snapshot.ended, snapshot.epochs) == ({"narrow": 2}, {"narrow": 33})
    assert (snapshot.seconds_left, snapshot.failed, snapshot.diverged) == (7.0, 1, 0)


def test_failures_are_told_each_in_a_line_and_only_a_few():
    tally, ids = tally_of()
    for run in ids[:7]:
        tally.failed[run] = "Traceback\nValueError: cursed\n"
    lines = tally.failures(20).splitlines()
    assert lines[0] == "7 of 20 runs failed; the others are stored:"
    assert lines[1] == f"  {ids[0]} (narrow): ValueError: cursed"
    assert lines[6] == "  and 2 more"
