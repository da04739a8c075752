"""Weights that anybody trained, on a task: against plain PyTorch in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import gradlab
from gradlab import CNN, MLP, Arrays, Digits, Function, UsageError, WeightsError
from gradlab.engine.evaluate import Evaluation, Score

NETS = """
from torch import nn

class Net(nn.Module):
    def __init__(self, channels=6, dropout=0.0):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout)
        )
        self.classifier = nn.Linear(channels * 9, 4)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
"""

PLAIN = """
import json, numpy as np, torch
from torch.nn import functional
from plain_nets import Net

torch.manual_seed(3)
data = np.load("data.npz")
x, y = torch.tensor(data["x"], dtype=torch.float32), torch.tensor(data["y"])
net = Net(dropout=0.3)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(30):
    optimizer.zero_grad()
    functional.cross_entropy(net(x), y).backward()
    optimizer.step()
net.eval()
scores = {}
with torch.no_grad():
    for name, prefix in (("train", ""), ("test", "test_")):
        x, y = torch.tensor(data[prefix + "x"], dtype=torch.float32), torch.tensor(data[prefix + "y"])
        outputs = net(x)
        accuracy = (outputs.argmax(1) == y).float().mean().item()
        scores[name] = [functional.cross_entropy(outputs, y).item(), accuracy]
torch.save(net.state_dict(), "weights.pt")
torch.save({"epoch": 30, "model": {"module." + k: v for k, v in net.state_dict().items()}}, "checkpoint.pt")
print(json.dumps(scores))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[float]]]:
    """A folder with data and with weights that a script without gradlab trained, and what the script measured."""
    folder = tmp_path_factory.mktemp("plain")
    random = np.random.default_rng(0)
    y, test_y = random.integers(4, size=700), random.integers(4, size=300)
    x, test_x = (random.normal(size=(len(k), 1, 8, 8)) + k[:, None, None, None] / 3 for k in (y, test_y))
    np.savez(folder / "data.npz", x=x, y=y, test_x=test_x, test_y=test_y)
    (folder / "plain_nets.py").write_text(NETS)
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


CLOSE = {"rel": 0, "abs": 1e-6}


@pytest.mark.parametrize(
    ("weights", "model", "matched"),
    [
        ("weights.pt", "plain_nets:Net(6, dropout=0.9)", "by name"),
        ("weights.pt", 'cnn = "conv 6x3, norm, pool 2"', "by order and shape"),
        ("checkpoint.pt", "plain_nets:Net", "by name, without the 'module.' that DataParallel adds"),
    ],
)
def test_scores_are_those_of_plain_pytorch(
    trained: Any, monkeypatch: pytest.MonkeyPatch, weights: str, model: str, matched: str
) -> None:
    folder, scores = trained
    monkeypatch.chdir(folder)
    found = gradlab.evaluate(weights, model, 'arrays = "data.npz"')
    assert found.matched == matched
    assert (found.parameters, found.stored, found.dtype, found.loss) == (
        292,
        "float32",
        "float32",
        "cross_entropy",
    )
    for name, (loss, accuracy) in scores.items():
        assert found.scores[name].loss == pytest.approx(loss, **CLOSE)
        assert found.scores[name].accuracy == pytest.approx(accuracy, **CLOSE)
    assert [score.examples for score in found.scores.values()] == [700, 300]
    double = gradlab.evaluate(weights, model, 'arrays = "data.npz"', dtype="float64", split="test")
    assert list(double.scores) == ["test"]
    assert double.scores["test"].loss == pytest.approx(scores["test"][0], **CLOSE)


def test_the_command_line_says_the_same(trained: Any) -> None:
    folder, scores = trained
    command = [
        sys.executable,
        "-m",
        "gradlab",
        "evaluate",
        "--weights",
        "weights.pt",
        "--model",
        "plain_nets:Net",
    ]
    command += ["--data", 'arrays = "data.npz"', "--loss", "cross_entropy"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    for name, (loss, accuracy) in scores.items():
        assert f"{name:<5} " in told.stdout
        assert f"loss {loss:#.6g}  accuracy {accuracy:.6f}" in told.stdout
    data = subprocess.run([*command, "--json"], cwd=folder, capture_output=True, text=True, check=False)
    assert json.loads(data.stdout)["test"]["loss"] == pytest.approx(scores["test"][0], **CLOSE)
    command[5] = "nothing.pt"
    missing = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "gradlab: nothing.pt cannot be read: No such file or directory\n"


MNIST_BY_HAND = """
import gzip, json, os, numpy as np, torch
from pathlib import Path
from torch import nn

def idx(name):
    path = next(Path(os.environ["GRADLAB_DATA"]).rglob(name + "*"))
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return np.frombuffer(data, np.uint8, offset=16 if "idx3" in name else 8)

torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 10, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(10, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 32), nn.ReLU(), nn.Linear(32, 10),
)
torch.save(net.state_dict(), "mnist.pt")
x = torch.tensor(idx("t10k-images-idx3-ubyte").reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
y = torch.tensor(idx("t10k-labels-idx1-ubyte")).long()
with torch.no_grad():
    outputs = net(x)
print(json.dumps([nn.functional.cross_entropy(outputs, y).item(), (outputs.argmax(1) == y).float().mean().item()]))
"""


@pytest.mark.data
def test_images_are_those_of_plain_pytorch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MNIST_BY_HAND], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loss, accuracy = json.loads(done.stdout)
    model = CNN("conv 10x3, pool 2, conv 16x3, pool 2, 32")
    found = gradlab.evaluate(tmp_path / "mnist.pt", model, "mnist", split="test")
    assert found.parameters == 14_718
    assert found.scores["test"].loss == pytest.approx(loss, **CLOSE)
    assert found.scores["test"].accuracy == pytest.approx(accuracy, **CLOSE)


