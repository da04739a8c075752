"""Fully connected networks as declarations."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydantic import ValidationError
from torch import nn

from gradlab.component import vary
from gradlab.model import MLP


@pytest.mark.parametrize(
    ("hidden", "inputs", "outputs", "count"),
    [
        ((5, 10, 10, 10, 10, 10, 5), 1, 1, 571),
        ((10, 18, 15, 4), 1, 1, 572),
        ((190,), 1, 1, 571),
        ((1, 5, 10, 10, 10, 10, 10, 5), 1, 1, 573),
        ((1, 190), 1, 1, 573),
        ((4, 9, 12, 10, 10, 10, 4), 1, 1, 572),
        ((64, 32), 1, 1, 2241),
        ((32, 32, 32), 1, 1, 2209),
        ((256, 128), 784, 10, 235_146),
        ((), 3, 2, 8),
    ],
)
def test_parameters_of_the_reports_networks(
    hidden: tuple[int, ...], inputs: int, outputs: int, count: int
) -> None:
    assert MLP(*hidden).parameters(inputs, outputs) == count


def test_the_count_is_that_of_torch() -> None:
    widths = MLP(3, 7).widths(2, 4)
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    assert MLP(3, 7).parameters(2, 4) == sum(p.numel() for layer in layers for p in layer.parameters())


def test_python_and_tables_say_the_same() -> None:
    assert MLP(5, 10, activation="tanh") == MLP.model_validate({"hidden": [5, 10], "activation": "tanh"})
    assert MLP() == MLP(hidden=())


def test_labels() -> None:
    assert MLP(5, 10).label() == "mlp-5-10"
    assert MLP().label() == "linear"
    assert [name for name, _ in vary(MLP(5), MLP(6)).levels] == ["mlp-5", "mlp-6"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": (5, -1)}, "greater than or equal to 1"),
        ({"hidden": (5.5,)}, "valid integer"),
        ({"hidden": (True,)}, "valid integer"),
        ({"activation": "relo"}, "'relu', 'leaky_relu', 'tanh' or 'identity'"),
        ({"slope": float("inf")}, "finite"),
        ({"width": 3}, "Extra inputs"),
    ],
)
def test_what_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MLP(**fields)  # type: ignore[arg-type]


def test_of_size_is_the_equal_size_solver() -> None:
    net = MLP.of_size(571, depth=7, activation="leaky_relu")
    assert len(net.hidden) == 7
    assert net.activation == "leaky_relu"
    assert abs(net.parameters(1, 1) - 571) <= 5
