"""The worker's one function: pure, whatever the slices, the fleet and the record are."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import foreign_net
import numpy as np
import pytest
from fleets import fleet_of, same_series, same_state, sliced, spec_of, whole
from images_by_hand import AUGMENT, image_fleet, image_spec

from gradlab.model import MLP, After, Module
from gradlab.study.recipe import (
    SGD,
    Adam,
    AdamW,
    Cosine,
    GradientBelow,
    LossBelow,
    LossSettled,
    RMSprop,
    Stalled,
    Step,
)
from gradlab.study.record import Every, Record
from gradlab.task import Arrays, Digits, Function
from gradlab.train.advance import advance
from gradlab.train.fleet import Fleet, Member, build_data

EVERYTHING = (
    "loss", "loss.test", "loss.validation", "tolerance_accuracy", "tolerance_accuracy.test", "gradient_norm",
    "gradient_norm_layers", "gradient_norm_mean", "gradient_norm_batch", "sensitivity_batch",
    "weight_norm", "dead_units", "predictions",
)  # fmt: skip

SPECS: dict[str, dict[str, Any]] = {
    "adam": {},
    "adam, one sample": {"batch_size": 1, "optimizer": Adam(lr=1e-3, weight_decay=1e-4)},
    "adamw, batches": {"batch_size": 6, "optimizer": AdamW(lr=1e-2), "schedule": Step(every=7, gamma=0.5)},
    "nesterov, in order": {
        "batch_size": 8,
        "shuffle": False,
        "optimizer": SGD(lr=0.05, momentum=0.9, nesterov=True),
    },
    "rmsprop, cosine": {"optimizer": RMSprop(lr=1e-3, momentum=0.5), "schedule": Cosine(final=0.1)},
    "reset": {"batch_size": 7, "reset_optimizer": "epoch"},
    "best": {"batch_size": 6, "keep": "best", "validation": 0.25},
    "test-best, float64": {"keep": "test-best", "dtype": "float64"},
    "sum of outputs": {"objective": "sum_of_outputs", "optimizer": Adam(lr=1e-3)},
    "stops": {"stop": LossBelow(value=0.3)},
    "leaky": {"model": MLP(1, 6, 4, activation="leaky_relu"), "validation": 0.2},
}
FOREIGN: dict[str, dict[str, Any]] = {
    "dropout": {"model": Module(foreign_net.Regressor, dropout=0.3), "batch_size": 6},
    "batch norm, best": {
        "model": Module(foreign_net.Regressor, norm=True),
        "batch_size": 5,
        "keep": "test-best",
    },
    "frozen": {"model": Module(foreign_net.Frozen)},
}
IMAGES: dict[str, dict[str, Any]] = {
    "dropout, norm": {},
    "test-best, augmented": {"keep": "test-best", "augment": AUGMENT},
    "augmented": {"dtype": "float32", "augment": AUGMENT, "optimizer": SGD(lr=0.05, momentum=0.9)},
    "bfloat16": {"dtype": "float32", "precision": "bfloat16"},
}
CASES = [
    *(
        pytest.param(fields, backend, id=f"{backend}: {name}")
        for name, fields in SPECS.items()
        for backend in ("kernel", "loop")
    ),
    *(pytest.param(fields, "loop", id=f"loop: {name}") for name, fields in FOREIGN.items()),
]


@pytest.mark.parametrize(("fields", "backend"), CASES)
def test_slices_never_change_bits(fields: dict[str, Any], backend: str) -> None:
    fleet = fleet_of(spec_of(**fields), 13, backend=backend, quantities=EVERYTHING, thresholds=(0.3, 1e-9))
    states, traces = whole(fleet)
    parts, series = sliced(fleet, [1, 2, 9, 10])
    same_state(states[0], parts[0])
    same_series(traces[0].series, series[0])


@pytest.mark.parametrize("name", IMAGES)
def test_images_too_depend_on_neither_slices_nor_records(name: str) -> None:
    fields = dict(IMAGES[name])
    augment = fields.pop("augment", None)
    wanted = (
        "loss", "loss.test", "loss.running", "accuracy.running", "loss.batch_sum", "loss.last_batch", "loss.augmented",
        "accuracy.test_training_mode", "loss_gap", "accuracy_gap", "gradient_norm", "gradient_norm_batch", "dead_units",
    )  # fmt: skip
    fleet = image_fleet(image_spec(**fields), 6, backend="loop", augment=augment, quantities=wanted)
    states, traces = whole(fleet)
    parts, series = sliced(fleet, [1, 4])
    same_state(states[0], parts[0])
    same_series(traces[0].series, series[0])
    little, _ = whole(replace(fleet, record=Record(quantities=("loss.running",), times=Every(epochs=50))))
    np.testing.assert_array_equal(little[0].weights, states[0].weights)
    assert series[0]["loss.running"][0].tolist() == [1, 2, 3, 4, 5, 6]
    assert ("loss.augmented" in series[0]) is (augment is not None)


def test_the_first_epoch_of_the_best_test_accuracy_is_kept_beside_the_last() -> None:
    spec = image_spec(keep="test-best", optimizer=Adam(lr=2e-2))
    states, traces = whole(image_fleet(spec, 12, backend="loop", quantities=("accuracy.test",)))
    epochs, accuracies = traces[0].series["accuracy.test"]
    best = states[0].best
    assert best is not None
    after = accuracies[1:]  # the untrained network is no candidate
    assert best[1] == epochs[1:][after.argmax()]
    assert (after == after.max()).sum() > 1
    assert not np.array_equal(best[2], states[0].weights)
    assert not np.array_equal(
        states[0].result()[1]["norm1.running_mean"], states[0].buffers["norm1.running_mean"]
    )


@pytest.mark.parametrize(("fields", "backend"), CASES)
def test_what_is_recorded_never_changes_weights(fields: dict[str, Any], backend: str) -> None:
    spec = spec_of(**fields)
    much, _ = whole(fleet_of(spec, 15, backend=backend, quantities=EVERYTHING, thresholds=(0.1,)))
    little, _ = whole(fleet_of(spec, 15, backend=backend, times=Every(epochs=50)))
    np.testing.assert_array_equal(much[0].weights, little[0].weights)
    for name, slot in much[0].slots.items():
        np.testing.assert_array_equal(slot, little[0].slots[name])


@pytest.mark.parametrize("backend", ["kernel", "loop"])
def test_a_run_does_not_depend_on_its_fleet(backend: str) -> None:
    spec = spec_of(batch_size=6)
    together, traces = whole(fleet_of(spec, 9, range(4), backend))
    alone, own = whole(fleet_of(spec, 9, [2], backend))
    same_state(together[2], alone[0])
    same_series(traces[2].series, own[0].series)
    assert len({state.weights.tobytes() for state in together}) == 4


@pytest.mark.parametrize("name", [*SPECS, *FOREIGN])
def test_a_longer_run_begins_with_the_shorter_one(name: str) -> None:
    fields = (SPECS | FOREIGN)[name]
    if "schedule" in fields:
        fields = {key: value for key, value in fields.items() if key != "schedule"}
    spec = spec_of(**fields)
    short, long = (fleet_of(spec, epochs, quantities=EVERYTHING, thresholds=(0.3,)) for epochs in (11, 20))
    states, first = whole(short)
    extended, second = advance(long, states, 20)
    direct, traces = whole(long)
    same_state(extended[0], direct[0])
    for quantity in ("loss", "gradient_norm", "loss.test", "weight_norm"):
        epochs, values = traces[0].series[quantity]
        seen = dict(zip(*(c.tolist() for c in first[0].series[quantity]), strict=True))
        if second[0].series:
            seen |= dict(zip(*(c.tolist() for c in second[0].series[quantity]), strict=True))
        assert seen == dict(zip(epochs.tolist(), values.tolist(), strict=True)), quantity


@pytest.mark.parametrize("name", SPECS)
def test_both_backends_begin_alike_and_stay_together(name: str) -> None:
    spec = spec_of(**(SPECS[name] | {"dtype": "float64"}))
    runs = {b: whole(fleet_of(spec, 100 if spec.batch_size == "full" else 20, backend=b, quantities=EVERYTHING))
            for b in ("kernel", "loop")}  # fmt: skip
    starts = [advance(fleet_of(spec, 5, backend=b), None, 0)[0][0] for b in ("kernel", "loop")]
    np.testing.assert_array_equal(starts[0].weights, starts[1].weights)
    (kernel, of_kernel), (loop, of_loop) = runs["kernel"], runs["loop"]
    np.testing.assert_allclose(kernel[0].weights, loop[0].weights, rtol=0, atol=1e-9)
    assert kernel[0].status_epoch == loop[0].status_epoch
    for quantity, (epochs, values) in of_kernel[0].series.items():
        np.testing.assert_array_equal(epochs, of_loop[0].series[quantity][0])
        np.testing.assert_allclose(
            values, of_loop[0].series[quantity][1], rtol=1e-7, atol=1e-9, err_msg=quantity
        )


@pytest.mark.parametrize("backend", ["kernel", "loop"])
def test_a_warm_start_goes_on_with_weights_and_optimizer_state(backend: str) -> None:
    spec = spec_of(batch_size=6, shuffle=False)
    parent, _ = whole(fleet_of(spec, 10, backend=backend))
    direct, _ = whole(fleet_of(spec, 25, backend=backend))
    for keep in (True, False):
        child = spec_of(batch_size=6, shuffle=False, initial=After({"task": "other"}, optimizer_state=keep))
        fleet = fleet_of(child, 15, backend=backend, quantities=("loss",))
        fleet = replace(fleet, members=(replace(fleet.members[0], start=parent[0]),))
        states, traces = whole(fleet)
        assert states[0].epoch == 15
        assert traces[0].series["updates"][1].tolist() == [60]
        assert traces[0].series["loss"][0][0] == 0
        assert np.array_equal(states[0].weights, direct[0].weights) is keep
        assert states[0].updates == (100 if keep else 60)
    assert parent[0].epoch == 10


def test_an_optimizer_state_of_another_kind_is_refused() -> None:
    parent, _ = whole(fleet_of(spec_of(), 2))
    child = spec_of(optimizer=SGD(lr=0.1, momentum=0.9), initial=After({"optimizer": "adam"}))
    fleet = fleet_of(child, 2)
    with pytest.raises(ValueError, match="optimizer_state = false"):
        whole(replace(fleet, members=(replace(fleet.members[0], start=parent[0]),)))


@pytest.mark.parametrize("backend", ["kernel", "loop"])
@pytest.mark.parametrize(
    "rule",
    [
        LossBelow(value=0.2),
        GradientBelow(norm=0.3),
        LossSettled(below=0.5, change=0.02),
        Stalled(every=10, start=20, improvement=0.05),
    ],
    ids=lambda rule: rule.kind,
)
def test_a_stopped_run_is_the_free_run_up_to_its_epoch(rule: Any, backend: str) -> None:
    quantities = ("loss", "gradient_norm", "gradient_norm_batch", "weight_norm")
    _, traces = whole(fleet_of(spec_of(), 80, backend=backend, quantities=quantities))
    stopped, own = whole(fleet_of(spec_of(stop=rule), 80, backend=backend, quantities=quantities))
    assert stopped[0].status == "stopped"
    end = stopped[0].status_epoch
    assert end is not None
    assert 0 < end < 80
    at_end, _ = advance(fleet_of(spec_of(), 80, backend=backend), None, end)
    np.testing.assert_array_equal(stopped[0].weights, at_end[0].weights)
    for name in quantities:
        epochs, values = own[0].series[name]
        assert epochs[-1] == end
        np.testing.assert_array_equal(values, traces[0].series[name][1][: len(values)])
    again, empty = advance(fleet_of(spec_of(stop=rule), 80, backend=backend), stopped, 80)
    same_state(again[0], stopped[0])
    assert not empty[0].series


def test_a_rule_that_fires_at_the_horizon_stops_there() -> None:
    _, traces = whole(fleet_of(spec_of(), 60))
    losses = traces[0].series["loss"][1]
    assert losses[:60].min() > losses[60]
    between = float(losses[59] + losses[60]) / 2
    states, _ = whole(fleet_of(spec_of(stop=LossBelow(value=between)), 60))
    assert (states[0].status, states[0].status_epoch) == ("stopped", 60)


def test_thresholds_are_watched_at_every_epoch_whatever_is_recorded() -> None:
    _, traces = whole(fleet_of(spec_of(), 80))
    losses = traces[0].series["loss"][1]
    states, sparse = whole(fleet_of(spec_of(), 80, times=Every(epochs=50), thresholds=(0.3, 0.1, 1e-30)))
    series = sparse[0].series
    assert series["loss"][0].tolist() == [0, 50, 80]
    for threshold, name in ((0.3, "epochs_to(loss, 0.3)"), (0.1, "epochs_to(loss, 0.1)")):
        first = int(np.flatnonzero(losses < threshold)[0])
        assert series[name][1].tolist() == [first]
        assert states[0].passages[threshold] == first
    assert series["epochs_to(loss, 1e-30)"][1].tolist() == [np.inf]
    assert 1e-30 not in states[0].passages


@pytest.mark.parametrize("backend", ["kernel", "loop"])
@pytest.mark.parametrize("batch_size", ["full", 6])
def test_a_diverged_run_is_a_result_and_leaves_the_others_alone(backend: str, batch_size: Any) -> None:
    spec = spec_of(optimizer=SGD(lr=1e-3), batch_size=batch_size)
    fleet = fleet_of(spec, 12, range(3), backend, quantities=EVERYTHING[:-1], thresholds=(0.3,))
    clean, _ = whole(fleet)
    states, _ = advance(fleet, None, 4)
    states[1].weights[:] = 1e30
    ended, traces = advance(fleet, states, 12)
    for place in (0, 2):
        same_state(ended[place], clean[place])
    poisoned = ended[1]
    assert (poisoned.status, poisoned.status_epoch, poisoned.epoch) == ("diverged", 5, 5)
    series = traces[1].series
    assert series["loss"][0][-1] == 5
    assert not np.isfinite(series["loss"][1][-1])
    assert [series[flag][1][0] for flag in ("flag_constant", "flag_dead", "epochs")] == [0, 0, 5]
    assert "predictions" not in series
    again, empty = advance(fleet, ended, 12)
    assert again[1].status == "diverged"
    assert not empty[1].series


def test_both_backends_name_the_same_epoch_of_divergence() -> None:
    found = []
    for backend in ("kernel", "loop"):
        states, _ = whole(fleet_of(spec_of(optimizer=SGD(lr=30.0)), 100, backend=backend))
        found.append((states[0].status, states[0].status_epoch))
    assert found[0] == found[1]
    assert found[0][0] == "diverged"


@pytest.mark.parametrize("backend", ["kernel", "loop"])
def test_states_given_are_left_as_they_are(backend: str) -> None:
    fleet = fleet_of(spec_of(), 10, backend=backend)
    states, _ = advance(fleet, None, 4)
    before = pickle.dumps(states)
    advance(fleet, states, 10)
    assert pickle.dumps(states) == before


def test_best_weights_are_those_of_the_lowest_validation_loss() -> None:
    spec = spec_of(keep="best", validation=0.25, optimizer=SGD(lr=0.4))
    fleet = fleet_of(spec, 40, quantities=("loss.validation", "predictions"))
    states, traces = whole(fleet)
    epochs, losses = traces[0].series["loss.validation"]
    assert states[0].best is not None
    best = int(epochs[1:][losses[1:].argmin()])
    assert states[0].best[:2] == (losses[1:].min(), best)
    there, _ = advance(fleet_of(spec_of(keep="best", validation=0.25, optimizer=SGD(lr=0.4)), 40), None, best)
    np.testing.assert_array_equal(states[0].result()[0], there[0].weights)


def test_test_best_goes_by_accuracy_where_there_are_classes() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    task = Arrays(
        x,
        (x[:, 0] * x[:, 1] > 0).astype(int),
        test_x=x[:31] * 1.1,
        test_y=(x[:31, 0] * x[:31, 1] > 0).astype(int),
    )
    fleet = fleet_of(spec_of(task=task, keep="test-best", batch_size=16), 30, quantities=("accuracy.test",))
    states, traces = whole(fleet)
    epochs, shares = traces[0].series["accuracy.test"]
    assert states[0].best is not None
    assert states[0].best[:2] == (-shares[1:].max(), int(epochs[1:][shares[1:].argmax()]))


@pytest.mark.parametrize(
    "task", [Digits(), Function("sgn", low=-1, high=1, points=40, heldout=11)], ids=lambda task: task.kind
)
def test_every_task_trains_on_both_backends(task: Any) -> None:
    metric = task.metrics[0]
    spec = spec_of(task=task, model=MLP(16), batch_size=32, validation=0.1)
    for backend in ("kernel", "loop"):
        quantities = ("loss", metric, f"{metric}.test", f"{metric}.validation", "loss.test")
        _, traces = whole(fleet_of(spec, 4, backend=backend, quantities=quantities))
        series = traces[0].series
        assert series["loss"][1][-1] < series["loss"][1][0]
        assert series["loss.test"][0].tolist() == [0, 1, 2, 3, 4]


def test_images_reach_a_module_in_their_shape() -> None:
    images = np.random.default_rng(0).normal(size=(24, 1, 8, 8))
    task = Arrays(images, np.arange(24) % 10)
    fleet = fleet_of(
        spec_of(task=task, model=Module(foreign_net.Convolution)), 3, quantities=("loss", "dead_units")
    )
    _, traces = whole(fleet)
    assert traces[0].series["loss"][1][-1] < traces[0].series["loss"][1][0]
    assert traces[0].series["flag_dead"][1].tolist() == [0]


def test_the_last_epoch_is_recorded_wherever_a_run_ends() -> None:
    _, traces = whole(
        fleet_of(
            spec_of(), 7, times=Every(epochs=5), quantities=("loss", "weight_norm", "gradient_norm_batch")
        )
    )
    assert traces[0].series["loss"][0].tolist() == [0, 5, 7]
    assert traces[0].series["weight_norm"][0].tolist() == [0, 5, 7]
    assert traces[0].series["gradient_norm_batch"][0].tolist() == [5, 7]
    assert traces[0].series["epochs"][1].tolist() == [7]


def test_a_run_that_stands_at_the_horizon_of_a_shorter_question_is_ended_there() -> None:
    far, near = fleet_of(spec_of(), 50), fleet_of(spec_of(), 20)
    states, _ = advance(far, None, 20)
    assert states[0].status == "running"
    ended, traces = advance(near, states, 20)
    direct, own = whole(near)
    same_state(ended[0], direct[0])
    assert traces[0].series["loss"][0].tolist() == [20]
    assert traces[0].series["loss"][1][0] == own[0].series["loss"][1][-1]


def test_fleets_travel_and_a_worker_of_the_kernel_never_imports_torch(tmp_path: Path) -> None:
    fleet = fleet_of(spec_of(), 5)
    (tmp_path / "fleet.pickle").write_bytes(pickle.dumps(fleet))
    program = (
        "import pickle, sys\n"
        f"fleet = pickle.load(open({str(tmp_path / 'fleet.pickle')!r}, 'rb'))\n"
        "from gradlab.train.advance import advance\n"
        "states, traces = advance(fleet, None, 5)\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
        "print(states[0].weights.tobytes().hex())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == whole(fleet)[0][0].weights.tobytes().hex()


def test_a_foreign_module_trains_alike_in_another_process(tmp_path: Path) -> None:
    fleet = fleet_of(spec_of(model=Module(foreign_net.Regressor, dropout=0.2), batch_size=8), 4)
    (tmp_path / "fleet.pickle").write_bytes(pickle.dumps(fleet))
    program = (
        "import pickle, sys\n"
        f"fleet = pickle.load(open({str(tmp_path / 'fleet.pickle')!r}, 'rb'))\n"
        "from gradlab.train.advance import advance\n"
        "states, traces = advance(fleet, None, 4)\n"
        "assert 'foreign_net' not in sys.modules and 'numba' not in sys.modules\n"
        "print(states[0].weights.tobytes().hex())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == whole(fleet)[0][0].weights.tobytes().hex()


def test_a_fleet_carries_a_users_arrays_once() -> None:
    x = np.random.default_rng(0).normal(size=(5000, 4))
    fleet = fleet_of(spec_of(task=Arrays(x, x[:, :1])), 2)
    copy: Fleet = pickle.loads(pickle.dumps(fleet))
    assert len(pickle.dumps(fleet)) < 1.2 * (x.nbytes + x[:, :1].nbytes)
    same_state(whole(copy)[0][0], whole(fleet)[0][0])


def test_members_may_learn_from_data_of_their_own() -> None:
    task = Function("cos", low=-3, high=3, points=20, spacing="uniform")
    alone = fleet_of(spec_of(task=task), 5)
    data = tuple(build_data(task, {"data": d, "labels": 0}) for d in (0, 1))
    members = tuple(Member(f"r{d}", alone.members[0].seeds, data=d) for d in (0, 1))
    states, _ = whole(replace(alone, data=data, members=members))
    same_state(states[0], whole(alone)[0][0])
    assert not np.array_equal(states[0].weights, states[1].weights)
