"""What random walks explain: closed forms, and walks simulated in every coordinate."""

from __future__ import annotations

import numpy as np
import pca_by_hand
import pytest

from gradlab.errors import MeasureError
from gradlab.measure.walk import Block, high, long_walk_share, random_walk_share, simulate


def _short_walk(points: int) -> np.ndarray:
    """Shares of one walk in endless dimensions: eigenvalues 1 / (4 sin^2(pi k / 2T)), whose sum is (T^2 - 1) / 6."""
    k = np.arange(1, points)
    return 6 / (points**2 - 1) / (4 * np.sin(np.pi * k / 2 / points) ** 2)


def test_one_long_walk_gives_six_over_pi_k_squared() -> None:
    found = random_walk_share(1, 300, 1_000_000, draws=3)["explained"].value
    assert 100 * found[:3] == pytest.approx([60.8, 15.2, 6.8], abs=0.1)
    assert found[:3] == pytest.approx([long_walk_share(k) for k in (1, 2, 3)], rel=2e-3)


def test_one_walk_of_ten_steps_already_gives_78_percent() -> None:
    # the limit of long walks would be 76 %; it is not the null of a short one
    for points in (10, 11):
        found = random_walk_share(1, points, 235_146, draws=20)
        assert found["explained"].value == pytest.approx(_short_walk(points)[:10], abs=5e-4)
        assert found["explained_two"].value == pytest.approx(0.777, abs=0.003)


@pytest.mark.parametrize(("spread", "two"), [(0.0, 0.223), (1.0, 0.2245), (3.0, 0.252), (100.0, 2 / 7)])
def test_eight_independent_walks_give_23_to_29_percent(spread: float, two: float) -> None:
    # from one common start to starts that are all there is: seven equal components between eight far points
    found = random_walk_share(8, 10, 235_146, spread=spread, draws=20)
    assert found["explained_two"].value == pytest.approx(two, abs=2e-3)
    assert found["own_two"].value == pytest.approx(0.778, abs=1e-3)


@pytest.mark.parametrize(
    ("sizes", "momentum", "drift"),
    [((3,), 0.0, 0.0), ((150,), 0.0, 0.0), ((4, 60), 0.6, 0.0), ((10, 25), 0.0, 0.3), ((70, 2), 0.4, 0.2)],
)
def test_the_gram_matrix_is_drawn_as_if_every_coordinate_were(
    sizes: tuple[int, ...], momentum: float, drift: float
) -> None:
    """Fewer dimensions than rows, more, and blocks of both: the distribution is that of full walks."""
    random = np.random.default_rng(0)
    spreads = [1.0, 3.0][: len(sizes)]
    lengths = [random.uniform(0.2, 2, size=(3, 5)) for _ in sizes]
    blocks = [Block(*each) for each in zip(sizes, spreads, lengths, strict=True)]
    found = simulate(blocks, momentum=momentum, drift=drift, components=4, draws=300)
    tables = [pca_by_hand.walks(random, sizes, spreads, lengths, momentum, drift) for _ in range(300)]
    joint = np.array([pca_by_hand.shares(table.reshape(18, -1))[:4] for table in tables])
    own = np.array([np.mean([pca_by_hand.shares(run)[:4] for run in table], axis=0) for table in tables])
    for one, two in ((found.joint, joint), (found.own, own)):
        two = np.pad(two, ((0, 0), (0, one.shape[1] - two.shape[1])))
        error = np.sqrt((one.var(0) + two.var(0)) / 300)
        assert np.all(np.abs(one.mean(0) - two.mean(0)) < 4 * error + 1e-12)
        assert one[:, 0].std() == pytest.approx(two[:, 0].std(), rel=0.2)


def test_decaying_steps_change_the_null() -> None:
    decaying = random_walk_share(1, 20, 10_000, lengths=0.7 ** np.arange(19), draws=20)
    assert (
        decaying["explained_two"].value
        > random_walk_share(1, 20, 10_000, draws=20)["explained_two"].value + 0.05
    )


def test_a_straight_walk_lies_on_a_line() -> None:
    assert random_walk_share(1, 10, 1000, drift=1.0, draws=5)["explained"].value[0] == pytest.approx(1)
    assert random_walk_share(1, 10, 1000, momentum=0.9, draws=5)["explained"].value[0] > 0.8


def test_two_dimensions_hold_everything() -> None:
    assert random_walk_share(4, 6, 2)["explained_two"].value == pytest.approx(1)


def test_the_band_holds_95_percent_of_the_draws_and_the_error_shrinks() -> None:
    found = simulate([Block(50, 1.0, np.ones((4, 6)))], draws=400, seed=1)
    band = random_walk_share(4, 7, 50, spread=1.0, draws=400)["explained"].error
    assert band is not None
    inside = (found.joint >= band[0]) & (found.joint <= band[1])
    assert inside.mean() == pytest.approx(0.95, abs=0.025)
    few, many = (random_walk_share(4, 7, 50, draws=draws)["explained_two"].error for draws in (50, 800))
    assert float(many) == pytest.approx(float(few) / 4, rel=0.35)


def test_seeds_decide() -> None:
    one, again, other = (
        random_walk_share(2, 5, 100, draws=5, seed=seed)["explained_two"] for seed in (0, 0, 1)
    )
    assert one.value == again.value != other.value


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"runs": 1, "points": 2}, "fewer than three points"),
        ({"runs": 0}, "needs a run"),
        ({"momentum": 1.0}, "momentum lies in"),
        ({"drift": 1.5}, "drift in"),
        ({"lengths": 0.0}, "stays at one point"),
    ],
)
def test_what_is_no_walk_is_refused(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        random_walk_share(**{"runs": 2, "points": 5, "dimension": 10, **arguments})  # type: ignore[arg-type]


def test_what_lies_above_is_as_rare_as_stated_with_few_draws_too() -> None:
    random = np.random.default_rng(4)
    for draws in (39, 100):
        bounds = [high(random.random(draws)) for _ in range(800)]
        assert np.mean(bounds) == pytest.approx(0.975, abs=0.004)  # of another uniform draw, 2.5 % lie above
