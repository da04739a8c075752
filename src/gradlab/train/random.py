"""The order in which a run visits its examples, and the seeds that torch's own generator gets."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gradlab.randomness import counter_of, generator, key_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["generator", "order", "orders", "torch_seed"]


def order(seed: int, epoch: int, n: int) -> NDArray[np.int32]:
    """The order of n examples in the epoch that starts at index `epoch`.

    Args:
        seed: The run's `order` seed.
        epoch: Number of completed epochs.
        n: Number of examples.

    Returns:
        A permutation of 0..n-1.

    Example:
        >>> sorted(order(0, 5, 4).tolist())
        [0, 1, 2, 3]
    """
    return orders(seed, epoch, epoch + 1, n)[0]


def orders(seed: int, start: int, stop: int, n: int) -> NDArray[np.int32]:
    """The orders of the epochs from `start` to before `stop`, `int32[stop - start, n]`.

    One bit generator is set to each epoch's address in turn, which is many times faster than making them.
    """
    philox = np.random.Philox(key=_order_key(seed))
    shuffled = np.random.Generator(philox)
    state = philox.state
    table = np.empty((stop - start, n), np.int32)
    table[:] = np.arange(n, dtype=np.int32)
    for row, epoch in zip(table, range(start, stop), strict=True):
        state["state"]["counter"] = counter_of(epoch)
        philox.state = state
        shuffled.shuffle(row)
    return table


@lru_cache(maxsize=64)
def _order_key(seed: int) -> NDArray[np.uint64]:
    return key_of(seed, "order")


def torch_seed(seed: int, epoch: int) -> int:
    """What `torch.manual_seed` gets before an epoch, for dropout and whatever else a module draws."""
    return int(generator(seed, "dropout", epoch=epoch).integers(2**63))