def plain_network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))


def test_a_users_module_is_left_as_it_was() -> None:
    mine, other = plain_network(), {k: v * 2 for k, v in plain_network().state_dict().items()}
    before = {name: tensor.clone() for name, tensor in mine.state_dict().items()}
    gradlab.evaluate(other, mine, Digits(), dtype="float64")
    assert all(torch.equal(tensor, before[name]) for name, tensor in mine.state_dict().items())
    assert mine.training


def test_float64_weights_are_not_rounded_on_the_way(tmp_path: Path) -> None:
    state = {name: tensor.double() + 1e-12 for name, tensor in plain_network().state_dict().items()}
    save_file(state, tmp_path / "a.safetensors")
    names = {"0": "fc1", "2": "fc2"}
    named = {names[name[0]] + name[1:]: tensor for name, tensor in state.items()}
    found = gradlab.evaluate(tmp_path / "a.safetensors", MLP(8), "digits", dtype="float64", split="train")
    assert found.stored == "float64"
    assert found.scores == gradlab.evaluate(named, MLP(8), "digits", dtype="float64", split="train").scores
    network = plain_network().double()
    network.load_state_dict(state)
    from gradlab.task.data import build_data

    data = build_data(Digits(), {"data": 0, "labels": 0})
    with torch.no_grad():
        loss = nn.functional.cross_entropy(network(torch.tensor(data.x)), torch.tensor(data.y)).item()
    assert found.scores["train"].loss == pytest.approx(loss, rel=1e-12)


def test_regression_has_a_loss_and_no_accuracy() -> None:
    task = Function("sin", low=-1, high=1, points=10)
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1))
    found = gradlab.evaluate(network.state_dict(), MLP(3), task)
    assert list(found.scores) == ["train"]
    assert found.scores["train"].accuracy is None
    assert found.loss == "mse"
    x = torch.linspace(-1, 1, 10)[:, None]
    with torch.no_grad():
        expected = nn.functional.mse_loss(network(x), torch.sin(x)).item()
    assert found.scores["train"].loss == pytest.approx(expected, rel=1e-5)


def test_outputs_that_are_shares_already_are_told() -> None:
    network = nn.Sequential(plain_network(), nn.Softmax(dim=1))
    found = gradlab.evaluate(network.state_dict(), network, "digits")
    assert found.notes == ("the outputs are shares of one already, and the loss takes them for logits",)
    assert gradlab.evaluate(network.state_dict(), CNN("8"), "digits").notes == ()


def test_nothing_is_dropped() -> None:
    state = plain_network().state_dict()
    dropped = gradlab.evaluate(state, CNN("8, drop 0.9"), "digits").scores
    assert dropped == gradlab.evaluate(state, MLP(8), "digits").scores


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "mse"}, "loss: is not one of the allowed values; found mse; allowed: cross_entropy"),
        ({"split": "tset"}, "split: .* did you mean 'test'"),
        ({"dtype": "float16"}, "dtype: .* allowed: float32, float64"),
        ({"task": Digits(test=0), "split": "test"}, "split: is not there: the task has no held-out data"),
        ({"model": CNN("conv 3x3")}, "model: layer 1, 'conv 3x3', needs examples of shape"),
        ({"model": 7}, "model: is no model; found 7; allowed: a declared model"),
        ({"model": "foreign_net:Regressor('x')"}, "model: cannot be built: TypeError"),
        ({"model": nn.Linear(64, 10)}, "do not fit the model"),
    ],
)
def test_what_makes_no_sense_is_told(changes: dict[str, Any], message: str) -> None:
    given = {"weights": plain_network().state_dict(), "model": MLP(8), "task": Digits()} | changes
    with pytest.raises((UsageError, WeightsError), match=message):
        gradlab.evaluate(**given)


def test_a_model_that_does_not_take_the_task_is_told() -> None:
    network = nn.Linear(64, 7)
    with pytest.raises(
        UsageError, match=r"returns shape \[n, 7\] for examples of shape \[n, 64\]; the task needs \[n, 10\]"
    ):
        gradlab.evaluate(network.state_dict(), network, "digits")
    images = Arrays(np.zeros((12, 1, 8, 8)), np.arange(12) % 11, classes=11)
    with pytest.raises(UsageError, match=r"does not take the task's examples of shape \[n, 1, 8, 8\]"):
        gradlab.evaluate(network.state_dict(), network, images)


def test_six_digits_are_shown_of_any_loss() -> None:
    scores = {"train": Score(60_000, 0.000012345678, 1.0), "test": Score(10_000, float("nan"), None)}
    told = str(
        Evaluation("w.pt", "net", 1234, "by name", "float32", "float32", "cross_entropy", scores, ("a note",))
    )
    assert told.splitlines() == [
        "w.pt: 1,234 parameters of net, float32, matched by name",
        "a note",
        "cross_entropy in float32, evaluation mode:",
        "train   60,000 examples  loss 1.23457e-05  accuracy 1.000000",
        "test    10,000 examples  loss nan",
    ]
