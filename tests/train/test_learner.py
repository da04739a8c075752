"""Which backend trains what."""

from __future__ import annotations

import foreign_net
import pytest
from fleets import fleet_of, spec_of
from images_by_hand import AUGMENT, image_spec

from gradlab.model import CNN, MLP, Module
from gradlab.task import MNIST
from gradlab.train.learner import learners, pick_backend
from gradlab.train.loop import LoopLearner
from gradlab.train.vmapped import VmapLearner


@pytest.mark.parametrize(
    ("spec", "backend"),
    [
        (spec_of(model=MLP(3)), "kernel"),
        (spec_of(model=MLP()), "kernel"),
        (spec_of(model=MLP(3), precision="bfloat16"), "loop"),
        (spec_of(model=MLP(3), task=MNIST(augment=AUGMENT)), "loop"),
        (spec_of(model=Module(foreign_net.Regressor)), "loop"),
        (image_spec(model=CNN("conv 3x3, pool 2, drop 0.5, 5")), "kernel"),
        (image_spec(model=CNN("conv 3x3, pool 2, 5"), precision="bfloat16", dtype="float32"), "loop"),
        (image_spec(model=CNN("conv 3x3, norm, pool 2, 5")), "loop"),
    ],
    ids=lambda given: given if isinstance(given, str) else given.model.label(),
)
def test_the_kernel_trains_what_it_can_and_the_loop_anything_else(spec: object, backend: str) -> None:
    assert pick_backend(spec) == backend  # type: ignore[arg-type]


def test_a_fleet_has_a_learner_for_each_of_its_data() -> None:
    fleet = fleet_of(spec_of(), 1, backend="loop")
    made = learners(fleet)
    assert [type(own) for own in made] == [LoopLearner]
    fleet = fleet_of(spec_of(), 1, backend="vmap")
    fleet = type(fleet)(**(vars(fleet) | {"data": (fleet.data[0], fleet.data[0])}))
    one, two = learners(fleet)
    assert isinstance(one, VmapLearner)
    assert isinstance(two, VmapLearner)
    assert one.x is two.x
