"""Permuting hidden units: structures, both matchings, the identity check, and REPAIR."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from plain_paths import blobs, cnn, mlp, renormalised, shuffled, train
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure import alignment
from gradlab.measure.alignment import align, identity_error
from gradlab.measure.graph import Graph
from gradlab.measure.interpolation import interpolation
from gradlab.measure.scores import private_state
from gradlab.measure.units import hidden_groups, permuted

X, Y = blobs(200)
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 1, 8, 8)))


class Residual(nn.Module):
    """A plain residual network: two blocks on one stream of 6 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.one, self.two = nn.Conv2d(6, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.depth = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.norm(self.stem(x)))
        h = torch.relu(h + self.two(torch.relu(self.one(h))))
        h = torch.relu(h + self.depth(h))
        return self.head(nn.functional.adaptive_avg_pool2d(h, 1).flatten(1))


def drawn(make: object, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().double()  # type: ignore[operator]


def any_order(network: nn.Module, x: torch.Tensor, seed: int) -> nn.Module:
    """A copy with every group of hidden units in an order drawn from a seed."""
    groups = hidden_groups(Graph(network, x[:2]))
    rng = np.random.default_rng(seed)
    found = copy.deepcopy(network)
    state = permuted(private_state(network), groups, [rng.permutation(g.units) for g in groups])
    found.load_state_dict(state)
    return found


CASES = [
    (lambda: mlp(5, 12, 9, 3), X),
    (lambda: mlp(5, 12, 9, 3, norm=True), X),
    (cnn, IMAGES),
    (lambda: cnn(norm=True), IMAGES),
]


@pytest.mark.parametrize("method", ["weights", "activations"])
@pytest.mark.parametrize(("make", "x"), CASES)
def test_a_shuffled_copy_is_found_to_be_the_same(make: object, x: torch.Tensor, method: str) -> None:
    network = make()  # type: ignore[operator]
    other = shuffled(network, seed=1)
    assert identity_error(network, other, x) < 1e-12
    found = align(network, other, x, method=method)  # type: ignore[arg-type]
    assert found.distance_before > 1
    assert found.distance < 1e-12
    assert found.identity_error < 1e-12
    assert found.moved > 0


def test_residual_streams_are_one_group() -> None:
    network = drawn(Residual, 0)
    groups = hidden_groups(Graph(network, IMAGES[:2]))
    assert [(g.name, g.units) for g in groups] == [("stem", 6), ("one", 4)]
    stream = {"stem.weight", "norm.running_var", "two.weight", "depth.bias", "head.weight"}
    assert stream <= {axis.tensor for axis in groups[0].axes}
    other = any_order(network, IMAGES, seed=3)
    for method in ("weights", "activations"):
        assert align(network, other, IMAGES, method=method).distance < 1e-12  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("make", "x"), [*CASES, (lambda: drawn(Residual, 0), IMAGES)])
def test_every_order_is_the_same_function(make: object, x: torch.Tensor, seed: int) -> None:
    network = make()  # type: ignore[operator]
    assert identity_error(network, any_order(network, x, seed), x) < 1e-12


def test_a_wrong_structure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most reported failures of alignment are a wrong table of axes: the check must catch any."""
    network = mlp(5, 12, 9, 3, norm=True)
    right = hidden_groups(Graph(network, X[:2]))
    for left_out in range(len(right[0].axes)):
        axes = tuple(a for k, a in enumerate(right[0].axes) if k != left_out)
        if right[0].axes[left_out].tensor.endswith(("running_mean", "running_var", "1.weight", "1.bias")):
            continue  # of a network that was never trained these are all alike
        wrong = (right[0].__class__(right[0].name, right[0].units, axes, right[0].seen), *right[1:])
        monkeypatch.setattr(alignment, "hidden_groups", lambda graph, wrong=wrong: wrong)
        with pytest.raises(MeasureError, match="not the same function"):
            align(network, shuffled(network, seed=1), X)


class Branches(nn.Module):
    """Goes one way or the other by its data."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) if x.sum() > 0 else -self.fc(x)


