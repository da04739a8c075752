"""Instruments on weights that somebody else trained: against the same instrument on the network itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradlab import MLP, Arrays, MeasureError, UsageError, WeightsError
from gradlab.engine.applied import applied, instrument_of
from gradlab.measure import interpolation, sensitivity, spectrum, top_eigenvalues

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 1, 8, 8)), RNG.integers(0, 10, 60)
X_TEST, Y_TEST = RNG.normal(size=(20, 1, 8, 8)), RNG.integers(0, 10, 20)
DATA = Arrays(X, Y, test_x=X_TEST, test_y=Y_TEST)

NETS = """
from torch import nn

class Net(nn.Module):
    def __init__(self, channels=2):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU())
        self.out = nn.Linear(channels * 36, 10)

    def forward(self, x):
        return self.out(self.features(x).flatten(1))
"""


class Net(nn.Module):
    """As in the file, for the test's own use."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU())
        self.out = nn.Linear(channels * 36, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.features(x).flatten(1))


def trained(seed: int) -> Net:
    """A network whose running statistics are not the initial ones."""
    torch.manual_seed(seed)
    network = Net()
    with torch.no_grad():
        for _ in range(20):
            network(torch.from_numpy(X).float())
    return network.eval()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two files of weights and the source of the network, in the current folder."""
    monkeypatch.chdir(tmp_path)
    name = f"nets_{abs(hash(tmp_path.name)) % 10**9}"
    Path(f"{name}.py").write_text(NETS)
    for seed in (0, 1):
        torch.save(trained(seed).state_dict(), f"w{seed}.pt")
    return ["w0.pt", "w1.pt", f"{name}:Net"]


def mlp_weights(path: Path, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)).to(dtype)
    torch.save(network.state_dict(), path)
    return network


def test_it_is_the_same_as_on_the_network_itself(files: list[str]) -> None:
    [(name, found)] = applied("eigenvalues", files[:1], files[2], DATA, settings={"top": 2, "bottom": 0})
    assert name == "w0.pt"
    assert found.settings["dtype"] == "float32"  # convolutions in float64 take several times as long
    truth = top_eigenvalues(trained(0), "cross_entropy", X, Y, k=2)
    np.testing.assert_allclose(found["top"].value, truth["top"].value, rtol=1e-4)
    [(_, exact)] = applied(
        "eigenvalues", files[:1], files[2], DATA, settings=["top=2", "bottom=0"], dtype="float64"
    )
    np.testing.assert_allclose(exact["top"].value, truth["top"].value, rtol=1e-9)


def test_several_files_are_measured_one_by_one(files: list[str]) -> None:
    told: list[str] = []
    found = applied("sensitivity", files[:2], files[2], DATA, dtype="float64", tell=told.append)
    assert [name for name, _ in found] == ["w0.pt", "w1.pt"]
    assert told == [f"sensitivity of w{k}.pt: 754 parameters, 60 examples" for k in (0, 1)]
    for seed, (_, each) in enumerate(found):
        truth = sensitivity(trained(seed), "cross_entropy", X, Y)
        assert float(each["gradient"]) == pytest.approx(float(truth["gradient"]), rel=1e-9)


def test_a_pair_is_interpolated_with_recomputed_statistics(files: list[str]) -> None:
    settings = {"points": 4, "low": -1, "high": 2}
    [(name, found)] = applied("interpolation", files[:2], files[2], DATA, settings=settings, same_start=False)
    assert name == "w0.pt to w1.pt"
    assert found.settings["batch_norm"] == "recompute"
    truth = interpolation(
        trained(0),
        trained(1),
        "cross_entropy",
        X,
        Y,
        x_test=X_TEST,
        y_test=Y_TEST,
        points=4,
        same_start=False,
    )
    np.testing.assert_allclose(found["loss.test"].value, truth["loss.test"].value, rtol=1e-5)
    assert float(found["same_start"]) == 0


def test_small_eigenvalues_are_counted_in_float64_whatever_the_layers(tmp_path: Path) -> None:
    network = mlp_weights(tmp_path / "w.pt")
    x, y = RNG.normal(size=(20, 2)), RNG.normal(size=(20, 1))
    [(_, found)] = applied("hessian", [tmp_path / "w.pt"], MLP(4), Arrays(x, y))
    truth = spectrum(network, "mse", x, y)
    assert found.settings["dtype"] == "float64"
    np.testing.assert_allclose(found["eigenvalues"].value, truth["eigenvalues"].value, rtol=1e-9, atol=1e-12)


def test_examples_are_a_fixed_choice_by_the_seed(files: list[str]) -> None:
    def gradient(seed: int) -> float:
        [(_, found)] = applied("sensitivity", files[:1], files[2], DATA, settings=["examples=20"], seed=seed)
        assert found.settings["examples"] == 20
        return float(found["gradient"])

    assert gradient(0) == gradient(0) != gradient(1)


def test_the_points_of_a_run_make_a_trajectory(tmp_path: Path) -> None:
    paths = []
    for k in range(4):
        torch.manual_seed(k)
        paths.append(tmp_path / f"{k}.pt")
        torch.save(nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)).state_dict(), paths[-1])
    x, y = RNG.normal(size=(20, 2)), RNG.normal(size=(20, 1))
    [(name, found)] = applied("trajectory", paths, MLP(4), Arrays(x, y), settings={"before": True})
    assert name == f"{paths[0]} to {paths[3]}"
    assert np.asarray(found["path_epoch"]).tolist() == [0, 1, 2, 3]
    assert np.asarray(found["explained"]).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("kind", "count", "options", "words"),
    [
        ("hesian", 1, {}, ["hesian", "did you mean 'hessian'"]),
        ("trace", 1, {"settings": ["probs=3"]}, ["probs", "did you mean 'probes'"]),
        ("trace", 1, {"settings": ["probes=none"]}, ["probes", "none"]),
        ("trace", 1, {"settings": ["probes"]}, ["is no setting", "KEY=VALUE"]),
        ("trace", 1, {"settings": {"at": 3}}, ["at", "runs of a study"]),
        ("interpolation", 2, {"settings": ["between=replicates"]}, ["between", "takes two files"]),
        ("interpolation", 1, {}, ["1 files", "takes two files"]),
        ("trajectory", 2, {}, ["3 or more"]),
        ("trace", 0, {}, ["0 files"]),
        ("trace", 1, {"loss": "cross_entrpy"}, ["did you mean 'cross_entropy'"]),
        ("trace", 1, {"dtype": "float16"}, ["float32, float64"]),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_read(
    kind: str, count: int, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        applied(kind, ["nowhere.pt"] * count, MLP(4), DATA, **options)
    for word in words:
        assert word in str(caught.value)


def test_test_data_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no held-out data"):
        applied("trace", ["w.pt"], MLP(4), Arrays(X, Y), settings={"data": "test"})


def test_weights_of_another_network_are_refused(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        applied("trace", files[:1], f"{files[2]}(3)", DATA)
    with pytest.raises(WeightsError, match="nowhere"):
        applied("trace", ["nowhere.pt"], files[2], DATA)


def test_an_instrument_that_cannot_be_right_says_why(files: list[str]) -> None:
    with pytest.raises(MeasureError, match=r"no part .features\.9."):
        applied("hessian", files[:1], files[2], DATA, settings={"part": "features.9"})


def test_settings_are_toml_and_a_bare_word_is_text() -> None:
    assert instrument_of("trace", ["method=hutchinson", "probes = 7"]).model_dump()["method"] == "hutchinson"
    assert instrument_of("sensitivity", ["sizes=[1, 64]"]).model_dump()["sizes"] == (1, 64)
