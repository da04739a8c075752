"""Worst and average case on quadratics, where both have closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bowl import ball_maximum, bowl, random_hessian
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.ascent import average_rise, normalised, one_step, scale_of, spread_rise, worst_rise
from gradlab.measure.objective import Objective
from gradlab.measure.perturbed import Counter

SIZE = 9
H = random_hessian(SIZE, 3)
AT = np.random.default_rng(4).normal(size=SIZE)
COUNTER = Counter(2 * SIZE)


def objective(away: Any = 0.0, hessian: Any = H) -> Objective:
    network, x, y = bowl(hessian, AT, AT + away)
    return Objective(network, "mse", x, y)


@pytest.mark.parametrize("rho", [0.05, 2.0])
def test_sam_at_a_minimum_is_half_the_largest_eigenvalue(rho: float) -> None:
    made = objective()
    found = worst_rise(made, scale_of(made, adaptive=False), rho, steps=100, counter=COUNTER)
    assert found == pytest.approx(rho**2 * np.linalg.eigvalsh(H)[-1] / 2, rel=1e-4)


def test_sam_off_a_minimum_is_the_largest_value_in_the_ball() -> None:
    away = 0.1 * np.random.default_rng(5).normal(size=SIZE)
    made = objective(away)
    expected = ball_maximum(H, H @ away, 0.2)
    found = worst_rise(made, scale_of(made, adaptive=False), 0.2, steps=60, counter=COUNTER)
    assert found == pytest.approx(expected, rel=1e-5)
    step = one_step(made, scale_of(made, adaptive=False), 0.2, COUNTER)
    slope = H @ away
    e = 0.2 * slope / np.linalg.norm(slope)
    assert step == pytest.approx(slope @ e + e @ H @ e / 2)
    assert step < found


def test_the_adaptive_kind_has_the_scaled_hessian() -> None:
    made = objective()
    scaled = np.abs(AT)[:, None] * H * np.abs(AT)
    found = worst_rise(made, scale_of(made, adaptive=True), 0.5, steps=100, counter=COUNTER)
    assert found == pytest.approx(0.25 * np.linalg.eigvalsh(scaled)[-1] / 2, rel=1e-4)
    mean, error = average_rise(made, scale_of(made, adaptive=True), 0.5, samples=200, counter=COUNTER)
    assert abs(mean - 0.25 * np.trace(scaled) / (2 * SIZE)) < 4 * error


def test_a_box_of_a_diagonal_quadratic_has_its_maximum_in_a_corner() -> None:
    diagonal = np.diag(np.arange(1.0, SIZE + 1))
    made = objective(hessian=diagonal)
    found = worst_rise(made, scale_of(made, adaptive=False), 0.1, norm="linf", counter=COUNTER)
    assert found == pytest.approx(0.01 * np.trace(diagonal) / 2)


def test_the_average_over_the_sphere_is_the_trace_and_its_error_is_calibrated() -> None:
    made = objective(0.3)
    scale = scale_of(made, adaptive=False)
    expected = 0.04 * np.trace(H) / (2 * SIZE)  # pairs of opposite directions: the slope has no part in it
    found = np.array([
        average_rise(made, scale, 0.2, samples=30, seed=seed, counter=COUNTER) for seed in range(200)
    ])
    z = (found[:, 0] - expected) / found[:, 1]
    assert abs(z.mean()) < 0.3
    assert 0.9 <= (np.abs(z) < 2.05).mean() <= 0.99  # 95 % of Student's t at 29
    assert np.abs(found[:, 0] - expected).max() < 0.5 * expected


def test_a_dead_network_cannot_be_moved() -> None:
    dead = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1, bias=False)).double()
    with torch.no_grad():
        dead[0].bias.fill_(-100)
    x = np.linspace(-1, 1, 11)[:, None]
    made = Objective(dead, "mse", x, x)
    scale = scale_of(made, adaptive=False)
    assert one_step(made, scale, 0.05, COUNTER) == 0
    assert worst_rise(made, scale, 0.05, steps=3, counter=COUNTER) == 0


def test_a_search_never_ends_below_where_it_began() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    rng = np.random.default_rng(2)
    made = Objective(network, "cross_entropy", rng.normal(size=(60, 3)), rng.integers(0, 3, 60))
    scale = scale_of(made, adaptive=False)
    rises = [
        worst_rise(made, scale, 0.5, steps=steps, restarts=1, counter=COUNTER) for steps in (0, 1, 5, 20)
    ]
    assert rises == sorted(rises)
    assert rises[0] == pytest.approx(one_step(made, scale, 0.5, COUNTER))
    assert worst_rise(made, scale, 0.5, restarts=4, counter=COUNTER) >= rises[-1]
    assert rises[-1] >= average_rise(made, scale, 0.5, counter=COUNTER)[0]


def test_of_minibatches_each_has_its_own_worst_weights() -> None:
    # an example has loss (w - y)^2: one step of rho from w = 0 adds 2 |y| rho + rho^2
    network = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(network.weight)
    y = np.linspace(-3, 4, 40)[:, None]
    made = Objective(network, "mse", np.ones((40, 1)), y)
    scale = scale_of(made, adaptive=False)
    found, error = spread_rise(made, scale, 0.1, 1, pieces=40, counter=COUNTER)
    each = 2 * np.abs(y[:, 0]) * 0.1 + 0.01
    assert found == pytest.approx(each.mean())
    assert error == pytest.approx(each.std(ddof=1) / 40**0.5)
    whole = worst_rise(made, scale, 0.1, counter=COUNTER)
    assert whole == pytest.approx(2 * abs(y.mean()) * 0.1 + 0.01)
    assert found > whole
    with pytest.raises(MeasureError, match="not two minibatches of 21"):
        spread_rise(made, scale, 0.1, 21, counter=COUNTER)


def test_normalised_logits_do_not_know_how_large_they_were() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
    one = Objective(network, "cross_entropy", x, y)
    with torch.no_grad():
        network[2].weight *= 7
        network[2].bias *= 7
    seven = Objective(network, "cross_entropy", x, y)
    values = []
    for made in (one, seven, normalised(one), normalised(seven)):
        values.append(worst_rise(made, scale_of(made, adaptive=True), 0.1, counter=COUNTER))
    assert values[1] > 2 * values[0]
    assert values[3] == pytest.approx(values[2], rel=1e-6)
    assert float(one.value(one.weights)) != pytest.approx(float(normalised(one).value(one.weights)))
