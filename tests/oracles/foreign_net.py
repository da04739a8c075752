"""Networks as a user would write them in a file of their own."""

from __future__ import annotations

import torch
from torch import nn


class Regressor(nn.Module):
    """A hidden layer with dropout and batch normalisation, so that mode, buffers and random numbers matter."""

    def __init__(self, width: int = 8, *, dropout: float = 0.0, norm: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(1, width)
        self.norm = nn.BatchNorm1d(width) if norm else nn.Identity()
        self.active = nn.ReLU()
        self.drop = nn.Dropout(dropout)
        self.last = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.active(self.norm(self.first(x)))))


class Frozen(nn.Module):
    """Only the last layer learns, and one parameter is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(1, 4)
        self.first.requires_grad_(False)
        self.last = nn.Linear(4, 1)
        self.idle = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.first(x)))


class Unbiased(nn.Module):
    """Two layers without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(1, 4, bias=False)
        self.last = nn.Linear(4, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.first(x)))


class Convolution(nn.Module):
    """Takes images of 1 x 8 x 8 and knows ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 3)
        self.active = nn.ReLU()
        self.out = nn.Linear(3 * 36, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.active(self.convolution(x)).flatten(1))


def linear() -> nn.Module:
    return nn.Linear(1, 1)


def not_a_network() -> object:
    return "text"
