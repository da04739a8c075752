"""Keskar's sharpness against the corner of a box on a quadratic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bowl import bowl, random_hessian
from torch import nn

from gradlab.measure.keskar import keskar_sharpness
from gradlab.measure.objective import Objective
from gradlab.measure.perturbed import Counter

H = np.diag([4.0, 1.0, 0.25, 9.0])
AT = np.array([0.5, -2.0, 0.0, 1.5])


def objective(hessian=H, minimum=AT, at=AT, floor=0.0):
    return Objective(*order(bowl(hessian, minimum, at, floor)))


def order(made):
    network, x, y = made
    return network, "mse", x, y


@pytest.mark.parametrize("epsilon", [1e-3, 5e-4])
@pytest.mark.parametrize("floor", [0.0, 0.7])
def test_at_the_minimum_of_a_diagonal_quadratic_it_is_the_corner(epsilon: float, floor: float) -> None:
    bound = epsilon * (np.abs(AT) + 1)
    expected = 100 * (np.diag(H) * bound**2).sum() / 2 / (1 + floor)
    found = keskar_sharpness(objective(floor=floor), epsilon)
    assert found.sharpness == pytest.approx(expected, rel=1e-6)
    assert found.largest == pytest.approx(1)


def test_off_the_minimum_it_is_the_corner_that_the_gradient_points_to() -> None:
    away = np.array([0.3, -0.2, 0.5, 0.1])
    bound = 1e-3 * (np.abs(AT + away) + 1)
    base = (np.diag(H) * away**2).sum() / 2
    expected = 100 * ((np.diag(H) * (np.abs(away) + bound) ** 2).sum() / 2 - base) / (1 + base)
    assert keskar_sharpness(objective(at=AT + away), 1e-3).sharpness == pytest.approx(expected, rel=1e-8)


def test_a_slope_under_the_optimizers_own_tolerance_still_moves_it() -> None:
    # scipy stops at once where no entry of the gradient exceeds 1e-5, and the sharpness reads 0
    away = np.full(4, 1e-7)
    bound = 1e-3 * (np.abs(AT + away) + 1)
    base = (np.diag(H) * away**2).sum() / 2
    expected = 100 * ((np.diag(H) * (away + bound) ** 2).sum() / 2 - base) / (1 + base)
    assert keskar_sharpness(objective(at=AT + away), 1e-3).sharpness == pytest.approx(expected, rel=1e-6)


def test_in_the_whole_space_by_way_of_as_many_directions_as_weights() -> None:
    # with one weight a direction is +-1, and the box is the same
    one = objective(np.array([[3.0]]), [2.0], [2.0])
    whole, within = keskar_sharpness(one, 0.1), keskar_sharpness(one, 0.1, directions=1)
    assert whole.sharpness == pytest.approx(100 * 3 * 0.3**2 / 2)
    assert within.sharpness == pytest.approx(whole.sharpness)


def test_a_subspace_has_its_own_box() -> None:
    hessian = random_hessian(12, 1)
    made = objective(hessian, np.arange(12.0), np.arange(12.0))
    found = [keskar_sharpness(made, 1e-2, directions=2, seed=seed) for seed in range(4)]
    for seed, box in enumerate(found):
        corners = corner_rises(hessian, np.arange(12.0), seed)
        assert box.sharpness == pytest.approx(100 * max(corners), rel=1e-6) or box.sharpness in pytest.approx(
            [100 * corner for corner in corners], rel=1e-6
        )
    assert len({round(box.sharpness, 9) for box in found}) == 4


def corner_rises(hessian, at, seed):
    """The rises at the four corners of the box of two random directions: a convex function is largest at one."""
    from gradlab.randomness import generator

    drawn = generator(seed, "probe", "keskar.subspace").standard_normal((2, 12)).T
    columns = drawn / np.linalg.norm(drawn, axis=0)
    bound = 1e-2 * (np.abs(np.linalg.pinv(columns) @ at) + 1)
    steps = [columns @ (bound * np.array(signs)) for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    return [step @ hessian @ step / 2 for step in steps]


def test_single_precision_has_a_floor_that_is_said() -> None:
    network, x, y = bowl(H * 1e-4, AT, AT, floor=0.5)
    single = Objective(network, "mse", x, y, dtype=torch.float32)
    double = Objective(network, "mse", x, y)
    expected = 100 * 1e-4 * (np.diag(H) * (1e-4 * (np.abs(AT) + 1)) ** 2).sum() / 2 / 1.5
    true, blind = keskar_sharpness(double, 1e-4), keskar_sharpness(single, 1e-4)
    assert true.sharpness == pytest.approx(expected, rel=1e-3)
    assert true.sharpness > true.floor
    assert expected < blind.floor
    assert abs(blind.sharpness) <= blind.floor


def test_it_counts_what_it_costs_and_leaves_the_network_alone() -> None:
    network, x, y = bowl(H, AT, AT + 0.1)
    before = network.weight.clone()
    made, counter = Objective(network, "mse", x, y), Counter(8)
    keskar_sharpness(made, counter=counter)
    assert 2 <= counter.gradients <= 40
    assert torch.equal(network.weight, before)
    assert network.weight.grad is None


def test_it_moves_when_a_network_is_rescaled() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    x = np.random.default_rng(0).normal(size=(20, 2))
    y = x[:, :1]
    before = keskar_sharpness(Objective(network, "mse", x, y)).sharpness
    with torch.no_grad():
        network[0].weight *= 10
        network[0].bias *= 10
        network[2].weight /= 10
    assert keskar_sharpness(Objective(network, "mse", x, y)).sharpness > 2 * before
