"""Whole fleets at once against the loop, in float64 on the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import foreign_net
import numpy as np
import pytest
from fleets import fleet_of, sliced, spec_of, whole
from images_by_hand import AUGMENT, RICH, image_fleet, image_spec

from gradlab.model import CNN, MLP, After, Module
from gradlab.study.recipe import SGD, Adam, AdamW, LossBelow, RMSprop, Step
from gradlab.train.advance import advance
from gradlab.train.fleet import Fleet
from gradlab.train.learner import learner, vmap_supports
from gradlab.train.vmapped import VmapLearner

OPTIMIZERS = {
    "sgd": SGD(lr=0.05),
    "nesterov": SGD(lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "momentum": SGD(lr=0.02, momentum=0.9),
    "adam": Adam(lr=1e-2),
    "adam with decay": Adam(lr=1e-2, weight_decay=1e-2, beta1=0.8, eps=1e-5),
    "adamw": AdamW(lr=1e-2, weight_decay=0.1),
    "rmsprop": RMSprop(lr=1e-3, weight_decay=1e-3, eps=1e-4),
    "rmsprop with momentum": RMSprop(lr=1e-3, momentum=0.5, alpha=0.9, eps=1e-4),
}
IMAGES = (
    "loss", "loss.test", "accuracy", "accuracy.test", "loss.running", "accuracy.running", "loss.batch_sum",
    "loss.last_batch", "loss.test_training_mode", "loss_gap", "gradient_norm_layers", "gradient_norm_batch",
    "sensitivity_batch",
)  # fmt: skip
NUMBERS = (
    "loss", "loss.test", "tolerance_accuracy", "loss.running", "gradient_norm", "gradient_norm_mean", "dead_units",
    "weight_norm", "predictions",
)  # fmt: skip


def both(fleet: Fleet) -> tuple[Any, Any]:
    """What the loop and the stacked fleet make of the same runs."""
    return whole(replace(fleet, backend="loop")), whole(replace(fleet, backend="vmap"))


def agree(one: Any, two: Any, tolerance: float = 1e-9) -> None:
    """Assert that states and traces of two backends are those of the same runs."""
    for mine, other in zip(one[0], two[0], strict=True):
        np.testing.assert_allclose(mine.weights, other.weights, rtol=0, atol=tolerance)
        assert mine.slots.keys() == other.slots.keys()
        for name in mine.slots:
            np.testing.assert_allclose(mine.slots[name], other.slots[name], rtol=0, atol=tolerance)
        assert mine.buffers.keys() == other.buffers.keys()
        for name in mine.buffers:
            assert mine.buffers[name].dtype == other.buffers[name].dtype
            np.testing.assert_allclose(mine.buffers[name], other.buffers[name], rtol=0, atol=tolerance)
        fields = ("epoch", "updates", "status", "status_epoch", "passages")
        assert [getattr(mine, f) for f in fields] == [getattr(other, f) for f in fields]
    for mine, other in zip(one[1], two[1], strict=True):
        assert mine.series.keys() == other.series.keys()
        for name, (epochs, values) in mine.series.items():
            np.testing.assert_array_equal(epochs, other.series[name][0], err_msg=name)
            np.testing.assert_allclose(values, other.series[name][1], rtol=1e-7, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [6, "full"])
def test_a_fleet_of_mlps_is_what_the_loop_makes_of_each(name: str, batch_size: Any) -> None:
    spec = spec_of(optimizer=OPTIMIZERS[name], batch_size=batch_size, dtype="float64")
    fleet = fleet_of(spec, 7, range(3), quantities=NUMBERS, thresholds=(0.5,))
    agree(*both(fleet))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_fleet_of_cnns_is_what_the_loop_makes_of_each(name: str) -> None:
    spec = image_spec(optimizer=OPTIMIZERS[name], schedule=Step(every=2, gamma=0.5))
    agree(*both(image_fleet(spec, 3, range(3), quantities=IMAGES)))


CASES: dict[str, dict[str, Any]] = {
    "softmax, in order": {"model": CNN("conv 4x3 stride 2, 6 linear, softmax"), "shuffle": False},
    "norm of features": {"model": CNN("7, norm, drop 0.5, 3", activation="tanh"), "batch_size": 6},
    "leaky": {"model": CNN("conv 3x3, 5", activation="leaky_relu", slope=0.2)},
    "reset": {"model": CNN("conv 3x3, 5"), "reset_optimizer": "epoch"},
    "best": {"model": RICH, "keep": "test-best"},
    "augmented": {"model": RICH, "augment": AUGMENT},
    "augmented with zeros": {"model": RICH, "augment": AUGMENT.model_copy(update={"mode": "zeros"})},
    "augmented full batch": {"model": CNN("conv 3x3, 5"), "augment": AUGMENT, "batch_size": "full"},
}


@pytest.mark.parametrize("name", CASES)
def test_whatever_a_declared_network_may_have(name: str) -> None:
    fields = dict(CASES[name])
    augment = fields.pop("augment", None)
    wanted = (*IMAGES, "loss.augmented", "accuracy.augmented") if augment else IMAGES
    spec = image_spec(**fields, optimizer=Adam(lr=1e-2))
    agree(*both(image_fleet(spec, 3, range(2), augment=augment, quantities=wanted)))


def test_members_may_have_labels_of_their_own() -> None:
    spec = image_spec(model=CNN("conv 3x3, 5"))
    fleet = image_fleet(spec, 3, range(2), quantities=IMAGES)
    wrong = replace(fleet.data[0], y=(fleet.data[0].y + 1) % 3)
    members = (fleet.members[0], replace(fleet.members[1], data=1))
    agree(*both(replace(fleet, data=(fleet.data[0], wrong), members=members)))


def test_the_sum_of_outputs_is_descended_on() -> None:
    spec = spec_of(objective="sum_of_outputs", optimizer=Adam(lr=1e-3), dtype="float64")
    agree(*both(fleet_of(spec, 9, range(2), quantities=("loss", "loss.running", "gradient_norm"))))


def test_slices_change_nothing_that_can_be_seen() -> None:
    fleet = replace(image_fleet(image_spec(), 5, range(2), quantities=IMAGES), backend="vmap")
    states, traces = whole(fleet)
    parts, series = sliced(fleet, [1, 2])
    for one, two, trace, joined in zip(states, parts, traces, series, strict=True):
        np.testing.assert_array_equal(one.weights, two.weights)
        assert trace.series.keys() == joined.keys()
        for name, (epochs, values) in trace.series.items():
            np.testing.assert_array_equal(epochs, joined[name][0])
            np.testing.assert_array_equal(values, joined[name][1])


def test_members_that_stop_or_diverge_leave_the_others_to_go_on() -> None:
    spec = spec_of(stop=LossBelow(value=0.3), optimizer=Adam(lr=2e-2), dtype="float64", batch_size=6)
    one, two = both(fleet_of(spec, 60, range(4), quantities=("loss", "gradient_norm")))
    assert len({state.status_epoch for state in one[0]}) > 1
    agree(one, two)
    fleet = fleet_of(
        spec_of(optimizer=SGD(lr=1e-2), dtype="float64"), 30, range(3), "vmap", quantities=("loss",)
    )
    healthy, _ = whole(fleet)
    begun = [state.copy() for state in healthy]
    for state in begun:
        state.epoch, state.status, state.status_epoch = 20, "running", None
    begun[1].weights[0] = 1e200
    ends, _ = advance(fleet, tuple(begun), 30)
    assert [state.status for state in ends] == ["done", "diverged", "done"]
    assert ends[1].status_epoch == 21


def test_a_warm_start_takes_the_optimizers_state_along() -> None:
    spec = image_spec(model=CNN("conv 3x3, 5"))
    parents, _ = whole(image_fleet(spec, 2, range(2), "loop"))
    child = spec.model_copy(update={"initial": After({"task": "other"})})
    fleet = image_fleet(child, 3, range(2), quantities=("loss",))
    members = tuple(replace(m, start=p) for m, p in zip(fleet.members, parents, strict=True))
    agree(*both(replace(fleet, members=members)))


def test_units_that_live_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = image_spec(model=CNN("conv 4x3, pool 2, 6"))
    fleet = image_fleet(spec, 1, backend="loop")
    state = whole(fleet)[0][0]
    state.weights[-27:-21] = -1e3
    data = fleet.data[0]
    one, two = learner(spec, data, "loop"), VmapLearner(spec, data)
    monkeypatch.setattr(VmapLearner, "chunk", lambda self, members: 4)
    (mine, units), (other, as_many) = (each.alive(state.weights, {}, data.x) for each in (one, two))
    assert units == as_many
    for layer, same in zip(mine, other, strict=True):
        np.testing.assert_array_equal(layer, same)
    loss, outputs = two.evaluate(state.weights, {}, data.test_x, data.test_y)
    expected, same_outputs = one.evaluate(state.weights, {}, data.test_x, data.test_y)
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(outputs, same_outputs, atol=1e-12)
    assert two.full_pass(state.weights, {}, gradient=False)[0] == pytest.approx(
        one.full_pass(state.weights, {}, gradient=False)[0], rel=1e-12
    )


def test_what_it_takes() -> None:
    assert vmap_supports(spec_of(model=MLP(3)))
    assert vmap_supports(image_spec())
    assert not vmap_supports(spec_of(model=Module(foreign_net.Regressor)))
    assert not vmap_supports(spec_of(precision="bfloat16"))
