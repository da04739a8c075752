"""The size of the parameters."""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.measure.weight_norm import weight_norm


def test_it_is_summed_in_float64() -> None:
    weights = np.full(1_000_000, 1e-4, np.float32)
    assert weight_norm(weights) == pytest.approx(0.1, rel=1e-6)
    assert weight_norm(np.full(4, 1e30, np.float32)) == pytest.approx(2e30, rel=1e-6)
