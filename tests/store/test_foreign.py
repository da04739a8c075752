"""Weights from elsewhere, and to elsewhere."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from gradlab.errors import WeightsError
from gradlab.store.foreign import as_weights, read_weights, write_weights


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(OrderedDict(first=nn.Linear(3, 4), norm=nn.BatchNorm1d(4), last=nn.Linear(4, 2)))


class Payload:
    """What a hostile file would run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("suffix", ["pt", "legacy", "safetensors", "misnamed"])
def test_all_formats_hold_the_same_arrays(tmp_path: Path, suffix: str) -> None:
    state, path = network().state_dict(), tmp_path / f"weights.{suffix}"
    if suffix in {"safetensors", "misnamed"}:
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=suffix == "pt")
    found = read_weights(path)
    assert set(found.tensors) == set(state)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in state.items())
    assert found.ordered == (suffix in {"pt", "legacy"})
    assert not found.ordered or list(found.tensors) == list(state)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_types_are_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    for name, write in (("a.pt", torch.save), ("a.safetensors", save_file)):
        write({"w": torch.ones(2, dtype=dtype)}, tmp_path / name)
        assert read_weights(tmp_path / name).tensors["w"].dtype == dtype


@pytest.mark.parametrize(
    ("checkpoint", "note"),
    [
        (
            {"epoch": 3, "state_dict": "weights", "optimizer": {"state": {}}},
            "entry 'state_dict'; it also holds epoch",
        ),
        ({"model": "weights"}, "entry 'model'$"),
        ({"best": "weights", "history": [0.5]}, "entry 'best'; it also holds history"),
        ({"ema": "weights", "model": "weights"}, "entry 'model'; it also holds ema"),
    ],
)
def test_a_state_dict_is_found_in_a_checkpoint(tmp_path: Path, checkpoint: dict[str, Any], note: str) -> None:
    state = network().state_dict()
    torch.save({k: state if v == "weights" else v for k, v in checkpoint.items()}, tmp_path / "a.pt")
    found = read_weights(tmp_path / "a.pt")
    assert set(found.tensors) == set(state)
    [told] = found.notes
    assert re.search(note, told)


def test_a_list_of_arrays_is_named_by_index() -> None:
    found = as_weights(list(network().parameters()), "it")
    assert list(found.tensors) == [str(index) for index in range(6)]


def test_what_is_no_array_is_passed_over_and_told() -> None:
    found = as_weights({"w": torch.ones(2), "version": 3}, "it")
    assert (list(found.tensors), found.notes) == (
        ["w"],
        ("entries that are no arrays were passed over: version",),
    )


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "inside"])
def test_a_hostile_pickle_is_refused_and_never_runs(tmp_path: Path, form: str) -> None:
    marker, path = tmp_path / "pwned", tmp_path / "weights.pt"
    if form == "pickle":
        path.write_bytes(pickle.dumps(Payload(marker)))
    elif form == "inside":
        torch.save({"w": torch.ones(2)}, tmp_path / "good.pt")
        with zipfile.ZipFile(tmp_path / "good.pt") as good, zipfile.ZipFile(path, "w") as bad:
            for name in good.namelist():
                data = good.read(name)
                bad.writestr(name, pickle.dumps(Payload(marker), 2) if name.endswith("data.pkl") else data)
    else:
        torch.save({"w": Payload(marker)}, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(
        WeightsError, match=r"not a file of weights|would run \w+.mkdir, named in the file"
    ) as caught:
        read_weights(path)
    assert not marker.exists()
    assert str(path) in str(caught.value)


def test_a_whole_module_is_refused_with_what_to_do(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"would run torch.nn.*torch.save\(network.state_dict\(\)"):
        read_weights(tmp_path / "a.pt")


def test_a_program_is_refused_with_what_to_do(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch advises against such files
        torch.jit.save(torch.jit.trace(nn.Linear(2, 3), torch.ones(1, 2)), buffer)
    (tmp_path / "a.pt").write_bytes(buffer.getvalue())
    with pytest.raises(WeightsError, match="TorchScript archive, which is a program; save its weights"):
        read_weights(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_a_file_cut_anywhere_is_told(tmp_path: Path, name: str) -> None:
    (save_file if name.endswith("safetensors") else torch.save)(network().state_dict(), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for length in [1, 4, 9, 20, *range(40, len(whole) - 1, len(whole) // 7)]:
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(WeightsError, match=name):
            read_weights(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"<!doctype html><title>404</title>", "not a file of weights"),
        (b"\x93NUMPY\x01\x00" + b" " * 100, "not a file of weights|no file of weights"),
    ],
)
def test_what_is_no_file_of_weights_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "weights.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_weights(path)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"epoch": 3}, r"holds no weights: none of its entries \(epoch\) is a state dict"),
        ({}, r"\(nothing\)"),
        ({"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}}, r"several sets of weights \(a, b\)"),
        (3, "holds a int, not weights by name"),
        ({"w": torch.ones(2, 2).to_sparse()}, "w is sparse"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "w holds complex numbers"),
        ({"w": torch.ones(2, device="meta")}, "w has a shape and no numbers"),
    ],
)
def test_what_holds_no_weights_is_told(found: object, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        as_weights(found, "it")


def test_a_checkpoint_of_a_lab_is_told_apart(tmp_path: Path) -> None:
    save_file(
        {"all/weights": torch.ones(2)}, tmp_path / "a.safetensors", metadata={"format": "gradlab-states-1"}
    )
    with pytest.raises(WeightsError, match="`gradlab weights RUN` writes one run's weights"):
        read_weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.pth"])
def test_written_weights_are_what_pytorch_loads(tmp_path: Path, name: str) -> None:
    state = network().state_dict()
    write_weights({key: tensor.numpy() for key, tensor in state.items()}, tmp_path / name, {"epoch": 3})
    if name == "a.safetensors":
        with safe_open(tmp_path / name, "pt") as file:
            assert json.loads(file.metadata()["gradlab"]) == {"epoch": 3}
            loaded = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    else:
        loaded = torch.load(tmp_path / name, weights_only=True)
        assert list(loaded) == list(state)
    network().load_state_dict(loaded)
    assert all(torch.equal(loaded[key], tensor) for key, tensor in state.items())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_weights_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    arrays = {"w": np.ones(2)}
    with pytest.raises(WeightsError, match=r"ends in .safetensors, .pt or .pth"):
        write_weights(arrays, tmp_path / "weights.npz", {})
    with pytest.raises(WeightsError, match="cannot be written"):
        write_weights(arrays, tmp_path / "nowhere" / "weights.safetensors", {})
