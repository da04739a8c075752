"""Fetching image sets: whole and right, or not at all."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bad_server import Site, serving
from tiny_images import COLOUR, FINE, GREY, archive, contents, images, served, write_idx

from gradlab.errors import EnvironmentProblem
from gradlab.task.fetch import fetch, target
from gradlab.task.readers import read
from gradlab.task.readers.locate import home


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADLAB_OFFLINE", raising=False)
    monkeypatch.delenv("GRADLAB_DATA", raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def put(site: Site, published, seed: int = 0):
    """A set as the site serves it."""
    known, site.files = served(published, site.address, seed)
    return known


def files_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("published", [GREY, COLOUR, FINE], ids=["grey", "colour", "two labels"])
def test_what_was_fetched_is_found_and_whole(site: Site, tmp_path: Path, published) -> None:
    known = put(site, published)
    folder = fetch(known, tmp_path)
    assert folder == tmp_path / published.folders[0]
    assert (read(known, [tmp_path]).train_x == images(published)["train"][0]).all()
    suffix = "" if published is GREY else ".bin"
    wanted = {f"{published.folders[0]}/{name}{suffix}" for name in published.files}
    assert files_in(tmp_path) == wanted | {f".{published.name}.lock"}


def test_what_is_there_is_not_fetched_again(site: Site, tmp_path: Path, monkeypatch) -> None:
    known = put(site, GREY)
    fetch(known, tmp_path)
    before = len(site.requests)
    monkeypatch.setenv("GRADLAB_OFFLINE", "1")
    assert fetch(known, tmp_path) == tmp_path / "Tiny/raw"
    assert len(site.requests) == before == 4


def test_a_mirror_may_compress_in_its_own_way(site: Site, tmp_path: Path) -> None:
    known = replace(put(site, GREY), addresses=("http://127.0.0.1:9/none",))
    site.files = {
        f"mnist/{name}": gzip.compress(gzip.decompress(packed), 1) for name, packed in site.files.items()
    }
    fetch(known, tmp_path, mirror=f"{site.address}/mnist/")
    assert len(read(known, [tmp_path]).train_x) == 8


def test_the_next_address_is_tried(site: Site, tmp_path: Path) -> None:
    known = put(site, GREY)
    fetch(replace(known, addresses=(f"{site.address}/none/", *known.addresses)), tmp_path)
    assert len(read(known, [tmp_path]).train_x) == 8


def test_an_interrupted_transfer_continues(site: Site, tmp_path: Path) -> None:
    known = put(site, COLOUR)
    site.breaks = [100, 0, 0, 0]
    with pytest.raises(EnvironmentProblem, match="broke off after 100 of"):
        fetch(known, tmp_path)
    assert files_in(tmp_path) == {".tiny10.lock", ".tiny10.part/tiny-10-binary.tar.gz.part"}
    fetch(known, tmp_path)
    assert site.requests[-1] == ("/tiny-10-binary.tar.gz", "bytes=100-")
    assert len(read(known, [tmp_path]).train_x) == 6


def test_a_beginning_that_belongs_to_another_file_is_thrown_away(site: Site, tmp_path: Path) -> None:
    known = put(site, COLOUR)
    part = tmp_path / ".tiny10.part" / "tiny-10-binary.tar.gz.part"
    part.parent.mkdir()
    part.write_bytes(b"x" * 50)
    fetch(known, tmp_path)
    assert [asked for _, asked in site.requests] == ["bytes=50-", None]


def wrong_hash(site: Site) -> None:
    site.files = {name: served(GREY, "", seed=9)[1][name] for name in site.files}


def cut(site: Site) -> None:
    site.files = {name: content[:-9] for name, content in site.files.items()}


def not_packed(site: Site) -> None:
    site.files = dict.fromkeys(site.files, b"\0\0\x08\x03")


def web_page(site: Site) -> None:
    site.html = True


def gone(site: Site) -> None:
    site.files = {}


def bomb(site: Site) -> None:
    site.files = dict.fromkeys(site.files, gzip.compress(bytes(150_000_000), 9))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (wrong_hash, r"SHA256 hash.*does not match the known hash: expected \S+ but got [0-9a-f]{64}$"),
        (cut, "is not a whole gzip file"),
        (not_packed, "is not a whole gzip file"),
        (web_page, "answers with a web page"),
        (gone, "answers 404"),
        (bomb, "unpacks to more than 100,000,000 bytes"),
    ],
)
def test_nothing_wrong_takes_the_place_of_a_file(site: Site, tmp_path: Path, harm, message: str) -> None:
    known = put(site, GREY)
    harm(site)
    with pytest.raises(EnvironmentProblem, match=rf"Tiny could not be fetched: .*{message}"):
        fetch(known, tmp_path)
    assert {name for name in files_in(tmp_path) if not name.startswith(".tiny")} == set()


def test_an_archive_of_the_right_hash_is_still_checked_inside(site: Site, tmp_path: Path) -> None:
    files = contents(COLOUR, "binary")
    files["tiny-10-bin/data_batch_2.bin"] = files["tiny-10-bin/data_batch_2.bin"][:-1]
    known = put(site, COLOUR)
    [item] = known.downloads
    site.files = {item.name: archive(files)}
    import hashlib

    other = replace(item, sha256=hashlib.sha256(site.files[item.name]).hexdigest())
    with pytest.raises(EnvironmentProblem, match=r"data_batch_2.bin is cut short: 146 of 147 bytes"):
        fetch(replace(known, downloads=(other,)), tmp_path)
    assert not (tmp_path / "tiny-10-bin" / "data_batch_2.bin").exists()


def test_offline_nothing_is_asked_for(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = put(site, GREY)
    monkeypatch.setenv("GRADLAB_OFFLINE", "1")
    with pytest.raises(EnvironmentProblem, match="GRADLAB_OFFLINE forbids to download it"):
        fetch(known, tmp_path)
    assert (site.requests, os.listdir(tmp_path)) == ([], [])


@pytest.mark.parametrize("address", ["ftp://example.org/", "file:///etc/", "example.org"])
def test_only_web_addresses_are_taken(tmp_path: Path, address: str) -> None:
    with pytest.raises(EnvironmentProblem, match="must begin with http:// or https://"):
        fetch(served(GREY, "")[0], tmp_path, mirror=address)


def test_a_damaged_set_is_told_and_not_replaced(site: Site, tmp_path: Path) -> None:
    known = put(site, GREY)
    image = write_idx(tmp_path, packed=False) / "train-images-idx3-ubyte"
    image.write_bytes(b"precious")
    with pytest.raises(EnvironmentProblem, match=r"is not an idx file.*delete it and fetch it again"):
        fetch(known, tmp_path)
    assert image.read_bytes() == b"precious"


def test_a_folder_that_cannot_be_written_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match=r"cannot be written: Not a directory"):
        fetch(put(site, GREY), tmp_path / "file")


def test_several_at_once_fetch_a_set_one_time(site: Site, tmp_path: Path) -> None:
    known = put(site, GREY)
    problems: list[BaseException] = []

    def one() -> None:
        try:
            fetch(known, tmp_path)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(site.requests) == 4
    assert len(read(known, [tmp_path]).train_x) == 8


PROCESS = """
import sys
from pathlib import Path
from tiny_images import COLOUR, served
from gradlab.task.fetch import fetch
print(fetch(served(COLOUR, sys.argv[1])[0], Path(sys.argv[2])))
"""


def test_two_processes_at_once_are_safe(site: Site, tmp_path: Path) -> None:
    known = put(site, COLOUR)
    [item] = known.downloads
    # an archive holds the time it was made at, so both processes are given this one's hash
    program = PROCESS.replace(
        "served(COLOUR, sys.argv[1])[0]",
        f"__import__('dataclasses').replace(served(COLOUR, sys.argv[1])[0], downloads=({item!r},))",
    ).replace(
        "from gradlab.task.fetch",
        "from gradlab.task.readers.published import Download\nfrom gradlab.task.fetch",
    )
    oracles = str(Path(__file__).parents[1] / "oracles")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, site.address, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": oracles},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in running:
        out, problem = process.communicate(timeout=60)
        assert (process.returncode, out.strip()) == (0, str(tmp_path / "tiny-10-bin")), problem
    assert len(site.requests) == 1


def test_the_usual_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert target() == home()
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path))
    assert target() == tmp_path
