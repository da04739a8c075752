"""What a backend does for one specification and one set of data, whichever backend it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gradlab.model.mlp import MLP
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train.fleet import Backend, Member
from gradlab.train.state import State

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BATCH_GRADIENT", "GRADIENT", "LOSS", "Learner", "Measured", "learner", "pick_backend"]

LOSS, GRADIENT, BATCH_GRADIENT = 1, 2, 4
"""Bits of a measurement mask: loss and gradient of a full pass before an epoch; gradient of its last batch."""


@dataclass(frozen=True)
class Measured:
    """What training measured on the way; rows that were not asked for, or not reached, are NaN.

    Attributes:
        loss: `float64[epochs]`, a full pass over the training set at the weights before each epoch.
        gradient_sq: `float64[epochs, L, 2]`, squared norms of the gradient of that loss, of each layer's
            weight and bias.
        batch_gradient_sq: `float64[epochs, L, 2]`, the same of the objective on the epoch's last batch, at
            the weights before that step.
        finite: Whether every batch loss and weight stayed finite; training ends with the epoch where one did
            not.
    """

    loss: NDArray[np.float64]
    gradient_sq: NDArray[np.float64]
    batch_gradient_sq: NDArray[np.float64]
    finite: bool


class Learner(Protocol):
    """Trains and evaluates the networks of one specification on one set of data.

    The bits of a result depend on neither how epochs are split over calls nor what is measured on the way.
    """

    def start(self, member: Member) -> State:
        """The state before the first epoch."""
        ...

    def train(
        self, state: State, member: Member, rates: NDArray[np.float64], measure: NDArray[np.uint8]
    ) -> Measured:
        """Train for `len(rates)` epochs and change `state` in place.

        Args:
            state: Where to begin; left at the last epoch taken.
            member: Whose seeds give the order of examples and dropout.
            rates: The learning rate of each epoch.
            measure: Bits of what to measure at each epoch.

        Returns:
            The measurements.
        """
        ...

    def evaluate(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], x: NDArray[Any], y: NDArray[Any] | None
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss (NaN without targets) and the outputs `[n, out]` on examples of the task."""
        ...

    def rectified(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]
    ) -> tuple[list[NDArray[Any]], int]:
        """Activations `[n, width]` of rectified layers on the training inputs; number of hidden units."""
        ...


def pick_backend(spec: Spec) -> Backend:
    """The backend that trains a specification: the fused kernel for an MLP, the PyTorch loop for anything else."""
    return "kernel" if isinstance(spec.model, MLP) else "loop"


def learner(spec: Spec, data: Data, backend: Backend) -> Learner:
    """The backend's learner; only the module of that backend is imported."""
    if backend == "kernel":
        from gradlab.train.fused import FusedLearner

        return FusedLearner(spec, data)
    from gradlab.train.loop import LoopLearner

    return LoopLearner(spec, data)
