"""Weights of runs for other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import foreign_net
import numpy as np
import pytest
import torch
from safetensors import safe_open

import gradlab
from gradlab import CNN, MLP, SGD, Adam, Arrays, Digits, Module, Study, UsageError
from gradlab.engine.weights import named_weights, network_of, save_weights
from gradlab.store.lab import Lab
from gradlab.study.plan import spec_of
from gradlab.train.fleet import Member
from gradlab.train.network import build_network
from gradlab.train.start import first_state
from gradlab.train.state import State

NORMED = CNN("conv 3x3, norm, pool 2, drop 0.5, 6, norm")


def spec(model: Any, **changes: Any) -> Any:
    task = Arrays(np.zeros((12, 1, 8, 8)), np.arange(12) % 10)
    return spec_of({"task": task, "model": model, "optimizer": Adam(lr=1e-3)} | changes)


@pytest.mark.parametrize("model", [MLP(5, 4), NORMED])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_names_and_order_are_those_of_the_network(model: Any, dtype: str) -> None:
    what = spec(model, dtype=dtype)
    state = first_state(what, Member("run", {"init": 3}))
    arrays = named_weights(what, state)
    network = network_of(what, state)
    assert not network.training
    assert (
        list(arrays) == list(network.state_dict()) == list(build_network(model, (1, 8, 8), 10).state_dict())
    )
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy(), strict=True)


def test_a_users_module_keeps_its_own_names_and_buffers() -> None:
    what = spec(
        Module(foreign_net.Regressor, 5, norm=True), task=gradlab.Function("sin", low=0, high=1, points=3)
    )
    network = what.model.built_at(3)
    weights = torch.cat([p.detach().reshape(-1) for p in network.parameters()]).numpy()
    state = State(0, 0, weights, {}, {"norm.running_mean": np.arange(5, dtype=np.float32)})
    arrays = named_weights(what, state)
    assert list(arrays) == list(network.state_dict())
    np.testing.assert_array_equal(arrays["first.weight"], network.first.weight.detach().numpy())
    np.testing.assert_array_equal(arrays["norm.running_mean"], np.arange(5))


def test_the_best_weights_are_the_result_where_those_are_kept() -> None:
    what = spec(NORMED)
    state = first_state(what, Member("run", {"init": 0}))
    state.keep_best(0.5)
    best = {name: array.copy() for name, array in named_weights(what, state).items()}
    state.epoch, state.weights = 4, state.weights + 1
    state.buffers["norm1.running_mean"] = state.buffers["norm1.running_mean"] + 7
    found = named_weights(what, state)
    assert all(np.array_equal(found[name], array) for name, array in best.items())


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    lab = tmp_path_factory.mktemp("weights") / "lab"
    study = Study(
        title="Weights out",
        task=Digits(),
        model={"dense": MLP(12), "dropped": CNN("10, norm, drop 0.2", activation="tanh")},
        optimizer=SGD(lr=0.1),
        batch_size=64,
        epochs=3,
        replicates=2,
        record=["loss", "accuracy", "loss.test", "accuracy.test"],
    )
    return study.run(lab, workers=1, quiet=True), lab


@pytest.mark.parametrize("label", ["dense", "dropped"])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_what_a_lab_writes_evaluates_to_what_it_recorded(
    ran: Any, tmp_path: Path, label: str, suffix: str
) -> None:
    result, lab = ran
    path = tmp_path / f"weights.{suffix}"
    run = result.plan.cells[label][1]
    with Lab.open(lab) as store:
        written = save_weights(store, run[:9], path)
    condition = result.plan[label]
    model = condition.spec.model
    assert written == {
        "run": run,
        "epoch": 3,
        "file": str(path),
        "model": model.label(),
        "parameters": condition.parameters,
    }
    found = gradlab.evaluate(path, model, Digits())
    assert found.matched == "by name"
    for split, name in (("train", ""), ("test", ".test")):
        loss = result.values(f"loss{name}@last", label).values[1]
        share = result.values(f"accuracy{name}@last", label).values[1]
        assert found.scores[split].loss == pytest.approx(loss, rel=1e-5)
        assert found.scores[split].accuracy == pytest.approx(share, abs=1e-9)
    if suffix == "safetensors":
        with safe_open(path, "np") as file:
            about = json.loads(file.metadata()["gradlab"])
        assert (about["run"], about["epoch"]) == (run, 3)
        assert about["model"]["kind"] == model.kind


def test_a_result_hands_out_its_networks(ran: Any) -> None:
    result, _ = ran
    network = result.network("dense", 1)
    found = gradlab.evaluate(network.state_dict(), network, Digits(), split="test")
    assert found.scores["test"].loss == pytest.approx(
        result.values("loss.test@last", "dense").values[1], rel=1e-5
    )
    with pytest.raises(KeyError, match="replicate 2 of 'dense' has not ended"):
        result.network("dense", 2)


def test_the_command_line_writes_them(ran: Any, tmp_path: Path) -> None:
    result, lab = ran
    run = result.plan.cells["dense"][0]
    command = [sys.executable, "-m", "gradlab", "weights", run, "-o", tmp_path / "a.pt", "--lab", lab]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'a.pt'}\n"), done.stderr
    assert list(torch.load(tmp_path / "a.pt", weights_only=True)) == [
        "fc1.weight",
        "fc1.bias",
        "fc2.weight",
        "fc2.bias",
    ]


def test_runs_that_cannot_be_named_are_told(ran: Any, tmp_path: Path) -> None:
    with Lab.open(ran[1]) as store:
        with pytest.raises(
            UsageError, match="run: is no run of this lab; found zzz; allowed: an id that `gradlab runs`"
        ):
            save_weights(store, "zzz", tmp_path / "a.pt")
        with pytest.raises(UsageError, match="run: begins the ids of several runs"):
            save_weights(store, "", tmp_path / "a.pt")


def test_data_known_by_hash_only_are_told(tmp_path: Path) -> None:
    task = Arrays(np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1]))
    study = Study(title="Own data", task=task, model=MLP(2), optimizer=SGD(lr=0.1), epochs=1, replicates=1)
    result = study.run(tmp_path / "lab", workers=1, quiet=True)
    [run] = result.plan.runs
    with (
        Lab.open(tmp_path / "lab") as store,
        pytest.raises(UsageError, match=r"the data of the task 'arrays', which"),
    ):
        save_weights(store, run.id, tmp_path / "a.pt")
    [condition] = result.plan.conditions
    assert sum(p.numel() for p in result.network(condition.name).parameters()) == condition.parameters
