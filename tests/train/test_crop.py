"""Crops and flips of tensors are those of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gradlab.task import CropFlip
from gradlab.task.augment import apply, moves
from gradlab.train.crop import cropped


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
def test_agrees_with_the_arrays(mode: Any, padding: int, flip: bool) -> None:
    augment = CropFlip(padding=padding, mode=mode, flip=flip)
    x = np.random.default_rng(0).normal(size=(60, 3, 7, 5)).astype(np.float32)
    moved = moves(augment, seed=3, epoch=2, n=60)
    found = cropped(augment, torch.from_numpy(x), torch.from_numpy(moved))
    np.testing.assert_array_equal(found.numpy(), apply(augment, x, moved))
    assert found.is_contiguous()
