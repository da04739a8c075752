"""What a worker is given."""

from __future__ import annotations

import pickle

import pytest
from fleets import fleet_of, spec_of

from gradlab.model import MLP, Module
from gradlab.task import Function


def cubed(x: object) -> object:
    return x**3  # type: ignore[operator]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"task": Function(cubed, low=0, high=1, points=4)},
        {"task": Function(lambda x: x, low=0, high=1, points=4)},
    ],
)
def test_fleets_travel_with_their_data(fields: dict[str, object]) -> None:
    fleet = fleet_of(spec_of(**fields), 3, range(2))
    copy = pickle.loads(pickle.dumps(fleet))
    assert copy.members == fleet.members
    assert (copy.data[0].x == fleet.data[0].x).all()
    assert copy.data[0].grid_x is copy.data[0].x  # so that one pass still serves both


def test_pickled_specs_keep_what_training_needs() -> None:
    fleet = fleet_of(spec_of(model=MLP(3)), 3)
    assert pickle.loads(pickle.dumps(fleet)).spec == fleet.spec


def test_a_lambda_cannot_travel() -> None:
    from torch import nn

    model = Module(lambda: nn.Linear(1, 1))
    copy = pickle.loads(pickle.dumps(fleet_of(spec_of(model=model), 3)))
    with pytest.raises(LookupError, match="in that process only"):
        copy.spec.model.build()
