"""Where image sets are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_images import COLOUR, GREY, write_batches, write_idx

from gradlab.errors import EnvironmentProblem
from gradlab.task.readers.locate import Place, home, locate, places


def test_the_folder_of_the_environment_comes_first_and_gradlabs_own_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path))
    found = places()
    assert (found[0], found[1], found[-1]) == (tmp_path, Path("data"), home())
    monkeypatch.setenv("GRADLAB_DATA", "~/pictures")
    assert places()[0] == Path.home() / "pictures"
    monkeypatch.delenv("GRADLAB_DATA")
    assert places()[0] == Path("data")


@pytest.mark.parametrize(
    ("platform", "variable", "inside"),
    [("linux", "XDG_CACHE_HOME", ""), ("win32", "LOCALAPPDATA", ""), ("darwin", "HOME", "Library/Caches")],
)
def test_the_own_folder_is_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variable: str, inside: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert home() == tmp_path / inside / "gradlab" / "data"


def test_without_a_cache_of_its_own_the_usual_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / ".cache" / "gradlab" / "data"


def test_the_first_folder_that_has_all_files_is_taken(tmp_path: Path) -> None:
    half, whole = tmp_path / "half", tmp_path / "whole"
    (write_idx(half) / "t10k-labels-idx1-ubyte.gz").unlink()
    folder = write_idx(whole)
    assert locate(GREY, [tmp_path / "none", half, whole]) == Place(folder, "idx")


@pytest.mark.parametrize("spelling", ["{}", "{}.gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_files_have_several_names(tmp_path: Path, spelling: str, dotted: bool) -> None:
    folder = write_idx(tmp_path, packed=False)
    for file in list(folder.iterdir()):
        name = file.name.replace("-idx", ".idx") if dotted else file.name
        file.rename(folder / spelling.format(name))
    assert locate(GREY, [tmp_path]).path == folder


@pytest.mark.parametrize("inside", ["", "Tiny10", "tiny10"])
@pytest.mark.parametrize("form", ["binary", "python"])
def test_the_versions_of_a_colour_set_are_found(tmp_path: Path, inside: str, form: str) -> None:
    folder = write_batches(tmp_path / inside, COLOUR, form)
    assert locate(COLOUR, [tmp_path]) == Place(folder, form)
    packed = tmp_path / "packed" / inside / f"tiny-10-{form}.tar.gz"
    packed.parent.mkdir(parents=True)
    packed.touch()
    found = locate(COLOUR, [tmp_path / "packed"])
    assert (found, found.archived) == (Place(packed, form), True)


def test_a_missing_set_names_the_places_what_is_incomplete_and_the_command(tmp_path: Path) -> None:
    half = tmp_path / "half"
    folder = write_batches(half, COLOUR, "binary")
    (folder / "data_batch_2.bin").unlink()
    with pytest.raises(EnvironmentProblem) as told:
        locate(COLOUR, [half, tmp_path / "none"])
    for part in (
        "Tiny-10 is not on this machine",
        f"{folder} lacks data_batch_2",
        f"looked for tiny-10-bin in {half}, {tmp_path / 'none'}",
        "`gradlab data fetch tiny10`",
        "GRADLAB_DATA",
    ):
        assert part in str(told.value)
    assert told.value.exit_code == 6
