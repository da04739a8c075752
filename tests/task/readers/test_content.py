"""Contents, their sizes and their hashes."""

from __future__ import annotations

import hashlib

from gradlab.task.readers.content import matches, size_problem


def test_a_content_matches_one_of_its_digests() -> None:
    digest = hashlib.sha256(b"bbaacc").hexdigest()
    assert matches(b"bbaacc", ("0" * 64, digest), 2)
    assert not matches(b"aabbcc", (digest,), 2)
    assert matches(b"anything", (), 2)


def test_a_sorted_digest_takes_records_in_any_order_but_no_other_records() -> None:
    digest = f"sorted:{hashlib.sha256(b'aabbcc').hexdigest()}"
    assert matches(b"ccaabb", (digest,), 2)
    assert not matches(b"ccaabd", (digest,), 2)


def test_sizes_are_told_in_bytes() -> None:
    assert size_problem(10, 10) == ""
    assert size_problem(1_000, 2_000) == "is cut short: 1,000 of 2,000 bytes"
    assert size_problem(11, 10) == "is longer than the 10 bytes expected"
