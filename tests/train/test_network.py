"""Declared networks as modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.model import CNN, MLP
from gradlab.model.draw import default_weights
from gradlab.train.dropout import keep_mask, mask_base, mask_key
from gradlab.train.network import AddressedDropout, build_network, load, set_address, trainable, untrained

MODEL = CNN(
    "conv 4x3 pad 1, norm, pool 2, drop 0.25, 6 linear, 5, softmax", activation="leaky_relu", slope=0.2
)
SHAPE = (2, 6, 6)


def test_a_network_is_what_a_user_would_write() -> None:
    network = build_network(MODEL, SHAPE, 3, torch.float64)
    weights = default_weights(MODEL.tensors(SHAPE, 3), seed=0)
    load(network, weights, {"norm1.running_mean": np.full(4, 0.5)})
    plain = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 6),
        nn.Linear(6, 5),
        nn.LeakyReLU(0.2),
        nn.Linear(5, 3),
        nn.Softmax(dim=1),
    ).double()
    nn.utils.vector_to_parameters(torch.from_numpy(weights), plain.parameters())
    plain[1].running_mean.fill_(0.5)
    examples = torch.randn(7, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.eval()(examples), plain.eval()(examples), rtol=0, atol=0)


@pytest.mark.parametrize("model", [MODEL, MLP(5, 4), MLP(activation="tanh"), CNN("7, norm, drop 0.5, 3")])
def test_parameters_are_named_and_ordered_as_declared(model: MLP | CNN) -> None:
    network = build_network(model, SHAPE, 3)
    named = [(name, tuple(p.shape)) for name, p in network.named_parameters()]
    assert named == [(tensor.name, tensor.shape) for tensor in model.tensors(SHAPE, 3)]
    assert network(torch.zeros(4, *SHAPE)).shape == (4, 3)
    assert sum(p.numel() for p in trainable(network)) == model.parameters(SHAPE, 3)


def test_activations_are_modules_with_names() -> None:
    names = [name for name, _ in build_network(MODEL, SHAPE, 3).named_children()]
    expected = "conv1 norm1 leaky_relu1 pool1 drop1 flatten fc1 fc2 leaky_relu2 fc3 softmax"
    assert names == expected.split()


def test_torchs_generator_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    build_network(MODEL, SHAPE, 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_buffers_and_frozen_parameters_are_what_is_not_trained() -> None:
    network = build_network(MODEL, SHAPE, 3)
    network.get_submodule("fc1").requires_grad_(False)
    names = [name for name, _ in untrained(network)]
    norms = ["norm1.running_mean", "norm1.running_var", "norm1.num_batches_tracked"]
    assert names == [*norms, "fc1.weight", "fc1.bias"]


def test_dropout_draws_the_mask_at_its_address() -> None:
    network = build_network(CNN("drop 0.3, conv 4x1, drop 0.6"), SHAPE, 3)
    set_address(network, 9, 2, 5)
    for index, name, probability in ((0, "drop1", 0.3), (1, "drop2", 0.6)):
        layer = network.get_submodule(name)
        examples = torch.rand(3, 2, 6, 6, requires_grad=True)
        kept = keep_mask(mask_base(mask_key(9), 2, 5, index), probability, 72, 3)
        factors = torch.from_numpy(kept.T.reshape(3, 2, 6, 6) / (1 - probability)).float()
        found = layer(examples)
        torch.testing.assert_close(found, examples * factors, rtol=0, atol=0)
        found.sum().backward()
        torch.testing.assert_close(examples.grad, factors, rtol=0, atol=0)
        assert torch.equal(layer.eval()(examples), examples)


def test_dropout_without_an_address_is_torchs() -> None:
    layer = AddressedDropout(0.5, 0)
    examples = torch.ones(50, 4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        found = layer(examples)
        torch.manual_seed(3)
        assert torch.equal(found, nn.Dropout(0.5)(examples))
    assert len(found.unique()) == 2
