"""A function at several places together, or one after another where it cannot be taken together."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.func import vmap

__all__ = ["rowwise"]


def rowwise(function: Callable[..., Any], in_dims: Sequence[int | None], *given: Any) -> Any:
    """What a function gives for each row of its arguments, stacked.

    Recurrent layers, and losses that look at their numbers, are not made for `torch.func.vmap`: they are called row by
    row, which gives the same up to rounding.

    Args:
        function: Of tensors, or dictionaries of them; gives a tensor or a tuple of tensors.
        in_dims: For each argument 0 where it has rows, `None` where it is the same for all.
        given: The arguments.

    Returns:
        Tensors with an axis of rows before.

    Example:
        >>> def clipped(row: torch.Tensor, at: float) -> torch.Tensor:
        ...     return row if float(row.sum()) < at else row * 0  # which vmap refuses
        >>> rowwise(clipped, (0, None), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 5.0).tolist()
        [[1.0, 2.0], [0.0, 0.0]]
    """
    try:
        return vmap(function, in_dims=tuple(in_dims))(*given)
    except RuntimeError:
        first = next(each for each, dim in zip(given, in_dims, strict=True) if dim == 0)
        every = [
            function(
                *(each if dim is None else _row(each, row) for each, dim in zip(given, in_dims, strict=True))
            )
            for row in range(len(first))
        ]
        if isinstance(every[0], tuple):
            return tuple(torch.stack(column) for column in zip(*every, strict=True))
        return torch.stack(every)


def _row(value: Any, row: int) -> Any:
    return {name: tensor[row] for name, tensor in value.items()} if isinstance(value, dict) else value[row]
