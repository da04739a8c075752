"""Members of one stack, each with what is its own."""

from __future__ import annotations

import numpy as np
from fleets import fleet_of
from images_by_hand import image_spec

from gradlab.model import CNN
from gradlab.study.recipe import Adam
from gradlab.train.learner import LOSS, RUNNING, Request
from gradlab.train.loop import LoopLearner
from gradlab.train.stack import cut
from gradlab.train.vmapped import VmapLearner


def test_members_may_have_learning_rates_of_their_own() -> None:
    spec = image_spec(model=CNN("conv 3x3, 5"), optimizer=Adam(lr=1e-2))
    fleet = fleet_of(spec, 2, range(2))
    together, alone = VmapLearner(spec, fleet.data[0]), LoopLearner(spec, fleet.data[0])
    rates = [np.array([1e-2, 1e-3]), np.array([3e-2, 3e-3])]
    mask = np.array([LOSS, RUNNING], np.uint8)
    states = [together.start(member) for member in fleet.members]
    requests = [
        Request(together, state.copy(), member, own, mask)
        for state, member, own in zip(states, fleet.members, rates, strict=True)
    ]
    measured = together.train_together(requests)
    for state, request, found in zip(states, requests, measured, strict=True):
        expected = alone.train(state, request.member, request.rates, mask)
        np.testing.assert_allclose(request.state.weights, state.weights, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-12)
        np.testing.assert_allclose(found.running, expected.running, rtol=1e-12)
        assert found.finite


def test_the_last_part_may_be_short() -> None:
    assert cut(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert cut(3, 3) == [slice(0, 3)]
