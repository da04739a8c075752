"""Conditional information of pairs: by hand, by loops over pairs, and where it must be 0 or 1."""

from __future__ import annotations

from itertools import product

import gap_by_hand
import numpy as np
import pytest

from gradlab.measure.pair_information import known_sets, normalised_information

RANDOM = np.random.default_rng(1)
GRID = np.array(list(product(range(3), range(3), range(2))))


def test_three_configurations_by_hand() -> None:
    # gaps 1 2 3, measure 1 3 2: of six ordered pairs four agree and two do not, all signs balanced
    found = normalised_information(np.array([[1.0, 3, 2]]), np.array([1.0, 2, 3]), np.zeros((3, 0), int), ())
    assert found[0] == pytest.approx(1 + (2 / 3) * np.log2(2 / 3) + (1 / 3) * np.log2(1 / 3))


@pytest.mark.parametrize("known", known_sets(3))
def test_it_is_the_information_over_all_ordered_pairs(known: tuple[int, ...]) -> None:
    measure, gap = RANDOM.integers(0, 6, (2, len(GRID))).astype(float)
    mutual, entropy = gap_by_hand.information(GRID.tolist(), measure, gap, known)
    orders = np.stack([measure, measure[::-1]])
    found = normalised_information(orders, gap, GRID, known)
    assert found[0] == pytest.approx(mutual / entropy)
    assert found[1] == normalised_information(orders[1:], gap, GRID, known)[0]


def test_a_measure_that_decides_has_information_1_forwards_and_backwards() -> None:
    gap = RANDOM.normal(size=len(GRID))
    for known in known_sets(3):
        assert normalised_information(np.stack([gap, -gap]), gap, GRID, known) == pytest.approx([1, 1])


def test_a_measure_that_repeats_a_hyperparameter_has_none_once_that_is_known() -> None:
    gap = GRID[:, 0] + 0.1 * RANDOM.normal(size=len(GRID))
    measure = GRID[:, :1].T.astype(float)
    assert normalised_information(measure, gap, GRID, ())[0] > 0.3
    assert normalised_information(measure, gap, GRID, (0,))[0] == pytest.approx(0, abs=1e-12)


def test_where_the_known_leave_no_doubt_it_is_not_defined() -> None:
    codes = np.array(list(product(range(3), range(3))))
    gap = RANDOM.normal(size=9)
    assert np.isnan(normalised_information(gap[None], gap, codes, (0, 1))[0])
    assert np.isnan(normalised_information(gap[None], np.ones(9), codes, ())[0])
