"""The loss as a function of flat weights: what it refuses, and that it leaves everything as it was."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gradlab.errors import MeasureError
from gradlab.measure.data import examples_of
from gradlab.measure.objective import Objective
from gradlab.measure.products import product

DRAWS = np.random.default_rng(0)
X, Y, CLASSES = DRAWS.standard_normal((23, 4)), DRAWS.standard_normal((23, 2)), DRAWS.integers(0, 2, 23)


def net(seed: int = 0, *layers: nn.Module) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 5), *layers, nn.Tanh(), nn.Linear(5, 2))


class Mixing(nn.Module):
    """Subtracts the mean of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.line(x)
        return out - out.mean(dim=0)


class Noisy(Mixing):
    """Draws in evaluation mode too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(self.line(x), 0.5, training=True)


class Two(Mixing):
    """Gives a pair."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # pyright: ignore
        return self.line(x), x


class Unused(nn.Module):
    """Has a parameter that the loss does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Parameter(torch.ones(3))
        self.line = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x)


class Tied(nn.Module):
    """Uses one matrix twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
        self.two.weight = self.one.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(torch.tanh(self.one(x)))


def total(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return ((outputs - targets) ** 2).sum()


@pytest.mark.parametrize(
    ("network", "loss", "x", "y", "cause"),
    [
        (net(), total, X, Y, "not a mean over examples but their sum"),
        (
            net(),
            lambda o, t: ((o - t) ** 2).mean().sqrt(),
            X,
            Y,
            "not a mean over examples: the losses of two parts",
        ),
        (net(), lambda o, t: ((o - t) ** 2).mean(dim=1), X, Y, "not one number"),
        (net(), lambda o, t: (o - t).square().mean() * torch.rand(()), X, Y, "not deterministic"),
        (Noisy(), "mse", X, Y, "not deterministic"),
        (Mixing(), "mse", X, Y, "mixes examples"),
        (nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False), net()), "mse", X, Y, "mixes examples"),
        (Two(), "mse", X, Y, "gives a tuple, not one tensor"),
        (net(), "mse", X, Y[:, :1], "differ in shape"),
        (net(), "mse", X, Y[:5], "23 inputs, but 5 targets"),
        (net(), "hinge", X, Y, "no loss is called 'hinge'; allowed: cross_entropy, mse"),
        (net(), "mse", X[:0], Y[:0], "no examples"),
        (net(), "mse", X + 0j, Y, "real numbers or classes"),
        (net(), "cross_entropy", X[:, :3], CLASSES, "cannot be evaluated"),
        (nn.Linear(4, 2, dtype=torch.complex64), "mse", X, Y, "weight is complex"),
        (net().requires_grad_(False), "mse", X, Y, "no trainable parameters"),
        (
            [net(), nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))],
            "mse",
            X,
            Y,
            "not of one architecture",
        ),
        ([], "mse", X, Y, "no networks"),
        (net(), "crossentropy", X, CLASSES, "did you mean 'cross_entropy'"),
        (net(), lambda o, t: float((o - t).square().mean()), X, Y, "gives a float, not a tensor"),
        (net(), lambda o, t: (o - t).square().mean().detach(), X, Y, "no gradient by the outputs"),
        (net(), lambda o, t: ((o > 0) != (t > 0)).double().mean(), X, Y, "no gradient by the outputs"),
        (nn.Sequential(nn.ReLU(inplace=True), net()), "mse", X, Y, "in place"),
        (nn.Sequential(nn.Embedding(9, 4, max_norm=0.1)), "mse", CLASSES, np.zeros((23, 4)), "in place"),
        (nn.LazyLinear(2), "mse", X, Y, "lazy layer"),
        (torch.tanh, "mse", X, Y, "is a torch.nn.Module"),
        (net(), "mse", [[1.0], [2.0, 3.0]], Y, "arrays of numbers"),
        (net(), "mse", DataLoader(TensorDataset(torch.zeros(1))), Y, "examples_of"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_cause(network, loss, x, y, cause) -> None:
    with pytest.raises(MeasureError, match=cause):
        Objective(network, loss, x, y)


def test_a_loss_that_weighs_classes_is_refused_on_data_sorted_by_class() -> None:
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0], dtype=torch.float64))
    x, y = np.repeat(X, 10, axis=0), np.sort(np.repeat(CLASSES, 10))
    with pytest.raises(MeasureError, match="not a mean over examples"):
        Objective(net(), weighted, x, y)


def test_a_penalty_on_weights_that_the_loss_fetches_itself_is_refused() -> (
    None
):  # it would count as a constant
    mine = net()

    def penalised(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs - targets).square().mean() + 0.1 * sum(p.square().sum() for p in mine.parameters())

    with pytest.raises(MeasureError, match="reaches the network's weights by itself"):
        Objective(mine, penalised, X, Y)
    temperature = nn.Parameter(torch.ones(()))  # of the loss's own: held
    Objective(mine, lambda o, t: (o * temperature - t).square().mean(), X, Y)


