"""Units that never fire."""

from __future__ import annotations

import numpy as np

from gradlab.measure.dead import dead_layer, dead_units

ALIVE = np.array([True, True, True])
HALF = np.array([False, True])


def test_shares_are_of_all_hidden_units() -> None:
    assert dead_units([ALIVE], 3) == 0
    assert dead_units([ALIVE, HALF], 5) == 0.2
    assert dead_units([HALF], 4) == 0.25
    assert dead_units([], 0) == 0


def test_a_dead_layer_is_one_without_a_living_unit() -> None:
    assert not dead_layer([ALIVE, HALF])
    assert dead_layer([ALIVE, np.zeros(3, bool)])
    assert not dead_layer([])
