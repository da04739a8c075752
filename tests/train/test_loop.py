"""The PyTorch loop against a loop written by hand."""

from __future__ import annotations

import foreign_net
import numpy as np
import pytest
import torch
from fleets import fleet_of, spec_of, whole
from torch import nn
from torch.nn import functional

from gradlab.model import MLP, Module, TorchStream
from gradlab.study.recipe import SGD, Adam
from gradlab.train.random import order, torch_seed


def by_hand(network: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, batch: int) -> torch.Tensor:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    network.train()
    for epoch in range(epochs):
        torch.manual_seed(torch_seed(0, epoch))
        for examples in torch.from_numpy(order(0, epoch, len(x))).long().split(batch):
            loss = functional.mse_loss(network(x[examples]), y[examples])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return torch.cat([p.detach().reshape(-1) for p in network.parameters()])


@pytest.mark.parametrize("arguments", [{}, {"dropout": 0.4}, {"norm": True}])
def test_a_module_trains_as_a_user_would_train_it(arguments: dict[str, object]) -> None:
    model = Module(foreign_net.Regressor, 5, **arguments)
    fleet = fleet_of(spec_of(model=model, batch_size=6, initial=TorchStream(11)), 4)
    states, _ = whole(fleet)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        network = model.build()
        x, y = (torch.tensor(a, dtype=torch.float32) for a in (fleet.data[0].x, fleet.data[0].y))
        expected = by_hand(network, x, y, 4, 6)
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(states[0].weights, expected.numpy())
    if arguments.get("norm"):
        np.testing.assert_array_equal(
            states[0].buffers["norm.running_mean"], network.norm.running_mean.numpy()
        )


def test_torch_is_left_as_it_was() -> None:
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    for model in (Module(foreign_net.Regressor, dropout=0.5), MLP(3)):
        whole(
            fleet_of(spec_of(model=model), 3, backend="loop", quantities=("loss", "dead_units", "loss.test"))
        )
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), generator)


def test_measurements_are_taken_in_evaluation_mode() -> None:
    model = Module(foreign_net.Regressor, dropout=0.5, norm=True)
    fleet = fleet_of(spec_of(model=model, batch_size=7), 3, quantities=("loss", "gradient_norm"))
    states, traces = whole(fleet)
    network = model.build().eval()
    first = 0
    for parameter in network.parameters():
        part = states[0].weights[first : first + parameter.numel()].copy()
        parameter.data = torch.from_numpy(part).reshape(parameter.shape)
        first += parameter.numel()
    for name, buffer in network.named_buffers():
        buffer.copy_(torch.from_numpy(states[0].buffers[name]))
    x, y = (torch.tensor(a, dtype=torch.float32) for a in (fleet.data[0].x, fleet.data[0].y))
    loss = functional.mse_loss(network(x), y)
    norm = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(network.parameters()))]).norm()
    assert traces[0].series["loss"][1][-1] == pytest.approx(loss.item(), rel=1e-5)
    assert traces[0].series["gradient_norm"][1][-1] == pytest.approx(norm.item(), rel=1e-4)


def test_frozen_and_idle_parameters() -> None:
    fleet = fleet_of(
        spec_of(model=Module(foreign_net.Frozen), optimizer=Adam(lr=1e-2)),
        5,
        quantities=("gradient_norm_layers",),
    )
    states, traces = whole(fleet)
    start = whole(fleet_of(spec_of(model=Module(foreign_net.Frozen), optimizer=SGD(lr=1e-30)), 1))[0][0]
    np.testing.assert_array_equal(states[0].buffers["first.weight"], start.buffers["first.weight"])
    assert states[0].weights.size == 8
    np.testing.assert_array_equal(states[0].weights[:3], 1)
    assert traces[0].series["gradient_norm_layers"][1].shape == (6, 2)
    assert (traces[0].series["gradient_norm_layers"][1][:, 0] == 0).all()


def test_a_large_training_set_is_measured_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(dtype="float64")
    quantities = ("loss", "gradient_norm", "gradient_norm_mean", "tolerance_accuracy")
    _, at_once = whole(fleet_of(spec, 2, backend="loop", quantities=quantities))
    monkeypatch.setattr("gradlab.train.loop._CHUNK", 6)
    _, in_parts = whole(fleet_of(spec, 2, backend="loop", quantities=quantities))
    for name in quantities:
        np.testing.assert_allclose(in_parts[0].series[name][1], at_once[0].series[name][1], rtol=1e-12)


def test_replicates_of_a_module_begin_differently_and_reproducibly() -> None:
    fleet = fleet_of(spec_of(model=Module(foreign_net.Regressor)), 1, range(3))
    one, two = whole(fleet)[0], whole(fleet)[0]
    assert len({state.weights.tobytes() for state in one}) == 3
    assert [s.weights.tobytes() for s in one] == [s.weights.tobytes() for s in two]
