"""What a backend does for one specification and one set of data, whichever backend it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gradlab.model.cnn import CNN
from gradlab.model.mlp import MLP
from gradlab.model.module import Module
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train.fleet import Backend, Fleet, Member
from gradlab.train.state import State
from gradlab.train.supported import supported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BATCH_GRADIENT",
    "GRADIENT",
    "LOSS",
    "RUNNING",
    "FleetLearner",
    "Learner",
    "Measured",
    "Request",
    "learner",
    "learners",
    "pick_backend",
    "vmap_supports",
]

LOSS, GRADIENT, BATCH_GRADIENT, RUNNING = 1, 2, 4, 8
"""Bits of a measurement mask: loss and gradient of a full pass before an epoch; gradient of its last batch;
what the epoch's own batches were like."""


@dataclass(frozen=True)
class Measured:
    """What training measured on the way; rows that were not asked for, or not reached, are NaN.

    Attributes:
        loss: `float64[epochs]`, a full pass over the training set at the weights before each epoch.
        gradient_sq: `float64[epochs, L, 2]`, squared norms of the gradient of that loss, of each layer's
            weight and bias.
        batch_gradient_sq: `float64[epochs, L, 2]`, the same of the objective on the epoch's last batch, at
            the weights before that step.
        sensitivity: `float64[epochs]`, the mean over the parameter tensors that there are of the norm of each one's
            gradient, that of `batch_gradient_sq`.
        running: `float64[epochs, 4]`, of each epoch's batches as they were trained on: the mean loss over
            examples, the share of examples classified correctly (NaN where there are no classes), the sum of
            the batches' mean losses, and the mean loss of the last batch.
        finite: Whether every batch loss and weight stayed finite; training ends with the epoch where one did
            not.
    """

    loss: NDArray[np.float64]
    gradient_sq: NDArray[np.float64]
    batch_gradient_sq: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    running: NDArray[np.float64]
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
            member: Whose seeds give the order of examples, augmentation and dropout.
            rates: The learning rate of each epoch.
            measure: Bits of what to measure at each epoch.

        Returns:
            The measurements.
        """
        ...

    def full_pass(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], *, gradient: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """What `train` measures before an epoch, to the bit, without training one.

        Args:
            weights: `[D]`.
            buffers: As in the state.
            gradient: Whether the gradient is wanted.

        Returns:
            The mean loss over the training set, and the squared norms `[L, 2]` of its gradient's parts, NaN if
            they are not wanted.
        """
        ...

    def evaluate(
        self,
        weights: NDArray[Any],
        buffers: dict[str, NDArray[Any]],
        x: NDArray[Any],
        y: NDArray[Any] | None,
        training: tuple[int, int] | None = None,
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss and the outputs on examples of the task.

        Args:
            weights: `[D]`.
            buffers: As in the state.
            x: `[n, ...]`.
            y: Targets, or None.
            training: None for evaluation mode. A dropout seed and an epoch leave the network in training mode,
                with the examples in batches of the nominal size in their own order.

        Returns:
            The loss (NaN without targets), on the training set that of `full_pass` to the bit, and the outputs
            `[n, out]`.
        """
        ...

    def alive(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], x: NDArray[Any]
    ) -> tuple[list[NDArray[np.bool_]], int]:
        """Which rectified units are above zero on some of the inputs; a unit is one number of an example's layer.

        Args:
            weights: `[D]`.
            buffers: As in the state.
            x: `[n, ...]`; any number of examples, taken in parts.

        Returns:
            For each rectified layer a mask `[units]`, and the number of hidden units of any activation.
        """
        ...


@dataclass(frozen=True)
class Request:
    """Epochs that one run has to be trained for: the arguments of `Learner.train`, and whose they are.

    Attributes:
        learner: Who trains it.
        state: Where to begin; left at the last epoch taken.
        member: Whose seeds are used.
        rates: The learning rate of each epoch.
        measure: Bits of what to measure at each epoch.
    """

    learner: Learner
    state: State
    member: Member
    rates: NDArray[np.float64]
    measure: NDArray[np.uint8]


class FleetLearner(Learner, Protocol):
    """A learner that trains many networks of one specification at once."""

    def train_together(self, requests: Sequence[Request]) -> list[Measured]:
        """Do for each request what `train` does for one; the learners are all of one fleet."""
        ...


def pick_backend(spec: Spec) -> Backend:
    """The backend that trains a specification: the fused kernel where it can, the PyTorch loop otherwise."""
    if isinstance(spec.model, CNN):
        return "kernel" if supported(spec) else "loop"
    augments = getattr(spec.task, "augment", None) is not None
    fused = isinstance(spec.model, MLP) and spec.precision == "full" and not augments
    return "kernel" if fused else "loop"


def vmap_supports(spec: Spec) -> bool:
    """Whether the backend "vmap" trains a specification: declared networks in full precision."""
    return not isinstance(spec.model, Module) and spec.precision == "full"


def learner(spec: Spec, data: Data, backend: Backend) -> Learner:
    """The backend's learner; only the module of that backend is imported."""
    if backend == "kernel" and isinstance(spec.model, CNN):
        from gradlab.train.fused_images import FusedImages

        return FusedImages(spec, data)
    if backend == "kernel":
        from gradlab.train.fused import FusedLearner

        return FusedLearner(spec, data)
    if backend == "vmap":
        from gradlab.train.vmapped import VmapLearner

        return VmapLearner(spec, data)
    from gradlab.train.loop import LoopLearner

    return LoopLearner(spec, data)


def learners(fleet: Fleet) -> list[Learner]:
    """A learner for each of a fleet's data."""
    if fleet.backend != "vmap":
        return [learner(fleet.spec, data, fleet.backend) for data in fleet.data]
    from gradlab.train.vmapped import VmapLearner

    shelf: dict[int, Any] = {}
    return [VmapLearner(fleet.spec, data, fleet.device, shelf) for data in fleet.data]