class Joins(nn.Module):
    """Puts the units of two layers beside one another."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(5, 4), nn.Linear(5, 4), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.one(x), self.two(x)], dim=1))


def test_what_is_not_understood_is_refused_by_name() -> None:
    for network, message in (
        (Branches(), "cannot be followed"),
        (Joins(), r"operation 'cat' \(cat\) is not understood"),
        (nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 3)), "LayerNorm"),
    ):
        with pytest.raises(MeasureError, match=message):
            align(network.double(), network.double(), X)
    layer = nn.Linear(5, 5).double()
    with pytest.raises(MeasureError, match="used twice"):
        align(nn.Sequential(layer, nn.ReLU(), layer), nn.Sequential(layer, nn.ReLU(), layer), X)
    grouped = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=2)).double()
    with pytest.raises(MeasureError, match="in 2 groups"):
        align(grouped, grouped, IMAGES)
    with pytest.raises(MeasureError, match="no alignment is called"):
        align(mlp(5, 4, 3), mlp(5, 4, 3), X, method="sinkhorn")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["weights", "activations"])
def test_a_permuted_copy_has_a_barrier_before_and_none_after(method: str) -> None:
    network = train(mlp(5, 16, 16, 3, seed=0), X, Y)
    other = shuffled(network, seed=2)
    kinds = {"low": 0, "high": 1, "points": 25, "same_start": True}
    before = interpolation(network, other, "cross_entropy", X, Y, **kinds)
    after = interpolation(network, other, "cross_entropy", X, Y, align=method, **kinds)
    assert float(before["barrier"]) > 0.1
    assert float(after["barrier"]) < 1e-12
    assert float(after["distance"]) < 1e-12
    assert after.settings["align"] == method


def test_matching_weights_never_moves_networks_apart() -> None:
    for seed in range(3):
        one, two = (train(mlp(5, 12, 9, 3, seed=10 * seed + s), X, Y, steps=40) for s in (0, 1))
        found = align(one, two, X, seed=seed)
        assert found.distance < found.distance_before
        again = align(one, two, X, seed=seed)
        assert all(np.array_equal(a, again.permutations[n]) for n, a in found.permutations.items())


def test_matching_activations_finds_the_best_sum_of_correlations() -> None:
    """Against all orders of 4 units."""
    from itertools import permutations

    one, two = (mlp(5, 4, 3, seed=s) for s in (0, 1))
    with torch.no_grad():
        before, after = ([net[:k](X).numpy().T for net in (one, two)] for k in (1, 2))
    table = np.corrcoef(*before)[:4, 4:] + np.corrcoef(*after)[:4, 4:]
    best = max(permutations(range(4)), key=lambda order: table[range(4), order].sum())
    assert tuple(align(one, two, X, method="activations").permutations["0"]) == best


def test_dead_units_do_no_harm() -> None:
    one, two = mlp(5, 8, 3, seed=0), mlp(5, 8, 3, seed=1)
    with torch.no_grad():
        two[0].bias[:3] = -1e3
    assert align(one, two, X, method="activations").identity_error < 1e-12


def test_repair_gives_hidden_units_the_statistics_of_the_ends() -> None:
    one, two = (train(mlp(5, 24, 24, 3, seed=s), X, Y) for s in (0, 1))
    kinds = {"low": 0, "high": 1, "points": 25, "same_start": False, "align": "activations"}
    plain = interpolation(one, two, "cross_entropy", X, Y, **kinds)
    repaired = interpolation(one, two, "cross_entropy", X, Y, repair=True, **kinds)
    for end in ("loss_0", "loss_1"):  # the ends are not touched
        assert float(repaired[end]) == float(plain[end])
    assert float(repaired["barrier"]) < float(plain["barrier"])

    from gradlab.measure.path import Line
    from gradlab.measure.repair import Repair

    network = copy.deepcopy(one)
    network.load_state_dict(Line(private_state(one), private_state(two)).at(0.5))
    change = Repair(one, two, X).at(0.5)
    assert change is not None
    change(network, X)
    with torch.no_grad():
        for layer in (1, 3):
            goal, found = [net[:layer](X) for net in (one, two)], network[:layer](X)
            np.testing.assert_allclose(found.mean(0), (goal[0].mean(0) + goal[1].mean(0)) / 2, atol=1e-12)
            spread = (goal[0].std(0) + goal[1].std(0)) / 2
            np.testing.assert_allclose(found.std(0), spread, rtol=1e-12)


def test_repair_is_for_networks_without_normalisation() -> None:
    one = renormalised(mlp(5, 6, 3, norm=True), X)
    with pytest.raises(MeasureError, match="recompute"):
        interpolation(one, one, "cross_entropy", X, Y, repair=True)
