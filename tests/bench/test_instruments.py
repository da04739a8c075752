"""The rows that say what curvature costs."""

from __future__ import annotations

import torch

from gradlab.bench import instruments


def test_rows_are_complete_and_shown() -> None:
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    rows = instruments.measure(networks=1, repeats=1, peers=1)
    assert [row["target"] for row in rows] == [2.1] * 4 + [5.0]
    assert all(row["gradients"] > 0 and row["setup"] > 0 for row in rows[:-1])
    assert rows[-1]["ratio"] == rows[-1]["peer_seconds"] / rows[-1]["seconds"]
    assert "571 parameters" in rows[-1]["name"]
    assert len(instruments.table(rows).splitlines()) == len(rows)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), generator)
