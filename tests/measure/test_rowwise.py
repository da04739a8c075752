"""Functions of rows, together or one after another."""

from __future__ import annotations

import pytest
import torch

from gradlab.measure.rowwise import rowwise


def test_row_by_row_is_the_same_as_together() -> None:
    rows, scales, shift = torch.arange(6.0).view(3, 2), {"by": torch.tensor([1.0, 2.0, 3.0])}, torch.ones(2)

    def plain(
        row: torch.Tensor, scale: dict[str, torch.Tensor], more: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        return row * scale["by"] + more, row.sum()

    def looks(
        row: torch.Tensor, scale: dict[str, torch.Tensor], more: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        assert float(row.sum()) >= 0  # which vmap refuses
        return plain(row, scale, more)

    for one, two in zip(
        *(rowwise(f, (0, 0, None), rows, scales, shift) for f in (plain, looks)), strict=True
    ):
        assert torch.equal(one, two)


def test_what_fails_by_itself_fails() -> None:
    with pytest.raises(RuntimeError, match="must match"):
        rowwise(lambda row: row + torch.ones(3), (0,), torch.ones(2, 2))
