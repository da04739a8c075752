from __future__ import annotations

import numpy as np
import pytest

from gradlab.judge.published import RANK_FROM, prediction_interval


def test_from_39_runs_on_the_extremes_bound() -> None:
    values = np.arange(1.0, RANK_FROM + 1)
    assert prediction_interval(values, log=True) == (1.0, 39.0)
    assert prediction_interval(np.arange(1.0, 80.0), log=True) == (2.0, 78.0)


@pytest.mark.parametrize("n", [5, 12, 39, 60])
def test_one_more_run_lies_inside_19_times_of_20(n: int) -> None:
    rng = np.random.default_rng(n)
    inside = 0
    for _ in range(2000):
        *runs, more = rng.lognormal(size=n + 1)
        low, high = prediction_interval(np.array(runs), log=True)
        inside += low <= more <= high
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)


def test_runs_that_never_arrive_leave_the_upper_end_open() -> None:
    assert prediction_interval(np.array([3.0, 2.0, np.inf]), log=True) == (2.0, np.inf)
    assert prediction_interval(np.array([]), log=True) == (-np.inf, np.inf)
