from importlib.util import find_spec

import torch

from gradlab.bench.kernel import Case, measure, table
from gradlab.train.kernel import Program


def test_every_case_is_timed_against_every_peer():
    threads = torch.get_num_threads()
    cases = (Case("full", Program((1, 5, 1)), 50, None, 20, 2), Case("one", Program((1, 5, 1)), 30, 1, 60, 2))
    rows = measure(repeats=2, cases=cases)
    assert [(row["name"], row["peer"]) for row in rows] == [
        (name, peer) for name in ("full", "one") for peer in ("PyTorch eager", "JAX jit + scan")
    ]
    for row in rows:
        assert row["n"] == 2
        assert 0 < row["microseconds"] <= row["microseconds_median"]
        if row["peer"] == "PyTorch eager" or find_spec("jax"):
            assert row["ratio"] == row["peer_microseconds"] / row["microseconds"]
        else:
            assert row["ratio"] is None
    assert torch.get_num_threads() == threads
    assert len(table(rows).splitlines()) == len(rows)
