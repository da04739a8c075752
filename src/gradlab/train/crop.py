"""Random crops and flips of images that are tensors, on whatever device they are."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import torch

from gradlab.task.images import CropFlip

__all__ = ["cropped"]


def cropped(augment: CropFlip, x: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """Images after their moves, where they are: what `task.augment.apply` does to arrays.

    Args:
        augment: How to pad.
        x: `[b, channels, height, width]`.
        moved: `[b, 3]`.

    Returns:
        A new tensor like `x`.
    """
    height, width = x.shape[2:]
    down, across, flip = moved.long().unbind(1)
    rows = torch.arange(height, device=x.device) + down[:, None] - augment.padding
    columns = torch.arange(width, device=x.device).expand(len(x), -1)
    columns = torch.where(flip[:, None] == 1, width - 1 - columns, columns)
    columns = columns + across[:, None] - augment.padding
    images = torch.arange(len(x), device=x.device)[:, None, None]
    if augment.mode == "reflect":
        found = x.movedim(1, 3)[
            images, _mirrored(rows, height)[:, :, None], _mirrored(columns, width)[:, None]
        ]
        return found.movedim(3, 1).contiguous()
    inside_rows, inside_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    inside = inside_rows[:, :, None] & inside_columns[:, None]
    found = x.movedim(1, 3)[
        images, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    ]
    return (found * inside[..., None]).movedim(3, 1).contiguous()


def _mirrored(places: torch.Tensor, size: int) -> torch.Tensor:
    places = places.abs()
    return torch.where(places >= size, 2 * (size - 1) - places, places)
