"""Archives give only the files asked for, and hostile ones nothing."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from tiny_images import archive

from gradlab.errors import EnvironmentProblem
from gradlab.task.readers.archive import members

WANTED = {"set/a.bin", "set/b.bin"}
FILES = {"set/readme.html": b"<html>", "set/b.bin": b"bb", "set/a.bin": b"aaa"}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "set.tar.gz"
    path.write_bytes(content)
    return path


def with_member(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        tar.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def link(name: str, kind: bytes, to: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def test_the_files_asked_for_are_given(tmp_path: Path) -> None:
    found = dict(members(written(tmp_path, archive(FILES)), WANTED, 3))
    assert found == {"set/a.bin": b"aaa", "set/b.bin": b"bb"}
    assert os.listdir(tmp_path) == ["set.tar.gz"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive({"set/a.bin": b""}), "holds no set/b.bin"),
        (archive({"../a.bin": b"", **FILES}), r"holds the unsafe name '\.\./a\.bin'"),
        (archive({"set/../../a.bin": b"", **FILES}), "holds the unsafe name"),
        (archive({"/tmp/a.bin": b"", **FILES}), "holds the unsafe name '/tmp/a.bin'"),
        (archive({**FILES, "set/a.bin": b"aaaa"}), "holds set/a.bin with 4 bytes; at most 3 are expected"),
        (with_member(link("set/a.bin", tarfile.SYMTYPE, "/etc/passwd")), "holds set/a.bin not as a file"),
        (with_member(link("set/a.bin", tarfile.LNKTYPE, "set/b.bin")), "holds set/a.bin not as a file"),
        (with_member(link("set/a.bin", tarfile.FIFOTYPE, "")), "holds set/a.bin not as a file"),
        (b"<html><title>404</title></html>", "is a web page, not an archive"),
        (b"not an archive", "is damaged"),
        (gzip.compress(b"not an archive" * 100), "is damaged"),
        (archive(FILES)[:-60], "is cut short|is damaged"),
    ],
)
def test_each_wrong_archive_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(EnvironmentProblem, match=rf"set.tar.gz ({message})"):
        list(members(written(tmp_path, content), WANTED, 3))
    assert os.listdir(tmp_path) == ["set.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("set/other")
    member.type, member.size = kind, 5_000_000_000
    content = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1_000_000))
    with pytest.raises(EnvironmentProblem, match=r"unpacks to more than|is cut short|is damaged"):
        list(members(written(tmp_path, content), WANTED, 3))


def test_an_archive_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read: No such file"):
        list(members(tmp_path / "set.tar.gz", WANTED, 3))
