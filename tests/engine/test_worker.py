import os

import fake_advance
import numpy as np
import studies

from gradlab.engine.worker import LIBRARIES, single_threaded, work
from gradlab.task.data import build_data
from gradlab.train.fleet import Fleet, Member


def fleet(epochs=20):
    plan = studies.small(replicates=2, epochs=epochs).plan()
    runs = [run for run in plan.runs if run.condition == "narrow"]
    spec = plan["narrow"].spec
    members = tuple(Member(run.id, dict(run.seeds)) for run in runs)
    return Fleet(spec, epochs, plan.record, "kernel", (build_data(spec.task, runs[0].seeds),), members)


def test_the_real_training_is_what_is_done_by_default():
    states, traces, seconds, _ = work(None, fleet(), None, 20)
    assert [state.epoch for state in states] == [20, 20]
    assert traces[0].series["loss"][0].tolist() == list(range(21))
    assert seconds > 0


def test_one_thread_does_not_outlive_its_block(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with single_threaded():
        assert [os.environ[name] for name in LIBRARIES] == ["1"] * len(LIBRARIES)
        states, *_ = work(fake_advance.advance, fleet(), None, 3)
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "MKL_NUM_THREADS" not in os.environ
    assert np.isfinite(states[0].weights).all()


def test_states_at_stops_are_handed_back_and_change_nothing():
    whole, traces, *_ = work(fake_advance.advance, fleet(), None, 20)
    states, pieces, _, passed = work(fake_advance.advance, fleet(), None, 20, (0, 7, 20))
    assert [[state.epoch for state in stood] for stood in passed] == [[0, 0], [7, 7], [20, 20]]
    for one, other in zip(states, whole, strict=True):
        assert np.array_equal(one.weights, other.weights)
    for one, other in zip(pieces, traces, strict=True):
        assert all(np.array_equal(one.series[q][1], other.series[q][1]) for q in other.series)