def test_a_network_that_keeps_a_part_of_a_graph_is_refused() -> None:
    mine = net()
    mine.last = mine(torch.zeros(1, 4))
    with pytest.raises(MeasureError, match="cannot be copied"):
        Objective(mine, "mse", X, Y)


def test_whole_numbers_are_targets_of_the_squared_error_as_others_are() -> None:
    line = nn.Linear(4, 1)
    one, two = (Objective(line, "mse", X, y) for y in (CLASSES, CLASSES.astype(float)))
    assert torch.equal(one.gradient(one.weights), two.gradient(two.weights))


def test_networks_in_half_precision_are_not_taken_for_something_else() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        Objective(net().to(dtype), "cross_entropy", X, CLASSES, dtype=dtype)


@pytest.mark.parametrize("kind", [">f8", np.longdouble, np.float16])
def test_numbers_of_any_make(kind) -> None:
    given, same = X.astype(kind)[::-1], X.astype(kind)[::-1].astype(np.float64)
    assert np.array_equal(Objective(net(), "mse", given, Y).x, same)


class Recurrent(nn.Module):
    """What vmap refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(2, 3, batch_first=True)
        self.line = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(self.cells(x)[0][:, -1])


class Attentive(nn.Module):
    """Whose fast kernels have no second derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(2, 1, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).mean(dim=1)


@pytest.mark.parametrize("kind", [Recurrent, Attentive])
def test_recurrent_and_attentive_networks(kind) -> None:
    x, y = X.reshape(23, 2, 2), Y
    torch.manual_seed(0)
    both = [kind(), kind()]
    fleet = Objective(both, "mse", x, y)
    for row, one in enumerate(fleet.alone()):
        torch.testing.assert_close(fleet.value(fleet.weights)[row], one.value(one.weights))
    one = Objective(both[0], "mse", x, y)
    direction = torch.from_numpy(np.random.default_rng(1).standard_normal(one.size))
    step = 1e-5 * direction
    slope = (one.gradient(one.weights + step) - one.gradient(one.weights - step)) / 2e-5
    torch.testing.assert_close(product(one, one.weights)(direction), slope, rtol=1e-4, atol=1e-6)


def test_sparse_gradients_are_the_same_numbers() -> None:
    tables = [nn.Embedding(3, 2, sparse=sparse) for sparse in (False, True)]
    tables[1].load_state_dict(tables[0].state_dict())
    one, two = (Objective(table, "mse", CLASSES, Y) for table in tables)
    assert torch.equal(one.gradient(one.weights), two.gradient(two.weights))
    assert tables[1].sparse


def test_a_short_last_chunk_counts_for_its_examples_only() -> None:
    whole, parts = (Objective(net(), "mse", X, Y, at_once=at_once) for at_once in (100, 10))
    assert [share * 23 for _, share in parts.chunks()] == pytest.approx([10, 10, 3])
    assert torch.allclose(whole.value(whole.weights), parts.value(parts.weights), rtol=1e-14)
    assert torch.allclose(whole.gradient(whole.weights), parts.gradient(parts.weights), rtol=1e-12)


def test_nothing_of_the_users_is_changed() -> None:
    network = net(0, nn.BatchNorm1d(5), nn.Dropout(0.5)).train()
    network[0].weight.requires_grad_(False)
    state, modes = copy.deepcopy(network.state_dict()), [module.training for module in network.modules()]
    wants = [p.requires_grad for p in network.parameters()]
    generator = torch.get_rng_state()
    objective = Objective(network, "mse", X, Y)
    objective.gradient(objective.weights)
    assert all(torch.equal(a, b) for a, b in zip(state.values(), network.state_dict().values(), strict=True))
    assert modes == [module.training for module in network.modules()]
    assert wants == [p.requires_grad for p in network.parameters()]
    assert all(p.grad is None for p in network.parameters())
    assert torch.equal(generator, torch.get_rng_state())
    assert objective.settings["batch_norm"] == "running statistics"
    assert objective.settings["dropout"] == "off"
    assert objective.settings["frozen"] == 20
    assert objective.size == sum(p.numel() for p in network.parameters()) - 20


def test_parameters_without_a_gradient_count_as_zeros() -> None:  # PyHessian's product fails on them
    objective = Objective(Unused(), "mse", X, Y)
    gradient = objective.gradient(objective.weights)
    assert gradient[:3].tolist() == [0, 0, 0]
    assert gradient[3:].abs().min() > 0
    constant = Objective(Unused(), lambda o, t: (o * 0).detach().mean(), X, Y)
    assert not constant.gradient(constant.weights).any()


