"""Batch-norm statistics at weights that were not trained with them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from plain_paths import blobs, cnn, mlp, renormalised, score, train
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.batch_norm import batch_norms, subset, with_statistics
from gradlab.measure.interpolation import interpolation


def statistics(network: nn.Module) -> np.ndarray:
    buffers = [b.reshape(-1) for n, b in network.named_buffers() if "running" in n]
    return torch.cat(buffers).double().numpy()


IMAGES = torch.from_numpy(np.random.default_rng(0).normal(1, 2, (90, 1, 8, 8)))


@pytest.mark.parametrize("at_once", [1000, 40, 7])
def test_statistics_are_those_of_a_plain_loop(at_once: int) -> None:
    network = cnn(norm=True)
    found = with_statistics(network, IMAGES, at_once=at_once)
    np.testing.assert_allclose(statistics(found), statistics(renormalised(network, IMAGES)), rtol=1e-12)


def test_chunks_change_no_more_than_rounding_of_a_single_precision_network() -> None:
    network = cnn(norm=True, dtype=torch.float32)
    x = IMAGES.float() + 1e4  # a large mean: sums of squares in single precision would be noise
    one, many = with_statistics(network, x), with_statistics(network, x, at_once=7)
    first = "1.running_var"
    np.testing.assert_allclose(many.state_dict()[first], one.state_dict()[first], rtol=1e-4)
    exact = with_statistics(copy.deepcopy(network).double(), x.double())
    np.testing.assert_allclose(one.state_dict()[first], exact.state_dict()[first], rtol=1e-2)


def test_an_average_with_momentum_is_something_else() -> None:
    network = cnn(norm=True)
    averaged = copy.deepcopy(network).train()
    with torch.no_grad():
        for part in IMAGES.split(10):
            averaged(part)
    exact = statistics(renormalised(network, IMAGES))
    assert np.abs(statistics(averaged) - exact).max() > 0.05
    np.testing.assert_allclose(statistics(with_statistics(network, IMAGES)), exact, rtol=1e-12)


def test_the_network_that_is_given_stays_as_it_is() -> None:
    network = cnn(norm=True).train()
    before = copy.deepcopy(network.state_dict())
    with_statistics(network, IMAGES)
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())
    assert all(module.training for module in network.modules())


def test_the_subset_is_fixed_and_without_repetition() -> None:
    chosen = subset(1000, 100, seed=3)
    np.testing.assert_array_equal(chosen, subset(1000, 100, seed=3))
    assert len(set(chosen)) == 100
    assert (np.diff(chosen) > 0).all()
    assert not np.array_equal(chosen, subset(1000, 100, seed=4))


def test_what_has_no_statistics_is_refused() -> None:
    layer = nn.BatchNorm1d(5)
    shared = nn.Sequential(layer, nn.Linear(5, 5), layer)
    x = torch.rand(6, 5)
    for at_once in (100, 2):
        with pytest.raises(MeasureError, match="used twice"):
            with_statistics(shared, x, at_once=at_once)
    with pytest.raises(MeasureError, match="keeps no statistics"):
        with_statistics(nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5, track_running_stats=False)), x)
    with pytest.raises(MeasureError, match="no variance"):
        with_statistics(nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5)), x[:1])


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, nn.Module, torch.Tensor, torch.Tensor]:
    x, y = blobs(300)
    one, two = (renormalised(train(mlp(5, 16, 16, 3, seed=s, norm=True), x, y), x) for s in (0, 1))
    return one, two, x, y


def test_at_every_alpha_the_network_is_one_with_statistics_of_its_own(pair: tuple) -> None:
    from plain_paths import mixed

    one, two, x, y = pair
    found = interpolation(one, two, "cross_entropy", x, y, points=4, within=5, same_start=False)
    assert found.settings["batch_norm"] == "recompute"
    places = found["loss"].places
    assert places is not None
    for place, loss, accuracy in zip(places, found["loss"].value, found["accuracy"].value, strict=True):
        if 0 <= place <= 1:  # beyond, a mixture of variances may be below 0, which the plain loop never uses
            expected = score(renormalised(mixed(one, two, place), x), x, y)
            assert (loss, accuracy) == pytest.approx(expected, rel=1e-9)


def test_interpolated_statistics_are_another_and_worse_experiment_tomgoldstein(pair: tuple) -> None:
    """The ends' statistics belong to the ends: mixed as if they were weights they belong to no network."""
    one, two, x, y = pair
    found = {
        policy: interpolation(
            one, two, "cross_entropy", x, y, low=0, high=1, points=25, batch_norm=policy, same_start=False
        )
        for policy in ("recompute", "interpolate")
    }
    assert found["interpolate"].settings["batch_norm"] == "interpolate"
    assert float(found["interpolate"]["barrier"]) > 1.2 * float(found["recompute"]["barrier"])
    assert float(found["interpolate"]["loss_0"]) == pytest.approx(
        float(found["recompute"]["loss_0"]), rel=1e-9
    )


def test_statistics_of_each_batch_depend_on_the_batch_comfyresearch(pair: tuple) -> None:
    one, two, x, y = pair
    kinds = {"batch_norm": "batch", "low": 0, "high": 1, "points": 3, "within": 0, "same_start": False}
    found = [interpolation(one, two, "cross_entropy", x, y, at_once=b, **kinds) for b in (10, 100, 300)]
    small, large, whole = (np.asarray(each["loss"].value) for each in found)
    assert np.abs(small - whole).max() > 10 * np.abs(large - whole).max() > 0
    again = interpolation(one, two, "cross_entropy", x, y, at_once=300, **kinds | {"batch_norm": "recompute"})
    np.testing.assert_allclose(
        whole, again["loss"].value, rtol=0.01
    )  # 1 in 300: a batch's variance is biased


def test_an_end_whose_own_statistics_differ_much_is_told_of(pair: tuple) -> None:
    one, two, x, y = pair
    spoilt = copy.deepcopy(one)
    for layer in batch_norms(spoilt).values():
        assert layer.running_mean is not None
        layer.running_mean += 5.0
    warnings = interpolation(
        spoilt, two, "cross_entropy", x, y, points=4, within=0, same_start=False
    ).warnings
    assert len(warnings) == 1
    assert warnings[0].startswith("network 0 has training accuracy")


def test_the_first_networks_statistics_may_be_held(pair: tuple) -> None:
    one, two, x, y = pair
    found = interpolation(
        one,
        two,
        "cross_entropy",
        x,
        y,
        low=0,
        high=1,
        points=2,
        within=0,
        batch_norm="first",
        same_start=False,
    )
    with_those = copy.deepcopy(two)
    with_those.load_state_dict({
        **two.state_dict(),
        **{n: b for n, b in one.named_buffers() if "running" in n},
    })
    assert float(found["loss_0"]) == pytest.approx(score(one, x, y)[0], rel=1e-12)
    assert float(found["loss_1"]) == pytest.approx(score(with_those, x, y)[0], rel=1e-12)


def test_an_unknown_policy_is_refused(pair: tuple) -> None:
    one, two, x, y = pair
    with pytest.raises(MeasureError, match="no policy is called 'running'"):
        interpolation(one, two, "cross_entropy", x, y, batch_norm="running")  # type: ignore[arg-type]
