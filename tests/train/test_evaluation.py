"""Scores of a network on the splits of its data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fleets import fleet_of, spec_of, whole
from images_by_hand import AUGMENT, image_fleet, image_spec

from gradlab.measure import accuracy
from gradlab.task.augment import apply, moves
from gradlab.train.evaluation import SPLITS, Evaluations
from gradlab.train.learner import Learner, learner


class Counting:
    """A learner whose passes are counted."""

    def __init__(self, inner: Learner) -> None:
        self.inner, self.passes = inner, 0

    def evaluate(self, *args: object) -> object:
        self.passes += 1
        return self.inner.evaluate(*args)  # type: ignore[arg-type]


def test_a_pass_is_made_once_for_an_epoch() -> None:
    fleet = fleet_of(spec_of(), 2, backend="loop")
    state = whole(fleet)[0][0]
    counting = Counting(learner(fleet.spec, fleet.data[0], "loop"))
    evaluations = Evaluations(fleet.data[0], fleet.members[0], counting)  # type: ignore[arg-type]
    first = evaluations.scores(state, "test")
    assert first == evaluations.scores(state, "test")
    assert first.keys() == {"loss", "tolerance_accuracy"}
    assert counting.passes == 1
    evaluations.scores(replace(state, epoch=3), "test")
    assert counting.passes == 2
    assert evaluations.scores(state, "validation") == evaluations.scores(state, "augmented") == {}


def test_augmented_images_are_drawn_apart_from_those_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = image_fleet(image_spec(), 1, backend="loop", augment=AUGMENT)
    state, data = whole(fleet)[0][0], fleet.data[0]
    loop = learner(fleet.spec, data, "loop")
    moved = moves(AUGMENT, 0, 1, 30, purpose="augment.evaluate")
    assert not np.array_equal(moved, moves(AUGMENT, 0, 1, 30))
    loss, outputs = loop.evaluate(state.weights, state.buffers, apply(AUGMENT, data.x, moved), data.y)
    monkeypatch.setattr("gradlab.train.evaluation._AUGMENTED_AT_ONCE", 11)
    evaluations = Evaluations(data, fleet.members[0], loop)
    found = evaluations.scores(state, "augmented")
    assert found["loss"] == pytest.approx(loss, rel=1e-12)
    assert found["accuracy"] == pytest.approx(accuracy(outputs, data.y))
    scores = {split: evaluations.scores(state, split) for split in SPLITS if split != "validation"}
    assert len({found["loss"] for found in scores.values()}) == 4
