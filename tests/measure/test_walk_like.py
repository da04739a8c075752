"""What the null keeps of the runs: tensors, starts and steps, or the dimension of the steps."""

from __future__ import annotations

import numpy as np
import pca_by_hand
import pytest

from gradlab.errors import MeasureError
from gradlab.measure.objective import Part
from gradlab.measure.trajectory import trajectory

RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.normal(size=(4, 1, 50)) + 0.3 * RANDOM.normal(size=(4, 6, 50)).cumsum(axis=1)


def test_random_walks_lie_above_their_null_as_often_as_stated() -> None:
    """97.5 % lie below, for tensors of their own scale, decaying steps and few dimensions alike."""
    random = np.random.default_rng(5)
    decay = np.outer(np.ones(3), 0.8 ** np.arange(4))
    layout = (Part("a", 0, 6, (3, 2), False), Part("b", 6, 46, (5, 8), False))
    above = [
        trajectory(
            pca_by_hand.walks(random, (6, 40), (1.0, 0.5), (2 * decay, 0.5 * decay)),
            layout,
            draws=60,
            seed=seed,
        )["above_null"].value
        for seed in range(80)
    ]
    assert sum(above) <= 8  # 99.8 % of Binomial(80, 0.035)


def test_the_effective_dimension_is_that_of_the_steps() -> None:
    scales = np.linspace(0.1, 2, 400) ** 2
    steps = RANDOM.normal(size=(6, 12, 400)) * scales
    found = trajectory(steps.cumsum(axis=1), dimension="effective", draws=20)
    assert found.settings["null_dimension"] == pytest.approx(
        (scales**2).sum() ** 2 / (scales**4).sum(), rel=0.15
    )
    assert found["null_two"].value > trajectory(steps.cumsum(axis=1), draws=20)["null_two"].value


def test_a_dead_run_that_stands_still_is_no_obstacle() -> None:
    steps = RANDOM.normal(size=(4, 8, 60))
    steps[1, 1:] = 0
    found = trajectory(steps.cumsum(axis=1), dimension="effective", draws=5)
    assert found.settings["null_dimension"] == pytest.approx(60, abs=15)
    steps[1:, 1:] = 0
    with pytest.raises(MeasureError, match="two runs must move"):
        trajectory(steps.cumsum(axis=1), dimension="effective", draws=5)
