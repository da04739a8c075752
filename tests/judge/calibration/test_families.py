from __future__ import annotations

import numpy as np
import pytest

from gradlab.judge.calibration.families import PAIRED, UNPAIRED, Draw


@pytest.mark.parametrize("draw", UNPAIRED.values(), ids=UNPAIRED.keys())
def test_a_run_of_a_is_as_often_below_as_above_one_of_b(draw: Draw) -> None:
    a, b = draw(np.random.default_rng(0), 200_000, 1)
    b = b[:, :1]
    share = (a < b).mean() + (a == b).mean() / 2
    assert share == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("draw", PAIRED.values(), ids=PAIRED.keys())
def test_within_a_pair_either_direction_is_as_frequent(draw: Draw) -> None:
    a, b = draw(np.random.default_rng(1), 200_000, 1)
    assert (a < b).mean() == pytest.approx((a > b).mean(), abs=0.006)
