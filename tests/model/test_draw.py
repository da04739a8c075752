"""First weights, drawn with NumPy alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from gradlab.model import CNN, MLP
from gradlab.model.draw import default_weights, torch_stream_weights
from gradlab.model.layers import Tensor

SHAPES = [(1, 5, 10, 10, 10, 10, 10, 5, 1), (1, 10, 18, 15, 4, 1), (1, 190, 1), (3, 7, 2), (64, 33, 10)]


def mlp(*widths: int) -> list[Tensor]:
    return MLP(*widths[1:-1]).tensors(widths[:1], widths[-1])


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
            found = torch_stream_weights(mlp(*widths), seed, position)
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == np.float32
            position += len(expected)


@pytest.mark.parametrize("seed", [1, 42])
def test_torch_stream_is_torch_bit_for_bit_for_convolutions(seed: int) -> None:
    first = CNN("conv 10x3, pool 2, conv 16x3 pad 1, norm, pool 2, drop 0.5, 512, 125").tensors(
        (1, 28, 28), 10
    )
    second = CNN("conv 96x5 stride 2, 7, norm").tensors((3, 32, 32), 10)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        expected = [
            torch.nn.Sequential(
                torch.nn.Conv2d(1, 10, 3),
                torch.nn.Conv2d(10, 16, 3, padding=1),
                torch.nn.BatchNorm2d(16),
                torch.nn.Linear(16 * 6 * 6, 512),
                torch.nn.Linear(512, 125),
                torch.nn.Linear(125, 10),
            ),
            torch.nn.Sequential(
                torch.nn.Conv2d(3, 96, 5, stride=2),
                torch.nn.Linear(96 * 14 * 14, 7),
                torch.nn.BatchNorm1d(7),
                torch.nn.Linear(7, 10),
            ),
        ]
    position = 0
    for tensors, network in zip((first, second), expected, strict=True):
        flat = torch.cat([p.detach().reshape(-1) for p in network.parameters()]).numpy()
        np.testing.assert_array_equal(torch_stream_weights(tensors, seed, position), flat)
        assert [t.shape for t in tensors] == [tuple(p.shape) for p in network.parameters()]
        position += sum(t.size for t in tensors if t.fan_in)  # a norm draws nothing


def test_weights_of_a_convolution_follow_torchs_distribution() -> None:
    tensors = CNN("conv 200x3, norm, pool 2").tensors((4, 6, 6), 10)
    weights = default_weights(tensors, seed=3)
    assert weights.size == sum(tensor.size for tensor in tensors)
    scaled = weights[: 200 * 4 * 9] * np.sqrt(4 * 9)
    assert np.abs(scaled).max() <= 1
    assert stats.kstest(scaled, stats.uniform(-1, 2).cdf).pvalue > 0.01
    np.testing.assert_array_equal(weights[200 * 37 : 200 * 38], 1)
    np.testing.assert_array_equal(weights[200 * 38 : 200 * 39], 0)


def test_an_equal_row_of_dense_layers_has_equal_weights_however_it_is_written() -> None:
    np.testing.assert_array_equal(
        default_weights(CNN("7, drop 0.2, 5").tensors((3,), 2), seed=4),
        default_weights(mlp(3, 7, 5, 2), seed=4),
    )


def test_default_weights_follow_torchs_distribution() -> None:
    weights = default_weights(mlp(16, 500, 4), seed=3)
    first, last = weights[: 17 * 500], weights[17 * 500 :]
    for part, fan_in in ((first, 16), (last, 500)):
        scaled = part * np.sqrt(fan_in)
        assert np.abs(scaled).max() <= 1
        assert stats.kstest(scaled, stats.uniform(-1, 2).cdf).pvalue > 0.01


def test_networks_share_their_weights_by_shape_and_seed_alone() -> None:
    one = default_weights(mlp(1, 5, 1), seed=0)
    np.testing.assert_array_equal(one, default_weights(mlp(1, 5, 1), seed=0))
    assert not np.isin(one, default_weights(mlp(1, 5, 1), seed=1)).any()
    assert not np.isin(one, default_weights(mlp(1, 5, 5, 1), seed=0)).any()


def test_tensors_of_one_network_are_different_draws() -> None:
    weights = default_weights(mlp(2, 2, 2), seed=0)
    assert len(np.unique(np.abs(weights))) == len(weights)
