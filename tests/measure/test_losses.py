"""Losses by name."""

from __future__ import annotations

import pytest
import torch

from gradlab.errors import MeasureError
from gradlab.measure.losses import criterion_of, squared_error


def test_names_and_functions() -> None:
    assert criterion_of("mse") is squared_error
    assert criterion_of(torch.nn.functional.l1_loss) is torch.nn.functional.l1_loss
    with pytest.raises(MeasureError, match="did you mean 'cross_entropy'"):
        criterion_of("cross entropy")  # pyright: ignore[reportArgumentType]
