"""Networks on flat arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.train.flat import FlatNetwork, FlatOptimizer
from gradlab.train.start import slot_names
from gradlab.train.state import State


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    ).double()


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_state_does_not_know_how_weights_lie(channels_last: bool) -> None:
    with torch.random.fork_rng(devices=[]):
        plain, flat = network(), FlatNetwork(network(), channels_last=channels_last)
    expected = nn.utils.parameters_to_vector(plain.parameters()).detach().numpy()
    np.testing.assert_array_equal(flat.as_state(flat.weights), expected)
    x = torch.randn(5, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert flat.network[0].weight.is_contiguous(memory_format=torch.channels_last) is channels_last
    plain(x).square().sum().backward()
    flat.network(x).square().sum().backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in plain.parameters()])
    np.testing.assert_allclose(flat.as_state(flat.gradient), gradient.numpy(), atol=1e-12)
    squares = [[p.grad.square().sum().item() for p in plain[k].parameters()] for k in (0, 1, 4)]
    np.testing.assert_allclose(flat.squares(), squares, atol=1e-20)
    values = np.arange(expected.size, dtype=np.float64)
    flat.load(values, {"1.running_mean": np.full(3, 0.25)})
    np.testing.assert_array_equal(flat.as_state(flat.weights), values)
    assert flat.network[0].weight[1, 1, 2, 0].item() == 18 + 9 + 6
    assert flat.buffers()["1.running_mean"].tolist() == [0.25] * 3
    assert flat.finite()
    flat.weights[3] = torch.nan
    assert not flat.finite()


@pytest.mark.parametrize(
    "rule",
    [SGD(lr=0.1), SGD(lr=0.1, momentum=0.9), Adam(lr=0.1), AdamW(lr=0.1), RMSprop(lr=0.1, momentum=0.5)],
)
def test_an_optimizer_goes_on_where_another_stopped(rule: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        one, two = (FlatNetwork(network(), channels_last=True) for _ in range(2))
    size = one.weights.numel()
    steps = torch.randn(4, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    slots = {name: np.zeros(size) for name in slot_names(rule)}
    state = State(epoch=0, updates=0, weights=np.zeros(size), slots=slots)
    direct, broken = FlatOptimizer(rule, one, state), FlatOptimizer(rule, two, state)
    for name in slots:
        np.testing.assert_array_equal(direct.slot(name), 0)
    for count, gradient in enumerate(steps):
        if count == 2:
            state = State(0, 2, two.as_state(two.weights), {name: broken.slot(name) for name in slots})
            broken = FlatOptimizer(rule, two, state)
        for flat, optimizer in ((one, direct), (two, broken)):
            flat.gradient.copy_(gradient)
            optimizer.rate(0.1 / (1 + count))
            optimizer.step()
    assert torch.equal(one.weights, two.weights)
