"""Function tasks: which are accepted, what they are called and what identifies them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gradlab.component import vary
from gradlab.task import Function, Grid


def bump(x: np.ndarray) -> np.ndarray:
    return np.exp(-(x**2))


def test_sinc_is_one_at_zero_and_follows_its_formula_elsewhere() -> None:
    x = np.array([0.0, 0.1, -0.3])
    values = Function("sinc", low=-1, high=1, points=3).formula()(x)
    assert values[0] == 1.0
    np.testing.assert_allclose(values[1:], np.sin(5 * np.pi * x[1:]) / (5 * np.pi * x[1:]), rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [("sgn", 0.1, 1.0), ("sgn", 0.3, -1.0), ("sin", 0.5, np.sin(0.5)), ("cube", -2.0, -8.0)],
)
def test_named_targets(name: str, x: float, value: float) -> None:
    assert Function(name, low=-1, high=1, points=3).formula()(np.array([x]))[0] == value


def test_arange_counts_as_numpy_does() -> None:
    for step in (0.01, 0.07, 0.3, 1 / 3):
        task = Function("sinc", low=-1.5, high=1.5, spacing="arange", step=step)
        assert task.size == np.arange(-1.5, 1.5, step).size


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": "sinx", "points": 5}, "did you mean 'sin'"),
        ({"target": "open('x')", "points": 5}, "unknown function 'open'"),
        ({"target": "1 / x", "points": 5}, "not finite at x = 0"),
        ({"target": lambda x: x[:2], "points": 5}, "one number a point"),
        ({"target": lambda x: 1 / 0, "points": 5}, "cannot be evaluated on the domain"),
        ({"target": "sin", "points": 0}, "greater than or equal to 1"),
        ({"target": "sin"}, "takes points and no step"),
        ({"target": "sin", "points": 5, "step": 0.1}, "takes points and no step"),
        ({"target": "sin", "spacing": "arange", "points": 5}, "takes step and no points"),
        ({"target": "sin", "spacing": "arange", "step": 1e-12}, "at most 10,000,000"),
        ({"target": "sin", "points": 5, "low": 3.0}, "low must be under high"),
        ({"target": "sin", "points": 5, "low": float("nan")}, "finite number"),
        ({"target": "sin", "points": 5, "noise": -1}, "greater than or equal to 0"),
        ({"target": "sin", "points": 5, "colour": 1}, "Extra inputs"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Function(**({"low": -1.0, "high": 1.0} | fields))


def test_a_field_may_vary_and_each_level_is_checked_when_it_is_chosen() -> None:
    task = Function("sin", low=0, high=1, points=vary(3, 30))
    assert task.points.levels == (("3", 3), ("30", 30))  # type: ignore[union-attr]


def test_identity_of_an_expression_is_its_normal_form() -> None:
    one = Function("x**2+1", low=-1, high=1, points=5)
    two = Function("(x ** 2) + 1", low=-1, high=1, points=5)
    assert one.canonical() == two.canonical()


def test_identity_of_a_callable_is_its_source_and_its_values() -> None:
    def scaled(scale: float) -> Any:
        def line(x: np.ndarray) -> np.ndarray:
            return scale * x

        return line

    one, two = (Function(scaled(scale), low=-1, high=1, points=5).canonical()["target"] for scale in (1, 2))
    assert one["source"] == two["source"]
    assert one["values"] != two["values"]
    again = Function(scaled(1), low=-1, high=1, points=5).canonical()["target"]
    assert one == again


def test_a_lambda_is_known_by_its_values_alone() -> None:
    target = Function(lambda x: x + 1, low=0, high=1, points=5).canonical()["target"]
    assert target["source"] is None
    assert len(target["values"]) == 20


def test_a_callable_stays_behind_when_a_task_travels() -> None:
    task = pickle.loads(pickle.dumps(Function(lambda x: x + 1, low=0, high=1, points=5)))
    assert task.target == "<lambda>"
    assert (task.inputs, task.outputs, task.size) == (1, 1, 5)
    named = Function(bump, low=0, high=1, points=5)
    assert named.label() == "bump"
    assert named.target is bump


def test_what_a_task_says_of_itself() -> None:
    task = Function(
        "sin", low=0, high=1, points=5, spacing="uniform", noise=0.1, heldout=Grid(low=0, high=1, points=2)
    )
    assert task.draws == {"data", "labels"}
    assert task.has_test
    assert (task.default_loss, task.losses, task.metrics) == ("mse", ("mse",), ("tolerance_accuracy",))
    assert not Function("sin", low=0, high=1, points=5).draws


def test_a_declaration_is_shown_as_plain_data() -> None:
    tree = Function(bump, low=0, high=1, points=5).tree()
    assert tree == {"kind": "function", "target": "bump", "low": 0.0, "high": 1.0, "points": 5}
    varied = Function(vary("sin", "cos"), low=0, high=1, points=5).tree()
    assert varied["target"] == {"vary": {"sin": "sin", "cos": "cos"}}
