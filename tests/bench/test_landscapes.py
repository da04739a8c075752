"""Planes and lines of ours, and of a peer where it is installed, against what they should be."""

from __future__ import annotations

import pytest

from gradlab.bench import landscapes


def test_ours_are_where_they_should_be() -> None:
    rows = {row["name"]: row["ours"] for row in landscapes.measure(points=5, widths=(20, 40, 3))}
    cosine = rows.pop("cosine of two random directions")
    assert cosine < 0.1  # of two Gaussian directions in 920 dimensions
    assert all(abs(error) < 1e-12 for error in rows.values())


def test_what_is_not_installed_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landscapes, "find_spec", lambda name: None)
    rows = landscapes.measure(points=3, widths=(5, 6, 3))
    assert all(row["theirs"] is None for row in rows)
    assert "loss-landscapes not installed" in landscapes.table(rows)
