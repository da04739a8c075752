"""Examples as tensors, from whatever a user keeps them in."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from gradlab.errors import MeasureError

__all__ = ["as_tensor", "examples_of"]


def examples_of(
    data: Dataset[Any] | DataLoader[Any], examples: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """All examples of a dataset or a loader as one tensor of inputs and one of targets.

    A loader is read once, in its own order: what it draws (shuffling, augmentation) is drawn now and then stays, so
    that every later pass sees the same examples. Torch's global generator is left as it was.

    Args:
        data: Gives pairs of inputs and targets; a loader gives batches of them.
        examples: Only so many of the first; all if `None`.

    Returns:
        Inputs `[n, ...]` and targets `[n]` or `[n, out]`.

    Raises:
        MeasureError: It is empty, or gives something other than pairs.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> x, y = examples_of(TensorDataset(torch.zeros(5, 2), torch.arange(5)), examples=3)
        >>> tuple(x.shape), y.tolist()
        ((3, 2), [0, 1, 2])
    """
    batched = isinstance(data, DataLoader)
    with torch.random.fork_rng(devices=[]):
        source: Any = data if batched else DataLoader(data, batch_size=256)
        inputs: list[torch.Tensor] = []
        targets: list[torch.Tensor] = []
        read = 0
        for batch in source:
            if not isinstance(batch, tuple | list) or len(cast("list[Any]", batch)) != 2:
                raise MeasureError(f"the data gives {type(batch).__name__}s, not pairs of inputs and targets")
            x, y = (torch.as_tensor(each) for each in cast("list[Any]", batch))
            inputs.append(x)
            targets.append(y)
            read += len(x)
            if examples is not None and read >= examples:
                break
    if not read:
        raise MeasureError("the data holds no examples: nothing to measure")
    return torch.cat(inputs)[:examples], torch.cat(targets)[:examples]


def as_tensor(values: NDArray[Any] | torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Numbers in the type of the arithmetic, integers (classes, tokens) as 64-bit integers.

    Raises:
        MeasureError: They are neither.

    Example:
        >>> as_tensor(np.array([1, 2]), torch.float64, torch.device("cpu")).dtype
        torch.int64
    """
    if isinstance(values, DataLoader | Dataset):
        raise MeasureError("data of a Dataset or a DataLoader are taken as x, y = examples_of(data)")
    if not isinstance(values, torch.Tensor):
        try:
            array = np.ascontiguousarray(values)
        except ValueError as error:
            raise MeasureError(f"inputs and targets are arrays of numbers: {error}") from error
        if array.dtype.kind not in "fiub":
            raise MeasureError(f"inputs and targets are real numbers or classes, not {array.dtype}")
        if array.dtype.kind == "f" and array.itemsize > 8:  # which torch has not
            array = array.astype(np.float64)
        array = array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable)
        values = torch.from_numpy(array)
    if values.is_complex():
        raise MeasureError(f"inputs and targets are real numbers or classes, not {values.dtype}")
    return values.detach().to(device, dtype if values.is_floating_point() else torch.int64)