def test_a_shared_parameter_counts_once() -> None:
    objective = Objective(Tied(), "mse", X, X)
    assert objective.size == 16 + 4 + 4
    twin = Tied().double()
    torch.nn.utils.vector_to_parameters(objective.weights, twin.parameters())
    loss = nn.functional.mse_loss(twin(torch.from_numpy(X)), torch.from_numpy(X))
    wanted = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(twin.parameters()))])
    assert torch.allclose(objective.gradient(objective.weights), wanted, rtol=1e-12)


def test_targets_of_one_output_may_be_a_row() -> None:  # torch would compare every example with every other
    line = nn.Linear(4, 1)
    row, column = Objective(line, "mse", X, Y[:, 0]), Objective(line, "mse", X, Y[:, :1])
    assert row.value(row.weights) == column.value(column.weights)


def test_several_networks_are_the_same_as_one_at_a_time() -> None:
    networks = [net(seed, nn.BatchNorm1d(5)) for seed in range(3)]
    for seed, network in enumerate(networks):
        network[1].running_mean += seed
    fleet = Objective(networks, "cross_entropy", X, CLASSES)
    for place, (network, alone) in enumerate(zip(networks, fleet.alone(), strict=True)):
        one = Objective(network, "cross_entropy", X, CLASSES)
        assert torch.allclose(fleet.gradient(fleet.weights)[place], one.gradient(one.weights), rtol=1e-10)
        assert torch.equal(alone.gradient(alone.weights), one.gradient(one.weights))
        again = Objective(fleet.module(place), "cross_entropy", X, CLASSES)
        assert torch.equal(again.value(again.weights), one.value(one.weights))
    with pytest.raises(MeasureError, match="buffers"):
        fleet.loss(fleet.weights[0])


def test_the_fast_way_through_a_stack_is_the_same_as_the_network() -> None:
    convolutions = nn.Sequential(
        nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Sequential(nn.MaxPool2d(2), nn.Flatten()),
        nn.Linear(3, 2),
    )  # fmt: skip
    given = X[:20].reshape(20, 1, 2, 2).repeat(2, axis=2).repeat(2, axis=3)[:, :, :3, :3]
    odd = nn.Linear(4, 2)
    odd.register_buffer("table", torch.ones(2))
    hooked = net()
    hooked[0].register_forward_hook(lambda module, given, out: 2 * out)
    for network, x in ((convolutions, given), (net(), X), (odd, X), (hooked, X)):
        objective = Objective(network, "mse", x, Y[: len(x)])
        wanted = copy.deepcopy(network).double().eval()(torch.from_numpy(x))
        assert torch.allclose(objective.outputs(objective.weights, objective.x), wanted, rtol=1e-14)
    assert Objective(hooked, "mse", X, Y).chain is None


def test_weight_decay_is_inside_if_asked_for() -> None:
    plain, decayed = Objective(net(), "mse", X, Y), Objective(net(), "mse", X, Y, weight_decay=0.3, at_once=7)
    weights = plain.weights
    assert float(decayed.value(weights)) == pytest.approx(
        float(plain.value(weights) + 0.15 * weights @ weights)
    )
    assert torch.allclose(decayed.gradient(weights), plain.gradient(weights) + 0.3 * weights)


def test_parts_by_name() -> None:
    objective = Objective(net(), "mse", X, Y)
    assert objective.span("2") == slice(25, 37)
    assert objective.span("0.bias") == slice(20, 25)
    assert objective.span() == slice(0, 37)
    with pytest.raises(
        MeasureError, match=r"no part '2\.weights'; allowed: network, 0\.weight.*did you mean '2\.weight'"
    ):
        objective.span("2.weights")


def test_examples_of_a_loader() -> None:
    data = TensorDataset(torch.arange(7.0)[:, None], torch.arange(7))
    x, y = examples_of(DataLoader(data, batch_size=3))
    assert x[:, 0].tolist() == y.tolist() == list(range(7))
    assert len(examples_of(data, 4)[0]) == 4
    with pytest.raises(MeasureError, match="pairs"):
        examples_of(DataLoader(torch.zeros(3, 2)))  # pyright: ignore
    with pytest.raises(MeasureError, match="no examples"):
        examples_of(DataLoader(TensorDataset(torch.zeros(0, 1), torch.zeros(0))))


def test_importing_the_room_does_not_import_torch_and_a_name_is_the_instrument() -> None:
    code = (
        "import sys, gradlab.measure as m; assert 'torch' not in sys.modules; import gradlab.measure.density; "
        "from gradlab.measure import trace; assert callable(m.density) and callable(trace); "
        "assert all(callable(getattr(m, name)) for name in m.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
