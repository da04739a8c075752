"""Which backend trains what."""

from __future__ import annotations

import foreign_net
from fleets import spec_of

from gradlab.model import MLP, Module
from gradlab.train.learner import pick_backend


def test_the_kernel_trains_mlps_and_the_loop_anything_else() -> None:
    assert pick_backend(spec_of(model=MLP(3))) == "kernel"
    assert pick_backend(spec_of(model=MLP())) == "kernel"
    assert pick_backend(spec_of(model=Module(foreign_net.Regressor))) == "loop"
