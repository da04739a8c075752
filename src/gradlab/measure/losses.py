"""Losses by name."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch.nn import functional

from gradlab.errors import MeasureError, nearest

__all__ = ["Loss", "criterion_of", "squared_error"]

Loss = Literal["cross_entropy", "mse"] | Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A mean over examples: by name, or a function of outputs and targets."""


def criterion_of(loss: Loss) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A loss as a function of outputs and targets.

    Raises:
        MeasureError: No loss has the name.

    Example:
        >>> criterion_of("mse")(torch.tensor([[1.0], [3.0]]), torch.zeros(2)).item()
        5.0
    """
    if loss == "cross_entropy":
        return functional.cross_entropy
    if loss == "mse":
        return squared_error
    if callable(loss):
        return loss
    near = nearest(str(loss), ["cross_entropy", "mse"])
    raise MeasureError(
        f"no loss is called {loss!r}; allowed: cross_entropy, mse, or a function of (outputs, targets)"
        + (f"; did you mean {near!r}?" if near else "")
    )


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean of squared differences over examples and outputs; targets `[n]` go with outputs `[n, 1]`.

    Raises:
        ValueError: The shapes differ; torch would then compare every example with every other one.
    """
    if outputs.shape == (*targets.shape, 1):
        targets = targets[..., None]
    if outputs.shape != targets.shape:
        raise ValueError(f"outputs {list(outputs.shape)} and targets {list(targets.shape)} differ in shape")
    return functional.mse_loss(outputs, targets)
