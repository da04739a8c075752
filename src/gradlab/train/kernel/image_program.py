"""A convolutional network, what it minimises and how: what stays the same over calls of the image kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gradlab.model.layers import Layer, count
from gradlab.train.supported import unsupported

__all__ = ["ImageProgram"]


@dataclass(frozen=True)
class ImageProgram:
    """A convolutional network that classifies images by the cross-entropy, and its optimizer.

    Attributes:
        layers: from the input on, with their shapes; the last one that has weights is fully connected.
        activation: what follows active layers.
        slope: of the leaky rectifier below zero.
        optimizer: in PyTorch's arithmetic.
        momentum: of `"sgd"` and `"rmsprop"`.
        nesterov: for `"sgd"`.
        beta1: of `"adam"` and `"adamw"`.
        beta2: of `"adam"` and `"adamw"`.
        alpha: of `"rmsprop"`.
        eps: of all but `"sgd"`.
        weight_decay: coupled (added to the gradient), except in `"adamw"`.

    Raises:
        ValueError: if the kernel has not all of the layers.
    """

    layers: tuple[Layer, ...]
    activation: Literal["identity", "relu", "leaky_relu", "tanh"] = "relu"
    slope: float = 0.01
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adam"
    momentum: float = 0.0
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        problem = unsupported(self.layers)
        if problem:
            raise ValueError(problem)

    @property
    def parameters(self) -> int:
        """D, the length of the flat vector of weights and biases."""
        return count(self.layers)

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the optimizer's state, PyTorch's own; each is a vector like the weights."""
        if self.optimizer in {"adam", "adamw"}:
            return ("exp_avg", "exp_avg_sq")
        averages = ("square_avg",) if self.optimizer == "rmsprop" else ()
        return (*averages, "momentum_buffer") if self.momentum > 0 else averages
