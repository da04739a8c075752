"""The fused CPU kernel as a backend for convolutional networks on images, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gradlab.measure.gradient_norm import mean_tensor_norm
from gradlab.model.cnn import CNN
from gradlab.model.layers import hidden_units
from gradlab.study.spec import Spec
from gradlab.task.augment import moves
from gradlab.task.data import Data
from gradlab.train.dropout import EVALUATION_STEP, mask_key
from gradlab.train.fleet import Member
from gradlab.train.fused import optimizer_settings
from gradlab.train.kernel.image_program import ImageProgram
from gradlab.train.kernel.images import Augmented, Dropped, ImageKernel
from gradlab.train.learner import BATCH_GRADIENT, GRADIENT, LOSS, RUNNING, Measured
from gradlab.train.random import order
from gradlab.train.start import first_state
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FusedImages", "program_of"]


def program_of(spec: Spec) -> ImageProgram:
    """What the kernel trains of a specification."""
    model = cast(CNN, spec.model)
    return ImageProgram(
        layers=model.resolved(spec.task.shape, spec.task.outputs),
        activation=model.activation,
        slope=model.slope,
        **optimizer_settings(spec.optimizer),
    )


class FusedImages:
    """Trains convolutional networks by the fused kernel; see `Learner`."""

    def __init__(self, spec: Spec, data: Data) -> None:
        self._spec = spec
        self._data = data
        self._program = program_of(spec)
        self._x = np.ascontiguousarray(data.x, spec.dtype)  # the same array if it is of the type already
        count = len(data.x)
        self._batch = count if spec.batch_size == "full" else min(spec.batch_size, count)
        self._kernel = ImageKernel(self._program, spec.dtype, self._batch)

    def start(self, member: Member) -> State:
        """The state before the first epoch."""
        return first_state(self._spec, member)

    def train(
        self, state: State, member: Member, rates: NDArray[np.float64], measure: NDArray[np.uint8]
    ) -> Measured:
        """Train for `len(rates)` epochs and change `state` in place."""
        count = len(rates)
        loss, running = np.full(count, np.nan), np.full((count, 4), np.nan)
        squares, batch_squares = np.full((2, count, self._kernel.layers, 2), np.nan)
        finite = True
        for row, rate in enumerate(rates):
            bits = int(measure[row])
            if self._spec.reset_optimizer == "epoch":
                state.updates = 0
                for slot in state.slots.values():
                    slot[:] = 0
            if bits & (LOSS | GRADIENT):
                loss[row], squares[row] = self.full_pass(
                    state.weights, state.buffers, gradient=bool(bits & GRADIENT)
                )
            epoch = self._kernel.train(
                self._x,
                self._data.y,
                batch=self._batch,
                order=self._order(member, state.epoch),
                lr=float(rate),
                weights=state.weights,
                slots=state.slots,
                updates=state.updates,
                dropped=Dropped(mask_key(member.seeds["dropout"]), state.epoch),
                augmented=self._augmented(member, state.epoch),
            )
            state.updates = epoch.updates
            state.epoch += 1
            if bits & RUNNING:
                running[row] = epoch.running
            if bits & BATCH_GRADIENT:
                batch_squares[row] = epoch.squares
            finite = epoch.finite
            if not finite:
                break
        return Measured(loss, squares, batch_squares, mean_tensor_norm(batch_squares), running, finite)

    def full_pass(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], *, gradient: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss over the training set, and the squared norms `[L, 2]` of its gradient's parts."""
        loss, slope, _ = self._kernel.evaluate(weights, self._x, self._data.y, gradient=gradient)
        if not gradient:
            return loss, np.full((self._kernel.layers, 2), np.nan)
        return loss, self._kernel.squares(slope)

    def evaluate(
        self,
        weights: NDArray[Any],
        buffers: dict[str, NDArray[Any]],
        x: NDArray[Any],
        y: NDArray[Any] | None,
        training: tuple[int, int] | None = None,
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss (NaN without targets) and the outputs `[n, out]` on examples of the task."""
        dropped, batch = None, None
        if training is not None:
            seed, epoch = training
            dropped = Dropped(mask_key(seed), epoch, EVALUATION_STEP)
            batch = None if self._spec.batch_size == "full" else self._spec.batch_size
        targets = np.zeros(len(x), np.int64) if y is None else y
        loss, _, outputs = self._kernel.evaluate(
            weights, x, targets, outputs=True, batch=batch, dropped=dropped
        )
        return float("nan") if y is None else loss, outputs.astype(np.float64)

    def alive(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], x: NDArray[Any]
    ) -> tuple[list[NDArray[np.bool_]], int]:
        """Which rectified units are above zero on some of the inputs; number of hidden units."""
        return self._kernel.alive(weights, x), hidden_units(self._program.layers)

    def _order(self, member: Member, epoch: int) -> NDArray[np.int32] | None:
        count = len(self._x)
        if not self._spec.shuffle or self._batch == count:
            return None
        return order(member.seeds["order"], epoch, count)

    def _augmented(self, member: Member, epoch: int) -> Augmented | None:
        augment = self._data.augment
        if augment is None:
            return None
        moved = moves(augment, member.seeds["order"], epoch, len(self._x))
        return Augmented(moved, augment.padding, augment.mode == "reflect")
