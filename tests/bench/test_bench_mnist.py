import pytest
import torch

from gradlab.bench.kernel import table
from gradlab.bench.mnist import measure, step_operations


def test_the_limit_counts_what_a_step_must_multiply():
    a, b, c, batch = 7, 5, 3, 4
    forwards, weights, inputs = a * b + b * c, a * b + b * c, b * c
    biases = 3 * (b + c)  # counted like weights: a rounding error in wide networks
    assert step_operations((a, b, c), batch) == 2 * batch * (forwards + weights + inputs + biases)


def test_every_peer_and_the_limit_take_turns_with_the_kernel():
    threads = torch.get_num_threads()
    rows = measure(repeats=2, widths=(64, 8, 3), images=1000)
    assert [row["peer"] for row in rows] == [
        "DataLoader and eager loop", "eager, data in memory, fused Adam", "arithmetic limit",
    ]  # fmt: skip
    for row in rows[:2]:
        assert row["n"] == 2
        assert 0 < row["microseconds"] <= row["microseconds_median"]
        assert row["ratio"] == row["peer_microseconds"] / row["microseconds"]
    limit = rows[2]
    assert limit["peer_microseconds"] == pytest.approx(1e6 * step_operations((64, 8, 3), 64) / limit["peak"])
    assert limit["limit"] == pytest.approx(limit["microseconds"] / limit["peer_microseconds"])
    assert torch.get_num_threads() == threads
    assert len(table(rows).splitlines()) == 3
