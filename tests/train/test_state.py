"""States between epochs."""

from __future__ import annotations

import numpy as np

from gradlab.train.state import State


def state() -> State:
    return State(
        epoch=3,
        updates=6,
        weights=np.arange(4.0),
        slots={"exp_avg": np.ones(4)},
        buffers={"mean": np.zeros(2)},
        passages={0.1: 2},
    )


def test_a_copy_shares_no_array() -> None:
    one = state()
    two = one.copy()
    two.weights[:] = two.slots["exp_avg"][:] = 9
    two.buffers["mean"][:] = 9
    two.passages[0.5] = 1
    assert one.weights.tolist() == [0, 1, 2, 3]
    assert one.slots["exp_avg"].tolist() == [1] * 4
    assert one.buffers["mean"].tolist() == [0, 0]
    assert one.passages == {0.1: 2}


def test_the_best_is_the_first_lowest_score_and_keeps_its_buffers() -> None:
    own = state()
    for epoch, score in ((1, 0.5), (2, float("nan")), (3, 0.2), (4, 0.2), (5, 0.9)):
        own.epoch = epoch
        own.weights = np.full(4, float(epoch))
        own.buffers["mean"] = np.full(2, float(epoch))
        own.keep_best(score)
    assert own.best is not None
    assert own.best[:2] == (0.2, 3)
    weights, buffers = own.result()
    assert weights.tolist() == [3] * 4
    assert buffers["mean"].tolist() == [3, 3]
    assert own.buffers["mean"].tolist() == [5, 5]


def test_another_run_begins_where_this_one_ended() -> None:
    own = state()
    own.status, own.status_epoch = "done", 3
    warm, cold = own.at_start(optimizer_state=True), own.at_start(optimizer_state=False)
    assert (warm.epoch, warm.updates, warm.status, warm.status_epoch, warm.passages) == (
        0,
        6,
        "running",
        None,
        {},
    )
    assert warm.slots["exp_avg"].tolist() == [1] * 4
    assert (cold.updates, cold.slots["exp_avg"].tolist()) == (0, [0] * 4)
    np.testing.assert_array_equal(cold.weights, own.weights)
    warm.weights[:] = 7
    assert own.weights.tolist() == [0, 1, 2, 3]
