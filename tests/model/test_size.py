"""Networks of equal size."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.model import MLP, equal_size


@pytest.mark.parametrize("depth", range(1, 12))
@pytest.mark.parametrize("budget", [571, 2241, 100_000])
def test_within_one_per_cent_at_every_depth(budget: int, depth: int) -> None:
    net = equal_size(budget, depth)
    assert len(net.hidden) == depth
    assert abs(net.parameters(1, 1) - budget) <= 0.01 * budget


@given(
    budget=st.integers(5_000, 2_000_000),
    depth=st.integers(1, 10),
    inputs=st.integers(1, 20),
    outputs=st.integers(1, 20),
)
def test_within_one_per_cent_for_any_sizes(budget: int, depth: int, inputs: int, outputs: int) -> None:
    net = equal_size(budget, depth, inputs=inputs, outputs=outputs)
    assert abs(net.parameters(inputs, outputs) - budget) <= 0.01 * budget


def test_as_near_as_any_pair_of_widths_for_two_layers() -> None:
    budget = 300
    found = equal_size(budget, 2, inputs=2, outputs=3)
    near = [
        abs(MLP(a, b).parameters(2, 3) - budget)
        for a, b in itertools.product(range(8, 25), repeat=2)
        if abs(a - b) < 4
    ]
    assert abs(found.parameters(2, 3) - budget) <= min(near)


def test_one_layer_of_report_002() -> None:
    assert equal_size(571, depth=1).hidden == (190,)


@pytest.mark.parametrize(("budget", "depth"), [(5, 3), (100, 60), (11, 1)])
def test_the_impossible_is_refused_with_the_nearest_count(budget: int, depth: int) -> None:
    with pytest.raises(ValueError, match=r"the nearest has \d+"):
        equal_size(budget, depth)


def test_a_depth_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        equal_size(100, 0)
