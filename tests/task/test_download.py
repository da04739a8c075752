"""Downloads that break off, answer nonsense or never come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_server import Site, serving

from gradlab.errors import EnvironmentProblem
from gradlab.task.download import ATTEMPTS, download

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.files["a.gz"] = CONTENT
        yield found


def bring(site: Site, part: Path, most: int = 20_000) -> list[tuple[str, int, int]]:
    told: list[tuple[str, int, int]] = []
    download(f"{site.address}/a.gz", part, most, lambda *given: told.append(given))
    return told


def test_a_file_is_brought_and_its_progress_told(site: Site, tmp_path: Path) -> None:
    told = bring(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert told[-1] == ("a.gz", len(CONTENT), len(CONTENT))


def test_a_transfer_that_breaks_off_is_continued(site: Site, tmp_path: Path) -> None:
    site.breaks = [1000, 500, 0]
    bring(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert [asked for _, asked in site.requests] == [None, "bytes=1000-", "bytes=1500-", "bytes=1500-"]


def test_what_is_there_is_kept_for_the_next_command(site: Site, tmp_path: Path) -> None:
    site.breaks = [700] + [0] * (ATTEMPTS - 1)
    with pytest.raises(
        EnvironmentProblem, match=r"broke off after 700 of 10,240 bytes.*same command continues"
    ):
        bring(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT[:700]
    bring(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert site.requests[-1][1] == "bytes=700-"


def test_a_server_without_ranges_begins_again(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    (tmp_path / "part").write_bytes(b"something else")
    bring(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_whole_file_is_not_brought_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    assert bring(site, tmp_path / "part") == []
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_more_than_the_server_has_is_of_another_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT + b"more")
    bring(site, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["html", "plain_html"])
def test_a_web_page_is_recognised(site: Site, tmp_path: Path, kind: str) -> None:
    setattr(site, kind, True)
    with pytest.raises(EnvironmentProblem, match=r"a\.gz answers with a web page, not with the file"):
        bring(site, tmp_path / "part")
    assert not (tmp_path / "part").exists() or (tmp_path / "part").read_bytes() == b""


def test_a_missing_file_is_told(site: Site, tmp_path: Path) -> None:
    site.files.clear()
    with pytest.raises(EnvironmentProblem, match=r"a\.gz answers 404 Not Found"):
        bring(site, tmp_path / "part")


def test_a_file_that_is_much_too_large_is_refused_at_once(site: Site, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"has 10,240 bytes; at most 5,000 are expected"):
        bring(site, tmp_path / "part", most=5000)
    assert not (tmp_path / "part").exists()


def test_an_address_without_a_server_is_told(tmp_path: Path) -> None:
    with serving() as gone:
        address = gone.address
    with pytest.raises(EnvironmentProblem, match=r"cannot be reached: .*refused"):
        download(f"{address}/a.gz", tmp_path / "part", 100, lambda *_: None)
