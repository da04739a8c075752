"""Models and tasks as they are written on the command line."""

from __future__ import annotations

from pathlib import Path

import foreign_net
import pytest
from torch import nn

from gradlab import CNN, MLP, Digits, Function, Module, UsageError
from gradlab.engine.arguments import here_importable, model_of, task_of


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ('cnn = "conv 16x3, pool 2"', CNN("conv 16x3, pool 2")),
        ('cnn="conv 16x3", activation = "tanh"', CNN("conv 16x3", activation="tanh")),
        ('{ cnn = { layers = "5" } }', CNN("5")),
        ("mlp=[256, 128]", MLP(256, 128)),
        (" mlp ", MLP()),
    ],
)
def test_a_declared_model_is_toml(text: str, model: object) -> None:
    assert model_of(text) == model


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("digits", Digits()),
        ("digits = { test = 0.5 }", Digits(test=0.5)),
        ('function = "sin", low = 0, high = 1, points = 5', Function("sin", low=0, high=1, points=5)),
    ],
)
def test_a_task_is_toml(text: str, task: object) -> None:
    assert task_of(text) == task


def test_a_network_of_ones_own_is_imported_with_its_arguments() -> None:
    network = model_of("foreign_net:Regressor(3, dropout=0.25)").build()
    assert (network.first.out_features, network.drop.p) == (3, 0.25)
    assert isinstance(model_of("torch.nn:Flatten").build(), nn.Flatten)


def test_the_current_folder_is_searched_while_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nets_of_mine.py").write_text("from torch import nn\nclass Net(nn.Linear):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    with here_importable():
        assert model_of("nets_of_mine:Net(2, 3)").parameters(2, 3) == 9
    with pytest.raises(UsageError, match="No module named 'nets_of_theirs'"):
        model_of("nets_of_theirs:Net")


def test_objects_stand_for_themselves() -> None:
    network = nn.Linear(2, 3)
    assert model_of(network) is network
    assert model_of(MLP(3)) == MLP(3)
    assert isinstance(model_of(foreign_net.Regressor), Module)
    assert isinstance(model_of(foreign_net.linear), Module)
    assert task_of({"digits": {"test": 0.5}}) == Digits(test=0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('cnn = "cnov 3x3"', "model.layers: .* did you mean 'conv'"),
        ("mpl", "model: is not a known kind; found mpl; allowed: mlp, cnn, module; did you mean 'mlp'"),
        ("mlp = [3", "model: cannot be read as TOML"),
        ("foreign_net:Regresor", "foreign_net has no Regresor; .* did you mean 'Regressor'"),
        ("foreign_net:__doc__", "is a str, not a class or function"),
        ("foreign_net:Regressor(__import__('os').getcwd())", "takes literal arguments only"),
        ("foreign_net:Regressor(*[3])", "takes literal arguments only"),
        ("foreign_net:Regressor(**{'width': 3})", "takes literal arguments only"),
        ("foreign_net:Regressor(3)(4)", "takes literal arguments only"),
        ("foreign_net:Regressor(3", "cannot be read as TOML"),
        ("foreign_net:Regressor(3,,)", "takes literal arguments only"),
    ],
)
def test_what_cannot_be_read_as_a_model_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mnits", "data: is not a known kind; found mnits; .* did you mean 'mnist'"),
        ("digits = { tset = 0.5 }", "data.tset: is not a known key"),
        ("digits = { test = 2 }", "data.test: must be less than 1.0; found 2"),
        ("digits = { test = { vary = [0.1, 0.2] } }", "data.test: takes one value here; found 0.1, 0.2"),
        ("vary = ['digits', 'mnist']", "data: takes one value here; found digits, mnist"),
    ],
)
def test_what_cannot_be_read_as_a_task_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        task_of(text)
