import torch

from gradlab.bench.cnn import CASES, Case, measure
from gradlab.bench.kernel import table
from gradlab.model import CNN


def test_every_case_is_timed_against_both_layouts():
    threads = torch.get_num_threads()
    case = Case("tiny", "conv 2x3, pool 2, 5", (1, 8, 8), batch=4, steps=3, peer_steps=2)
    rows = measure(repeats=2, cases=(case,))
    assert [row["peer"] for row in rows] == ["eager, data in memory, fused Adam", "the same, channels last"]
    for row in rows:
        assert row["n"] == 2
        assert 0 < row["microseconds"] <= row["microseconds_median"]
        assert row["ratio"] == row["peer_microseconds"] / row["microseconds"]
    assert torch.get_num_threads() == threads
    assert len(table(rows).splitlines()) == 2


def test_the_networks_have_the_published_sizes():
    counts = [CNN(case.layers).parameters(case.shape, 10) for case in CASES]
    assert counts == [371_581, 11_085]
    for case, count in zip(CASES, counts, strict=True):
        assert f"{count:,}" in case.name
