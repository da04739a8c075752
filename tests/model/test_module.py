"""A user's own network as a model."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import foreign_net
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from gradlab.component import vary
from gradlab.model import Module


def test_it_builds_the_network_with_its_arguments() -> None:
    model = Module(foreign_net.Regressor, 3, dropout=0.5)
    built = model.build()
    assert isinstance(built, foreign_net.Regressor)
    assert (built.first.out_features, built.drop.p) == (3, 0.5)
    assert model.parameters(1, 1) == 10
    assert model.label() == "Regressor"


def test_building_at_a_seed_leaves_torchs_generator_alone() -> None:
    model = Module(foreign_net.Regressor)
    before = torch.get_rng_state()
    one, two, other = (model.built_at(seed).first.weight for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_identity_is_source_arguments_and_first_state() -> None:
    canonical = Module(foreign_net.Regressor, 3).canonical()
    assert set(canonical) == {"kind", "name", "source", "state", "arguments"}
    assert canonical == Module(foreign_net.Regressor, 3).canonical()
    for other in (Module(foreign_net.Regressor, 4), Module(foreign_net.Regressor, 3, norm=True)):
        assert canonical != other.canonical()


def test_a_declaration_is_shown_as_plain_data_without_building_anything() -> None:
    tree = Module(foreign_net.not_a_network, 3, activation=nn.ReLU).tree()
    assert tree["arguments"] == [3]
    assert tree["keywords"]["activation"].endswith("ReLU")
    assert json.loads(json.dumps(tree)) == tree


def test_a_copy_in_another_process_is_the_same_network(tmp_path: Path) -> None:
    model = Module(foreign_net.Regressor, 3, dropout=0.25)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    program = (
        "import pickle, sys\n"
        f"model = pickle.load(open({str(tmp_path / 'model.pickle')!r}, 'rb'))\n"
        "assert 'foreign_net' not in sys.modules\n"
        "print(model.canonical())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(model.canonical())
    assert pickle.loads(pickle.dumps(model)) == model


def test_lambdas_and_local_classes_work_here_and_say_that_they_stay_here() -> None:
    model = Module(lambda: nn.Linear(1, 1))
    assert model.in_process
    assert model.parameters(1, 1) == 2
    with pytest.raises(LookupError, match="process"):
        pickle.loads(pickle.dumps(model)).build()


def test_a_function_may_build_the_network() -> None:
    assert Module(foreign_net.linear).parameters(1, 1) == 2


def test_frozen_parameters_are_not_counted() -> None:
    assert Module(foreign_net.Frozen).parameters(1, 1) == 8


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match="a class or a function"):
        Module("net")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"not a torch\.nn\.Module"):
        Module(foreign_net.not_a_network).build()
    with pytest.raises(ValidationError, match="vary whole modules"):
        Module(foreign_net.Regressor, width=vary(3, 4))
    with pytest.raises(ValidationError, match="arguments of a module are"):
        Module(foreign_net.Regressor, object())
    Module(foreign_net.Regressor, activation=nn.ReLU, sizes=[1, {"a": None}])


def test_multiplications_are_those_of_a_forward_pass() -> None:
    assert Module(torch.nn.Linear, 3, 2).multiplications((3,), 2) == 6
    convolution = Module(torch.nn.Conv2d, 2, 5, 3)
    assert convolution.multiplications((2, 8, 8), 180) == 5 * 36 * 18
