"""Networks as functions against the same networks as modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gradlab.model import CNN, MLP
from gradlab.model.draw import default_weights
from gradlab.train.dropout import mask_base, mask_key
from gradlab.train.network import build_network, load, set_address
from gradlab.train.pure import PureNetwork, mask_bases, mask_keys
from gradlab.train.start import first_buffers

SHAPE = (2, 6, 6)
MODELS = [
    MLP(5, 4),
    MLP(5, activation="leaky_relu", slope=0.2),
    CNN("conv 4x3 pad 1, norm, pool 2, drop 0.25, 6 linear, 5, softmax", activation="tanh"),
    CNN("conv 3x3 stride 2, drop 0.5, 7, norm, drop 0.1, 4"),
]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.label())
def test_gives_what_the_module_gives(model: Any, training: bool) -> None:
    layers = model.resolved(SHAPE, 3)
    weights = default_weights(model.tensors(SHAPE, 3), seed=0)
    buffers = first_buffers(layers, "float64")
    module = load(build_network(model, SHAPE, 3, torch.float64), weights, buffers).train(training)
    set_address(module, 7, 5, 3)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(9, *SHAPE)))
    pure = PureNetwork(model, SHAPE, 3)
    assert pure.size == weights.size
    bases = mask_bases(mask_keys([7], torch.device("cpu")), 5, 3, 1, pure.drops)[0, 0] if training else None
    tensors = {name: torch.from_numpy(value.copy()) for name, value in buffers.items()}
    outputs, after = pure(torch.from_numpy(weights), x, tensors, bases, training=training)
    torch.testing.assert_close(outputs, module(x).detach(), rtol=1e-12, atol=1e-12)
    for name, buffer in module.named_buffers():
        torch.testing.assert_close(after[name], buffer, rtol=1e-12, atol=1e-12)


def test_masks_begin_where_the_reference_says() -> None:
    table = mask_bases(mask_keys([0, 9], torch.device("cpu")), epoch=12, first=4, steps=3, drops=2)
    assert table.shape == (3, 2, 2)
    for index in range(3):
        for member, seed in enumerate((0, 9)):
            for layer in range(2):
                expected = mask_base(mask_key(seed), 12, 4 + index, layer)
                assert int(table[index, member, layer]) % 2**64 == expected
