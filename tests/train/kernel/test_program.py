import numpy as np
import pytest

from gradlab.train.kernel import Program


def test_parameters_are_counted():
    assert Program((1, 5, 10, 10, 10, 10, 10, 5, 1)).parameters == 571


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ({"optimizer": "sgd"}, ()),
        ({"optimizer": "sgd", "momentum": 0.9}, ("momentum_buffer",)),
        ({"optimizer": "adam"}, ("exp_avg", "exp_avg_sq")),
        ({"optimizer": "adamw"}, ("exp_avg", "exp_avg_sq")),
        ({"optimizer": "rmsprop"}, ("square_avg",)),
        ({"optimizer": "rmsprop", "momentum": 0.9}, ("square_avg", "momentum_buffer")),
    ],
)
def test_slots_are_those_of_torch(recipe, names):
    program = Program((2, 3), **recipe)
    assert program.slots == names
    for value in program.new_slots(np.float32).values():
        assert value.dtype == np.float32
        assert value.shape == (9,)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"widths": (3,)}, "widths"),
        ({"widths": (3, 0, 1)}, "widths"),
        ({"slope": -0.1}, "slope"),
        ({"nesterov": True}, "nesterov"),
        ({"nesterov": True, "optimizer": "sgd"}, "nesterov"),
        ({"activation": "gelu"}, "activation"),
        ({"optimizer": "lion"}, "optimizer"),
    ],
)
def test_impossible_programs_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Program(**({"widths": (1, 1)} | fields))
