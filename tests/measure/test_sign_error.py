"""Sign errors of environments against loops over pairs of runs, and the Hoeffding filter."""

from __future__ import annotations

from itertools import product

import gap_by_hand
import numpy as np
import pytest

from gradlab.measure.sign_error import Environments, hoeffding_weight, sign_errors

RANDOM = np.random.default_rng(2)
RUNS = np.repeat(np.array(list(product(range(3), range(2), range(2)))), 4, axis=0)
MEASURE = RANDOM.integers(0, 12, len(RUNS)).astype(float)
GAP = RANDOM.uniform(0, 0.1, len(RUNS))


@pytest.mark.parametrize("examples", [None, 10_000, 500])
@pytest.mark.parametrize("environments", ["levels", "configurations"])
def test_they_are_weighted_shares_of_wrong_pairs(environments: Environments, examples: int | None) -> None:
    found = sign_errors(MEASURE, GAP, RUNS, environments=environments, examples=examples, least=0)
    slow = gap_by_hand.environments(RUNS.tolist(), MEASURE, GAP, examples, environments == "configurations")
    assert sorted((each.error, each.size) for each in found) == [
        pytest.approx(each) for each in sorted(slow.values())
    ]
    assert [each.error for each in found] == sorted((each.error for each in found), reverse=True)


def test_the_worst_environment_is_found() -> None:
    """A measure that is right wherever the first hyperparameter stays, and wrong where it goes from 0 to 2."""
    gap = RUNS @ [0.2, 0.04, 0.01]
    measure = np.where(RUNS[:, 0] == 2, -1.0, 0.0) + RUNS @ [0.0, 0.04, 0.01] + 0.2 * (RUNS[:, 0] == 1)
    worst, second, third = sign_errors(measure, gap, RUNS)[:3]
    assert {worst.hyperparameter, second.hyperparameter} == {0}
    assert {worst.levels, second.levels} == {(0, 2), (1, 2)}
    assert (worst.error, second.error, third.error) == (1, 1, 0)


def test_gaps_that_cannot_be_told_apart_do_not_count() -> None:
    # wrong only where the gaps differ by less than ten test examples of a thousand would show
    runs = np.repeat([[0], [1]], 8, axis=0)
    gap = np.repeat([0.05, 0.051], 8)
    assert sign_errors(-gap, gap, runs)[0].error == 1
    assert sign_errors(-gap, gap, runs, examples=1000) == []
    assert sign_errors(-gap, 100 * gap / 101, runs, examples=10**8)[0].error == 1


def test_small_environments_are_left_out() -> None:
    assert [each.size for each in sign_errors(MEASURE, GAP, RUNS, environments="configurations")] == [
        16.0
    ] * 24
    assert sign_errors(MEASURE, GAP, RUNS, environments="configurations", least=17) == []
    assert sign_errors(MEASURE, GAP, RUNS[:, :0]) == []


def test_a_tie_of_the_measure_is_half_an_error() -> None:
    assert sign_errors(np.ones(len(RUNS)), GAP, RUNS)[0].error == 0.5


def test_the_weight_bounds_the_chance_that_the_order_is_right() -> None:
    """Two gaps estimated on so many examples each: their order is right at least as often as the weight says."""
    for difference in (0.03, 0.05, 0.1):
        one, two = (RANDOM.binomial(1000, 0.5 + at, 20_000) for at in (0, difference))
        assert (one < two).mean() >= hoeffding_weight(np.array([difference]), 1000)[0]
    assert np.all(np.diff(hoeffding_weight(np.linspace(0, 0.3, 50), 1000)) >= 0)
