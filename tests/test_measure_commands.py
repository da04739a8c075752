"""What `gradlab instruments` lists, and what `gradlab measure` says meanwhile and writes."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from gradlab import MLP, Function, UsageError
from gradlab.measure_commands import COSTS, described, measure, noted, told
from gradlab.study.instruments import INSTRUMENTS


def test_every_instrument_is_listed_with_what_it_is_of() -> None:
    listed = described()
    assert isinstance(listed, list)
    assert [entry["name"] for entry in listed] == list(INSTRUMENTS)
    assert set(COSTS) == set(INSTRUMENTS)
    assert {entry["of"] for entry in listed} == {
        "one network", "two networks", "networks along one run or several"
    }  # fmt: skip
    assert all(entry["means"].endswith(".") for entry in listed)
    assert len(told(listed).splitlines()) == len(INSTRUMENTS)


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_one_is_told_with_settings_values_and_cost(name: str) -> None:
    found = described(name)
    assert isinstance(found, dict)
    json.dumps(found, allow_nan=False)
    assert set(found["values"]) == set(INSTRUMENTS[name].gives)
    assert set(found["settings"]) == set(INSTRUMENTS[name].model_fields) - {"kind"}
    for setting, entry in found["settings"].items():
        assert entry["means"], f"{name}.{setting} is not explained in its docstring"
    text = told(found)
    assert COSTS[name] in text
    assert max(map(len, text.splitlines())) <= 130


def test_what_only_chooses_among_runs_is_marked() -> None:
    settings = described("trajectory")["settings"]  # type: ignore[call-overload]
    assert {key for key, entry in settings.items() if entry["in"] == "a study"} == {"at", "every", "runs"}


def test_an_unknown_one_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'landscape'"):
        described("landscapes")


def test_notes_come_only_where_it_takes_long() -> None:
    quick, slow = io.StringIO(), io.StringIO()
    with noted(quick, first=60):
        pass
    assert quick.getvalue() == ""
    with noted(slow, first=0.01, every=0.01) as tell:
        tell("trace of w.pt")
        deadline = time.monotonic() + 5
        while slow.getvalue().count("trace of w.pt;") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert slow.getvalue().startswith("gradlab: trace of w.pt; 0 s\n")
    assert slow.getvalue().count("\n") >= 2


def test_measurements_are_written_to_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1)).state_dict(), tmp_path / "w.pt")
    task = Function("sin", low=-3, high=3, points=20)
    out = tmp_path / "found.json"
    [(name, found)] = measure("trace", [tmp_path / "w.pt"], MLP(3), task, out=out, quiet=True)
    [written] = json.loads(out.read_text())
    assert written["weights"] == name
    assert written["values"]["trace"]["value"] == float(found["trace"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.json", "w.pt"]


@pytest.mark.parametrize(("name", "words"), [("", "is a folder"), ("no/found.json", "there is no folder")])
def test_a_file_that_cannot_be_written_is_told_before_measuring(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        measure(
            "trace", ["nowhere.pt"], MLP(3), Function("sin", low=-3, high=3, points=20), out=tmp_path / name
        )
