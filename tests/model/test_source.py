"""Code that travels to other processes."""

from __future__ import annotations

import sys
from pathlib import Path

import foreign_net
import pytest
from torch import nn

from gradlab.model.source import Source, source_of


def test_a_users_class_travels_as_source() -> None:
    source = source_of(foreign_net.Regressor)
    assert not source.in_process
    assert source.content == Path(foreign_net.__file__).read_bytes()
    loaded = source.load()
    assert loaded is not foreign_net.Regressor
    assert loaded(3).first.out_features == 3
    assert source.load() is loaded


def test_an_installed_class_is_imported_by_name() -> None:
    source = source_of(nn.Linear)
    assert source.content is None
    assert source.load() is nn.Linear


def test_what_cannot_travel_says_so() -> None:
    class Local(nn.Module):
        pass

    for target in (Local, lambda: nn.Linear(1, 1)):
        source = source_of(target)
        assert source.in_process
        with pytest.raises(LookupError, match="in that process only"):
            source.load()


def test_a_class_of_the_running_script_or_a_notebook_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_net.Regressor, "__module__", "__main__")
    assert source_of(foreign_net.Regressor).in_process


def test_a_source_that_fails_leaves_no_half_module(tmp_path: Path) -> None:
    path = tmp_path / "broken_net.py"
    path.write_text("class Net: ...\nraise RuntimeError('on import')\n")
    source = Source("broken_net", "Net", "0" * 20, "0" * 20, path.read_bytes(), in_process=False)
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="on import"):
            source.load()
    assert set(sys.modules) == before
