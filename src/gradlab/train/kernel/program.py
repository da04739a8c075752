"""What stays the same over a call of the kernel, and what a call hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Program:
    """A multilayer perceptron, what it minimises and how.

    Attributes:
        widths: units of each layer, inputs and outputs included.
        activation: between layers; the output layer is linear.
        slope: of the leaky rectifier below zero.
        loss: `"mse"` is the mean over all elements; `"cross_entropy"` takes integer labels, applies the softmax
            itself and is the mean over samples.
        objective: what is descended on; `"sum_of_outputs"` is the plain sum of all outputs over the batch, while
            the recorded loss stays `loss`.
        optimizer: in PyTorch's arithmetic.
        momentum: of `"sgd"` and `"rmsprop"`.
        nesterov: for `"sgd"`.
        beta1: of `"adam"` and `"adamw"`.
        beta2: of `"adam"` and `"adamw"`.
        alpha: of `"rmsprop"`.
        eps: of all but `"sgd"`.
        weight_decay: coupled (added to the gradient), except in `"adamw"`.
        reset_every_epoch: begin every epoch with a new optimizer.

    Raises:
        ValueError: if a field makes no network or no optimizer.

    >>> Program((1, 5, 1)).parameters
    16
    """

    widths: tuple[int, ...]
    activation: Literal["identity", "relu", "leaky_relu", "tanh"] = "relu"
    slope: float = 0.01
    loss: Literal["mse", "cross_entropy"] = "mse"
    objective: Literal["loss", "sum_of_outputs"] = "loss"
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adam"
    momentum: float = 0.0
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    reset_every_epoch: bool = False

    def __post_init__(self) -> None:
        problems: list[str] = []
        if len(self.widths) < 2 or any(width < 1 for width in self.widths):
            problems.append(f"widths need an input and an output, each at least 1: {self.widths}")
        if self.slope < 0:
            problems.append(f"slope must not be negative: {self.slope}")
        if self.nesterov and (self.momentum <= 0 or self.optimizer != "sgd"):
            problems.append("nesterov needs optimizer 'sgd' with momentum above 0")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                problems.append(f"{name} must be one of {allowed}: {getattr(self, name)!r}")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def parameters(self) -> int:
        """D, the length of the flat vector of weights and biases."""
        return sum((a + 1) * b for a, b in zip(self.widths, self.widths[1:], strict=False))

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the optimizer's state, PyTorch's own; each is a vector like the weights.

        >>> Program((1, 5, 1), optimizer="sgd", momentum=0.9).slots
        ('momentum_buffer',)
        """
        if self.optimizer in {"adam", "adamw"}:
            return ("exp_avg", "exp_avg_sq")
        averages = ("square_avg",) if self.optimizer == "rmsprop" else ()
        return (*averages, "momentum_buffer") if self.momentum > 0 else averages

    def new_slots(self, dtype: Any) -> dict[str, Array]:
        """The state of an optimizer that has taken no step.

        Args:
            dtype: of the weights.

        Returns:
            Zeros `[D]` for each name in `slots`.
        """
        return {name: np.zeros(self.parameters, dtype) for name in self.slots}


_CHOICES: dict[str, tuple[str, ...]] = {
    "activation": ("identity", "relu", "leaky_relu", "tanh"),
    "loss": ("mse", "cross_entropy"),
    "objective": ("loss", "sum_of_outputs"),
    "optimizer": ("sgd", "adam", "adamw", "rmsprop"),
}


@dataclass(frozen=True)
class Measured:
    """What a call of `train` measured. Row e belongs to the call's epoch e; rows not asked for are NaN.

    Attributes:
        loss: `float64[epochs]`, over the whole training set at the weights before epoch e.
        gradient_sq: `float64[epochs, L, 2]`, squared norms of the full-batch gradient of the loss there, of each
            layer's weight and bias.
        batch_gradient_sq: `float64[epochs, L, 2]`, the same of the objective on the epoch's last minibatch, at
            the weights before that step. Weight decay is in neither.
        running: `float64[epochs, 4]`, what the batches of epoch e met while the weights moved: the mean loss of a
            sample, the share classified correctly (NaN without labels), the sum of the batches' mean losses, and
            the last batch's mean loss.
        updates: optimizer steps since the optimizer was created, for the next call.
        epochs_done: epochs taken; fewer than asked for only after a divergence.
        finite: False if the last epoch taken met a loss or weight that is not finite. That epoch is taken to its
            end: weights and slots are as it left them.
    """

    loss: Array
    gradient_sq: Array
    batch_gradient_sq: Array
    running: Array
    updates: int
    epochs_done: int
    finite: bool
