"""Examples as tensors that share memory with the data, and the minibatches that an epoch makes of them."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from gradlab.study.spec import Spec
from gradlab.task.augment import apply, moves
from gradlab.task.data import Data
from gradlab.train.fleet import Member
from gradlab.train.random import order

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Batches", "as_tensor"]


def as_tensor(array: NDArray[Any], dtype: torch.dtype) -> torch.Tensor:
    """An array as a tensor, on the same memory if it is of the type already; nobody may write to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(array).to(dtype)


class Batches:
    """The minibatches of a run, gathered by index from the training set in memory.

    Args:
        spec: How the training set is cut.
        data: The training set.
        dtype: The type of inputs and of targets that are numbers.

    Attributes:
        x: All training inputs.
        y: All training targets.
    """

    def __init__(self, spec: Spec, data: Data, dtype: torch.dtype) -> None:
        self._spec = spec
        self._data = data
        self._dtype = dtype
        self.x = as_tensor(data.x, dtype)
        self.y = as_tensor(data.y, torch.int64 if spec.loss == "cross_entropy" else dtype)

    def epoch(self, member: Member, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The inputs and targets of each update of an epoch.

        Args:
            member: Whose seed gives the order of examples and their augmentation.
            epoch: Completed epochs.

        Yields:
            Inputs `[b, ...]` and targets; the full batch is the training set itself.
        """
        augment, seed = self._data.augment, member.seeds["order"]
        moved = None if augment is None else moves(augment, seed, epoch, len(self.x))
        for places in self._places(seed, epoch):
            if augment is None or moved is None:
                yield self._taken(self.x, places), self._taken(self.y, places)
                continue
            chosen = places if isinstance(places, slice) else places.numpy()
            images = apply(augment, self._data.x[chosen], moved[chosen])
            yield as_tensor(images, self._dtype), self._taken(self.y, places)

    def _places(self, seed: int, epoch: int) -> Iterator[torch.Tensor | slice]:
        size, batch = len(self.x), self._spec.batch_size
        if batch == "full" or batch >= size:
            yield slice(None)
        elif self._spec.shuffle:
            yield from torch.from_numpy(order(seed, epoch, size)).split(batch)
        else:
            yield from (slice(first, first + batch) for first in range(0, size, batch))

    @staticmethod
    def _taken(rows: torch.Tensor, places: torch.Tensor | slice) -> torch.Tensor:
        return rows[places] if isinstance(places, slice) else rows.index_select(0, places)
