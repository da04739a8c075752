"""What is recorded is what the slow, obvious float64 network says."""

from __future__ import annotations

from typing import Any

import foreign_net
import numpy as np
import pytest
import torch
from fleets import fleet_of, spec_of, whole
from images_by_hand import image_fleet, image_spec
from mlp_float64 import gradient_of, layers_of, loss_of, squares_of
from torch import nn

from gradlab.measure import accuracy, tolerance_accuracy
from gradlab.model import CNN, MLP, Module
from gradlab.study.recipe import SGD
from gradlab.study.record import Every, LogSpaced
from gradlab.task import Arrays, Function
from gradlab.train.advance import advance
from gradlab.train.loop import LoopLearner
from gradlab.train.network import load

RNG = np.random.default_rng(0)
CLASSES = Arrays(
    RNG.normal(size=(30, 3)),
    RNG.integers(0, 4, 30),
    test_x=RNG.normal(size=(9, 3)),
    test_y=RNG.integers(0, 4, 9),
)
NUMBERS = Function("sinc", low=-1, high=1, points=24, heldout=9, noise=0.1)


@pytest.mark.parametrize("backend", ["kernel", "loop"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "identity"])
@pytest.mark.parametrize("task", [NUMBERS, CLASSES], ids=["numbers", "classes"])
def test_every_quantity_against_float64(backend: str, activation: Any, task: Any) -> None:
    metric = task.metrics[0]
    spec = spec_of(
        task=task, model=MLP(5, 4, activation=activation), dtype="float64", batch_size=7, validation=0.2,
        optimizer=SGD(lr=0.05),
    )  # fmt: skip
    quantities = (
        "loss", "loss.test", "loss.validation", metric, f"{metric}.test", f"{metric}.validation", "gradient_norm",
        "gradient_norm_layers", "gradient_norm_mean", "weight_norm", "dead_units",
    )  # fmt: skip
    fleet = fleet_of(spec, 6, backend=backend, quantities=quantities, times=Every(epochs=3))
    _, traces = whole(fleet)
    series, data = traces[0].series, fleet.data[0]
    widths = spec.model.widths(task.inputs, task.outputs)
    for place, epoch in enumerate((0, 3, 6)):
        states, _ = advance(fleet, None, epoch)
        weights = states[0].weights
        sets = {
            "": (data.x, data.y),
            ".test": (data.test_x, data.test_y),
            ".validation": (data.validation_x, data.validation_y),
        }
        expected: dict[str, Any] = {}
        for split, (x, y) in sets.items():
            expected[f"loss{split}"] = loss_of(widths, weights, x, y, activation)
            outputs = layers_of(widths, weights, x, activation)[-1]
            expected[f"{metric}{split}"] = (accuracy if metric == "accuracy" else tolerance_accuracy)(
                outputs, y
            )
        squares = squares_of(widths, gradient_of(widths, weights, data.x, data.y, activation))
        expected["gradient_norm"] = np.sqrt(squares.sum())
        expected["gradient_norm_layers"] = np.sqrt(squares.sum(axis=1))
        expected["gradient_norm_mean"] = np.sqrt(squares[:, 0]).mean()
        expected["weight_norm"] = np.linalg.norm(weights)
        hidden = layers_of(widths, weights, data.x, activation)[:-1]
        expected["dead_units"] = sum((layer == 0).all(axis=0).sum() for layer in hidden) / 9
        for name, value in expected.items():
            epochs, values = series[name]
            assert epochs.tolist() == [0, 3, 6]
            np.testing.assert_allclose(values[place], value, rtol=1e-5, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("backend", ["kernel", "loop"])
def test_the_last_minibatchs_gradient_is_taken_before_its_step(backend: str) -> None:
    spec = spec_of(
        model=MLP(4, activation="tanh"), dtype="float64", batch_size=8, shuffle=False, optimizer=SGD(lr=0.05)
    )
    fleet = fleet_of(spec, 3, backend=backend, quantities=("gradient_norm_batch", "sensitivity_batch"))
    states, traces = whole(fleet)
    data, widths = fleet.data[0], (1, 4, 1)
    weights = advance(fleet, None, 2)[0][0].weights
    for first in (0, 8, 16):  # 20 points: the last batch has 4
        gradient = gradient_of(widths, weights, data.x[first : first + 8], data.y[first : first + 8], "tanh")
        last, weights = gradient, weights - 0.05 * gradient
    np.testing.assert_allclose(weights, states[0].weights, atol=1e-8)
    epochs, norms = traces[0].series["gradient_norm_batch"]
    assert epochs.tolist() == [1, 2, 3]
    assert norms[-1] == pytest.approx(np.linalg.norm(last), rel=1e-6)
    epochs, sensitivity = traces[0].series["sensitivity_batch"]
    assert epochs.tolist() == [1, 2, 3]
    assert sensitivity[-1] == pytest.approx(np.sqrt(squares_of(widths, last)).mean(), rel=1e-6)


def test_a_parameter_that_does_not_exist_has_no_part_in_the_sensitivity() -> None:
    spec = spec_of(
        model=Module(foreign_net.Unbiased),
        dtype="float64",
        batch_size=8,
        shuffle=False,
        optimizer=SGD(lr=0.05),
    )
    fleet = fleet_of(spec, 1, quantities=("gradient_norm_batch", "sensitivity_batch"))
    states, traces = whole(fleet)
    values = {name: series[1] for name, series in traces[0].series.items()}
    assert len(states[0].weights) == 4 + 4  # two weights, no biases
    network = load(
        foreign_net.Unbiased().double(), LoopLearner(spec, fleet.data[0]).start(fleet.members[0]).weights, {}
    )
    x, y = torch.from_numpy(fleet.data[0].x), torch.from_numpy(fleet.data[0].y)
    for first in (0, 8, 16):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= 0 if parameter.grad is None else 0.05 * parameter.grad
        network.zero_grad()
        nn.functional.mse_loss(network(x[first : first + 8]), y[first : first + 8]).backward()
    norms = [float(parameter.grad.norm()) for parameter in network.parameters()]
    assert values["sensitivity_batch"] == pytest.approx([np.mean(norms)], rel=1e-9)
    assert values["gradient_norm_batch"] == pytest.approx([np.hypot(*norms)], rel=1e-9)


def test_predictions_are_recorded_at_powers_of_ten_and_at_the_end() -> None:
    fleet = fleet_of(spec_of(dtype="float64"), 120, quantities=("loss", "predictions"), extra=(60,))
    states, traces = whole(fleet)
    epochs, outputs = traces[0].series["predictions"]
    assert epochs.tolist() == [1, 10, 60, 100, 120]
    expected = layers_of((1, 6, 5, 1), states[0].weights, fleet.data[0].grid_x, "relu")[-1]
    np.testing.assert_allclose(outputs[-1], expected[:, 0], atol=1e-12)
    _, bare = whole(fleet_of(spec_of(), 12))
    assert bare[0].series["predictions"][0].tolist() == [12]


def test_predictions_at_the_end_are_those_of_the_weights_that_are_kept() -> None:
    spec = spec_of(dtype="float64", keep="test-best", optimizer=SGD(lr=0.5))
    fleet = fleet_of(spec, 40)
    states, traces = whole(fleet)
    assert states[0].best is not None
    expected = layers_of((1, 6, 5, 1), states[0].result()[0], fleet.data[0].grid_x, "relu")[-1]
    np.testing.assert_allclose(traces[0].series["predictions"][1][-1], expected[:, 0], atol=1e-12)


def test_a_schedule_decides_when_and_zero_and_the_end_are_always_there() -> None:
    _, traces = whole(fleet_of(spec_of(), 137, times=LogSpaced(2), extra=(40,)))
    assert traces[0].series["loss"][0].tolist() == [0, 1, 3, 10, 32, 40, 100, 137]


def test_dead_networks_are_flagged() -> None:
    spec = spec_of(dtype="float64", optimizer=SGD(lr=1e-300), task=Function("sin", low=-2, high=2, points=40))
    fleet = fleet_of(spec, 3, quantities=("dead_units",))
    states, _ = advance(fleet, None, 1)
    states[0].weights[:] = np.abs(states[0].weights)
    states[0].weights[12 + 30 : 12 + 35] = -1e6  # the second layer's biases: none of its units ever fires
    states[0].weights[-1] = fleet.data[0].y.mean()
    _, traces = advance(fleet, states, 3)
    series = traces[0].series
    assert series["flag_dead"][1].tolist() == [1]
    assert series["flag_constant"][1].tolist() == [1]
    assert series["dead_units"][1][-1] >= 5 / 11


def test_gaps_are_differences_of_what_need_not_be_recorded_itself() -> None:
    spec = image_spec(model=CNN("conv 3x3, 5"))
    four = ("loss", "loss.test", "accuracy", "accuracy.test")
    _, full = whole(image_fleet(spec, 3, backend="loop", quantities=(*four, "loss_gap", "accuracy_gap")))
    _, gaps = whole(image_fleet(spec, 3, backend="loop", quantities=("loss_gap", "accuracy_gap")))
    series = full[0].series
    np.testing.assert_array_equal(series["loss_gap"][1], series["loss.test"][1] - series["loss"][1])
    np.testing.assert_array_equal(
        series["accuracy_gap"][1], series["accuracy"][1] - series["accuracy.test"][1]
    )
    for name in ("loss_gap", "accuracy_gap"):
        np.testing.assert_array_equal(gaps[0].series[name][1], series[name][1])
    assert not gaps[0].series.keys() & set(four)


def test_the_loss_is_the_same_whichever_pass_it_comes_from() -> None:
    spec = image_spec()
    alone, beside = (
        whole(image_fleet(spec, 3, backend="loop", quantities=wanted))[1][0].series["loss"][1]
        for wanted in (("loss",), ("loss", "accuracy"))
    )
    np.testing.assert_array_equal(alone, beside)


@pytest.mark.parametrize(
    ("quantities", "passes"),
    [
        (("loss.running", "accuracy.running", "loss.last_batch"), []),
        (("accuracy.test",), [12] * 4),
        (("loss", "accuracy"), [30] * 4),
        (("loss",), ["full"] * 4),
        (("loss", "gradient_norm", "accuracy"), ["full", 30] * 4),
        (("loss_gap",), ["full", 12] * 4),
    ],
)
def test_no_pass_is_made_that_nobody_asked_for(
    quantities: tuple[str, ...], passes: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    evaluate, full = LoopLearner.evaluate, LoopLearner._pass

    def counted(self: Any, weights: Any, buffers: Any, x: Any, y: Any, training: Any = None) -> Any:
        made.append(len(x))
        return evaluate(self, weights, buffers, x, y, training)

    def counted_full(self: Any, *, gradient: bool) -> Any:
        made.append("full")
        return full(self, gradient=gradient)

    monkeypatch.setattr(LoopLearner, "evaluate", counted)
    monkeypatch.setattr(LoopLearner, "_pass", counted_full)
    monkeypatch.setattr("gradlab.train.trace._HEAD", 8)
    whole(image_fleet(image_spec(), 3, backend="loop", quantities=quantities))
    assert made.pop() == 8  # the flags at the end need no more than this
    assert sorted(map(str, made)) == sorted(map(str, passes))


def test_flags_of_large_sets_are_those_of_all_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradlab.train.trace._HEAD", 8)
    spec = image_spec(model=CNN("conv 3x3, 5"), optimizer=SGD(lr=1e-300))
    fleet = image_fleet(spec, 2, backend="loop", quantities=("dead_units",))
    states, _ = advance(fleet, None, 1)
    states[0].weights[-23:-18] = -1e3  # the biases of the five: a constant, though not the best one
    _, traces = advance(fleet, states, 2)
    assert traces[0].series["flag_dead"][1].tolist() == [1]
    assert traces[0].series["flag_constant"][1].tolist() == [0]
    assert traces[0].series["dead_units"][1][-1] >= 5 / 113
    _, living = whole(fleet)
    assert living[0].series["flag_dead"][1].tolist() == [0]
