"""`gradlab data`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_server import Site, serving
from tiny_images import COLOUR, GREY, served, write_idx

from gradlab.cli import main
from gradlab.task.readers import PUBLISHED


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADLAB_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in list(PUBLISHED):
        monkeypatch.delitem(PUBLISHED, name)
    with serving() as found:
        known, found.files = served(GREY, found.address)
        monkeypatch.setitem(PUBLISHED, "tiny", known)
        monkeypatch.setitem(PUBLISHED, "tiny10", served(COLOUR, found.address)[0])
        yield found


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["data", *arguments])
    return int(end.value.code or 0)


def test_fetch_list_and_verify(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "tiny") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "Tiny/raw")
    assert run("list") == 0
    shown = capsys.readouterr()
    assert f"8 + 4 images             {tmp_path / 'Tiny/raw'}" in shown.out
    assert "tiny10         6 + 3 images             not on this machine" in shown.out
    assert f"searched: {tmp_path}, data" in shown.err
    assert run("verify") == 0
    assert capsys.readouterr().out == f"ok       tiny: {tmp_path / 'Tiny/raw'} (sizes and classes)\n"


def test_data_as_json(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "TINY", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"tiny": str(tmp_path / "Tiny/raw")}
    assert run("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["path"] is None for row in listed["sets"]] == [False, True]
    assert run("verify", "--json", "tiny-10") == 6
    [row] = json.loads(capsys.readouterr().out.partition("\n{")[0])
    assert (row["ok"], "Tiny-10 is not on this machine" in row["problem"]) == (False, True)


def test_another_folder_and_another_address(site: Site, tmp_path: Path, capsys) -> None:
    assert run("fetch", "tiny", "--to", str(tmp_path / "here"), "--mirror", f"{site.address}/none") == 6
    assert "none/train-images-idx3-ubyte.gz answers 404" in capsys.readouterr().err
    assert run("fetch", "tiny", "--to", str(tmp_path / "here"), "--mirror", site.address) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "here/Tiny/raw")


def test_damage_is_found(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (write_idx(tmp_path) / "train-labels-idx1-ubyte.gz").write_bytes(b"<html>")
    assert run("verify") == 6
    assert "PROBLEM  tiny:" in capsys.readouterr().out


def test_nothing_there_is_no_problem(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify") == 0
    assert "no image set is on this machine" in capsys.readouterr().err


def test_a_wrong_name_is_told_with_the_nearest(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "tny") == 2
    assert "'tny' is not an image set; they are tiny, tiny10; did you mean 'tiny'?" in capsys.readouterr().err


def test_offline_is_told(site: Site, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("GRADLAB_OFFLINE", "1")
    assert run("fetch", "tiny") == 6
    assert "GRADLAB_OFFLINE forbids" in capsys.readouterr().err
    assert site.requests == []
