import numpy as np
import studies

from gradlab.engine.fleets import Crew
from gradlab.engine.missing import Job
from gradlab.engine.slices import entries
from gradlab.study.record import Every, Record
from gradlab.train.fleet import Trace
from gradlab.train.state import State


def entry(state, series, horizon=25):
    plan = studies.small(replicates=1, epochs=horizon).plan()
    run = plan.runs[0]
    record = Record(("loss", "predictions"), Every(epochs=10), (0.5,), (25,))
    job = Job(run, run.condition, plan[run.condition].spec, 10, 0, (horizon,), record, None)
    crew = Crew((job,), "kernel", None, 0, (horizon,), {})
    return entries(crew, (state,), (Trace(series),))[0]


def state(epoch, **fields):
    return State(epoch, epoch, np.zeros(3), {}, **fields)


def test_points_off_the_schedule_stand_beside_it():
    epochs = np.array([0, 10, 20, 25])
    found = entry(
        state(25, status="done", status_epoch=25),
        {
            "loss": (epochs, epochs * 1.0),
            "predictions": (np.array([1, 10, 25]), np.arange(6.0).reshape(3, 2)),
            "flag_dead": (np.array([25]), np.array([0.0])),
            "updates": (np.array([25]), np.array([250.0])),
            "empty": (np.zeros(0, np.int64), np.zeros(0)),
        },
    )
    assert found.trace["loss"][0].tolist() == [0, 10, 20]
    assert found.beside["loss"][1].tolist() == [25.0]
    assert set(found.trace) == {"loss"}
    assert found.beside["predictions"][0].tolist() == [1, 10, 25]
    assert set(found.beside) == {"loss", "predictions", "flag_dead", "updates"}
    assert (found.ending, found.epoch, found.updates, found.thresholds) == ("epochs", 25, 250, (0.5,))


def test_ends_are_where_the_run_says():
    assert entry(state(20), {}).ending is None
    assert entry(state(20), {}, horizon=20).ending == "epochs"
    stopped = entry(state(13, status="stopped", status_epoch=13), {})
    assert (stopped.ending, stopped.epoch) == ("stopped", 13)
    diverged = entry(state(20, status="diverged", status_epoch=17), {})
    assert (diverged.ending, diverged.epoch) == ("diverged", 17)
