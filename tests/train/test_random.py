"""Addressed randomness."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.train.random import generator, order, orders, torch_seed


@given(st.integers(0, 2**62), st.integers(0, 10**9), st.integers(1, 50))
def test_an_order_is_a_permutation_that_its_address_alone_decides(seed: int, epoch: int, n: int) -> None:
    own = order(seed, epoch, n)
    assert own.dtype == np.int32
    assert sorted(own.tolist()) == list(range(n))
    np.testing.assert_array_equal(own, orders(seed, max(0, epoch - 2), epoch + 1, n)[-1])


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    table = np.concatenate([orders(seed, 0, 50, 30) for seed in (0, 1)])
    assert len(np.unique(table, axis=0)) == 100


def test_an_order_is_a_fair_shuffle() -> None:
    table = orders(5, 0, 6000, 4)
    counts = np.array([(table[:, place] == value).sum() for place in range(4) for value in range(4)])
    assert np.abs(counts - 1500).max() < 5 * np.sqrt(1500)


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"purpose": "data"}, {"name": "a"}, {"epoch": 1}, {"index": 1}]
)
def test_every_part_of_an_address_counts(other: dict[str, int | str]) -> None:
    address: dict[str, int | str] = {"seed": 0, "purpose": "init", "name": "", "epoch": 0, "index": 0}
    one = generator(**address).random(4)  # type: ignore[arg-type]
    np.testing.assert_array_equal(one, generator(**address).random(4))  # type: ignore[arg-type]
    assert not np.isin(one, generator(**(address | other)).random(4)).any()  # type: ignore[arg-type]


def test_addresses_do_not_run_into_each_other() -> None:
    # one address may draw for long without reaching the next
    long = generator(0, "init").integers(2**63, size=100_000)
    following = generator(0, "init", index=1).integers(2**63, size=100_000)
    assert not np.isin(following, long).any()


def test_torch_gets_a_seed_of_63_bits_for_each_epoch() -> None:
    seeds = [torch_seed(0, epoch) for epoch in range(100)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_orders_are_quick() -> None:
    begun = time.process_time()
    orders(0, 0, 2000, 300)
    assert time.process_time() - begun < 0.5  # 25 us an epoch leave much room
