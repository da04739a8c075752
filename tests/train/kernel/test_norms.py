import numpy as np
import pytest

from gradlab.train.kernel.norms import all_finite, sum_of_squares


def test_squares_are_added_in_double_precision():
    values = np.full(100_000, 1e-3, np.float32)
    assert sum_of_squares(values, 10, 90_010) == pytest.approx(
        90_000 * float(np.float32(1e-3)) ** 2, rel=1e-12
    )


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_seen(poison):
    values = np.zeros(9)
    assert all_finite(values, 9)
    values[8] = poison
    assert all_finite(values, 8)
    assert not all_finite(values, 9)
