"""Minibatches gathered from memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fleets import PURPOSES, spec_of
from images_by_hand import AUGMENT

from gradlab.task.augment import apply, moves
from gradlab.task.data import Data
from gradlab.train.batches import Batches, as_tensor
from gradlab.train.fleet import Member
from gradlab.train.random import order

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 2, 6, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 10)
MEMBER = Member("run", dict.fromkeys(PURPOSES, 4))


def test_read_only_arrays_are_shared_without_a_warning() -> None:
    array = X.copy()
    array.setflags(write=False)
    assert as_tensor(array, torch.float32).data_ptr() == array.ctypes.data
    assert as_tensor(array, torch.float64).dtype == torch.float64


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("augment", [None, AUGMENT])
def test_an_epoch_visits_every_example_once_in_its_order(shuffle: bool, augment: object) -> None:
    spec = spec_of(batch_size=4, shuffle=shuffle, loss="cross_entropy")
    batches = Batches(spec, Data(X, Y, augment=augment), torch.float32)  # type: ignore[arg-type]
    found = list(batches.epoch(MEMBER, 3))
    assert [len(x) for x, _ in found] == [4, 4, 2]
    places = order(4, 3, 10) if shuffle else np.arange(10)
    expected = X[places]
    if augment is not None:
        expected = apply(AUGMENT, expected, moves(AUGMENT, 4, 3, 10)[places])
    np.testing.assert_array_equal(torch.cat([x for x, _ in found]).numpy(), expected)
    np.testing.assert_array_equal(torch.cat([y for _, y in found]).numpy(), Y[places])


def test_the_full_batch_is_the_data_themselves() -> None:
    for size in ("full", 10, 99):
        ((x, y),) = Batches(spec_of(batch_size=size), Data(X, Y), torch.float32).epoch(MEMBER, 0)
        assert x.data_ptr() == X.ctypes.data
        assert y.tolist() == Y.tolist()
