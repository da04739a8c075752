from __future__ import annotations

import numpy as np
import pytest

from gradlab.judge.events import holds
from gradlab.study.quantity import parse_event


@pytest.mark.parametrize(
    ("event", "truth"),
    [
        ("loss@last < 1", [True, False, False, False]),
        ("loss@last <= 1", [True, True, False, False]),
        ("loss@last > 1", [False, False, True, True]),
        ("loss@last >= 1", [False, True, True, True]),
        ("loss@last == 1", [False, True, False, False]),
        ("loss@last != 1", [True, False, True, True]),
        ("accuracy@last > 0.2", [True, True, True, False]),
        ("flag_dead", [True, True, True, False]),
        ("epochs_to(loss, 1e-3)", [True, True, False, False]),
    ],
)
def test_a_run_without_a_value_stands_at_the_bad_end(event: str, truth: list[bool]) -> None:
    values = np.array([0.5, 1.0, np.inf, np.nan])
    assert holds(parse_event(event), values).tolist() == truth
