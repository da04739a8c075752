"""The PyTorch loop against a loop written by hand."""

from __future__ import annotations

from typing import Any

import foreign_net
import numpy as np
import pytest
import torch
from fleets import fleet_of, spec_of, whole
from images_by_hand import AUGMENT, ByHand, image_fleet, image_spec, pictures, trained
from torch import nn
from torch.nn import functional

from gradlab.model import CNN, MLP, Module, TorchStream
from gradlab.study.recipe import SGD, Adam
from gradlab.train.advance import advance
from gradlab.train.fleet import Data
from gradlab.train.learner import learner
from gradlab.train.loop import LoopLearner
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
    np.testing.assert_allclose(states[0].weights, expected.numpy(), rtol=2e-6, atol=1e-7)  # a fused optimizer
    if arguments.get("norm"):
        np.testing.assert_allclose(
            states[0].buffers["norm.running_mean"], network.norm.running_mean.numpy(), rtol=2e-6, atol=1e-7
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


@pytest.mark.parametrize("augment", [None, AUGMENT], ids=["plain", "augmented"])
def test_images_are_trained_as_by_hand(augment: Any) -> None:
    spec = image_spec(optimizer=Adam(lr=1e-2))
    names = ("loss.running", "accuracy.running", "loss.batch_sum", "loss.last_batch", "loss")
    fleet = image_fleet(spec, 4, backend="loop", augment=augment, quantities=names)
    begun, _ = advance(fleet, None, 0)
    states, traces = whole(fleet)
    network, met = trained(begun[0].weights, fleet.data[0], 4, 7, 1e-2)
    expected = torch.cat([p.detach().reshape(-1) for p in network.parameters()]).numpy()
    np.testing.assert_allclose(states[0].weights, expected, rtol=0, atol=1e-9)
    mean = states[0].buffers["norm1.running_mean"]
    np.testing.assert_allclose(mean, network.norm1.running_mean.numpy(), rtol=0, atol=1e-9)
    series = traces[0].series
    for row, batches in enumerate(met):
        sizes, losses, right = (np.array(column) for column in zip(*batches, strict=True))
        assert series["loss.running"][0][row] == row + 1
        assert series["loss.running"][1][row] == pytest.approx((sizes * losses).sum() / 30, rel=1e-9)
        assert series["accuracy.running"][1][row] == pytest.approx(right.sum() / 30, rel=1e-12)
        assert series["loss.batch_sum"][1][row] == pytest.approx(losses.sum(), rel=1e-9)
        assert series["loss.last_batch"][1][row] == pytest.approx(losses[-1], rel=1e-9)
    network.eval().masks = None
    x, y = torch.from_numpy(fleet.data[0].x), torch.from_numpy(fleet.data[0].y)
    assert series["loss"][1][-1] == pytest.approx(functional.cross_entropy(network(x), y).item(), rel=1e-9)


def test_evaluation_in_training_mode_drops_units_and_leaves_the_network_as_it_was() -> None:
    spec = image_spec()
    fleet = image_fleet(spec, 2, backend="loop")
    states, _ = whole(fleet)
    data, state, network = fleet.data[0], states[0], ByHand().double()
    loop = learner(spec, data, "loop")
    loss, outputs = loop.evaluate(state.weights, state.buffers, data.test_x, data.test_y, training=(5, 9))
    plain, _ = loop.evaluate(state.weights, state.buffers, data.test_x, data.test_y)
    again, _ = loop.evaluate(state.weights, state.buffers, data.test_x, data.test_y)
    assert plain == again != loss
    torch.nn.utils.vector_to_parameters(torch.from_numpy(state.weights.copy()), network.parameters())
    expected = []
    for index, first in enumerate((0, 7)):
        x = torch.from_numpy(data.test_x[first : first + 7])
        network.train().drop(5, 9, 2**22 + index, len(x))
        expected.append(network(x).detach().numpy())
    np.testing.assert_allclose(outputs, np.concatenate(expected), atol=1e-12)


def test_single_precision_images_are_not_copied() -> None:
    x = np.zeros((10, 2, 8, 8), np.float32)
    spec = spec_of(task=pictures(), model=CNN("conv 2x3"), batch_size=4)
    loop = LoopLearner(spec, Data(x, np.zeros(10, np.int64)))
    assert loop._batches.x.data_ptr() == x.ctypes.data


def test_a_full_batch_of_many_images_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = image_spec(model=CNN("conv 4x3, pool 2, 6"), batch_size="full")
    whole_batch, _ = whole(image_fleet(spec, 5, backend="loop"))
    monkeypatch.setattr("gradlab.train.loop._CHUNK_BYTES", 2**14)
    in_parts, _ = whole(image_fleet(spec, 5, backend="loop"))
    np.testing.assert_allclose(in_parts[0].weights, whole_batch[0].weights, rtol=0, atol=1e-12)
    assert not np.array_equal(in_parts[0].weights, whole_batch[0].weights)  # so it was in parts


def test_bfloat16_is_near_and_part_of_the_identity() -> None:
    exact = image_spec(dtype="float32", model=CNN("conv 4x3, pool 2, 6"), optimizer=SGD(lr=0.1))
    rough = exact.model_copy(update={"precision": "bfloat16"})
    one, two = (whole(image_fleet(spec, 3, backend="loop"))[0][0].weights for spec in (exact, rough))
    assert 0 < np.abs(one - two).max() < 0.05
    assert "precision" not in exact.canonical()
    assert rough.canonical()["precision"] == "bfloat16"


def test_units_are_alive_if_any_example_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = image_spec(model=CNN("conv 4x3, pool 2, 6"))
    fleet = image_fleet(spec, 1, backend="loop")
    state = whole(fleet)[0][0]
    state.weights[-27:-21] = -1e3  # the biases of the six
    state.weights[-22] = 1e3
    monkeypatch.setattr("gradlab.train.loop._CHUNK", 4)
    loop = learner(spec, fleet.data[0], "loop")
    masks, units = loop.alive(state.weights, state.buffers, fleet.data[0].x)
    assert [mask.shape for mask in masks] == [(144,), (6,)]
    assert masks[1].tolist() == [False] * 5 + [True]
    assert units == 150
