"""First weights, drawn with NumPy alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from gradlab.model.draw import default_weights, torch_stream_weights

SHAPES = [(1, 5, 10, 10, 10, 10, 10, 5, 1), (1, 10, 18, 15, 4, 1), (1, 190, 1), (3, 7, 2), (64, 33, 10)]


@pytest.mark.parametrize("seed", [0, 1, 2, 42, 2**32 + 7, 2**40 + 5])
def test_torch_stream_is_torch_bit_for_bit_at_every_position(seed: int) -> None:
    position = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for widths in SHAPES:
            layers = [torch.nn.Linear(a, b) for a, b in pairwise(widths)]
            expected = torch.cat([
                p.detach().reshape(-1) for layer in layers for p in layer.parameters()
            ]).numpy()
            found = torch_stream_weights(widths, seed, position)
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == np.float32
            position += len(expected)


def test_default_weights_follow_torchs_distribution() -> None:
    weights = default_weights((16, 500, 4), seed=3)
    first, last = weights[: 17 * 500], weights[17 * 500 :]
    for part, fan_in in ((first, 16), (last, 500)):
        scaled = part * np.sqrt(fan_in)
        assert np.abs(scaled).max() <= 1
        assert stats.kstest(scaled, stats.uniform(-1, 2).cdf).pvalue > 0.01


def test_networks_share_their_weights_by_shape_and_seed_alone() -> None:
    one = default_weights((1, 5, 1), seed=0)
    np.testing.assert_array_equal(one, default_weights((1, 5, 1), seed=0))
    assert not np.isin(one, default_weights((1, 5, 1), seed=1)).any()
    assert not np.isin(one, default_weights((1, 5, 5, 1), seed=0)).any()


def test_tensors_of_one_network_are_different_draws() -> None:
    weights = default_weights((2, 2, 2), seed=0)
    assert len(np.unique(np.abs(weights))) == len(weights)
