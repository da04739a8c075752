"""The fused CPU kernel as a backend: multilayer perceptrons, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gradlab.measure.gradient_norm import mean_tensor_norm
from gradlab.model.mlp import MLP
from gradlab.study.recipe import SGD, Adam, AdamW, Optimizer
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train import kernel
from gradlab.train.fleet import Member
from gradlab.train.learner import GRADIENT, LOSS, Measured
from gradlab.train.random import orders
from gradlab.train.start import first_state
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FusedLearner", "optimizer_settings", "program_of"]

_ORDER_ENTRIES = 4_000_000
"""Entries of the order of examples that are held at once (16 MB)."""


def program_of(spec: Spec) -> kernel.Program:
    """What the kernel compiles of a specification."""
    model = cast(MLP, spec.model)
    return kernel.Program(
        widths=model.widths(spec.task.inputs, spec.task.outputs),
        activation=model.activation,
        slope=model.slope,
        loss=spec.loss,
        objective=spec.objective,
        reset_every_epoch=spec.reset_optimizer == "epoch",
        **optimizer_settings(spec.optimizer),
    )


def optimizer_settings(rule: Optimizer) -> dict[str, Any]:
    """An optimizer as a program's fields."""
    settings: dict[str, Any] = {"optimizer": rule.kind, "weight_decay": rule.weight_decay}
    if isinstance(rule, SGD):
        return settings | {"momentum": rule.momentum, "nesterov": rule.nesterov}
    if isinstance(rule, Adam | AdamW):
        return settings | {"beta1": rule.beta1, "beta2": rule.beta2, "eps": rule.eps}
    return settings | {"alpha": rule.alpha, "eps": rule.eps, "momentum": rule.momentum}


class FusedLearner:
    """Trains MLPs by the fused kernel; see `Learner`."""

    def __init__(self, spec: Spec, data: Data) -> None:
        self._spec = spec
        self._program = program_of(spec)
        self._x, self._y = self._columns(data.x), self._targets(data.y)
        count = len(data.x)
        self._batch = None if spec.batch_size == "full" else min(spec.batch_size, count)
        self._ordered = spec.shuffle and self._batch is not None and self._batch < count

    def start(self, member: Member) -> State:
        """The state before the first epoch."""
        return first_state(self._spec, member)

    def train(
        self, state: State, member: Member, rates: NDArray[np.float64], measure: NDArray[np.uint8]
    ) -> Measured:
        """Train for `len(rates)` epochs and change `state` in place."""
        count, size = len(rates), self._x.shape[1]
        parts: list[kernel.Measured] = []
        chunk = max(1, _ORDER_ENTRIES // size) if self._ordered else count
        for first in range(0, count, chunk):
            last = min(first + chunk, count)
            order = None
            if self._ordered:
                order = orders(member.seeds["order"], state.epoch, state.epoch + last - first, size)
            part = kernel.train(
                self._program,
                self._x,
                self._y,
                batch_size=self._batch,
                order=order,
                lr=rates[first:last],
                weights=state.weights,
                slots=state.slots,
                updates=state.updates,
                measure=measure[first:last],
            )
            state.updates = part.updates
            state.epoch += part.epochs_done
            parts.append(part)
            if not part.finite:
                break
        finite = all(part.finite for part in parts)
        rows = {name: _joined(parts, name, count) for name in _ROWS}
        return Measured(**rows, sensitivity=mean_tensor_norm(rows["batch_gradient_sq"]), finite=finite)

    def full_pass(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], *, gradient: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss over the training set, and the squared norms `[L, 2]` of its gradient's parts."""
        if not gradient:
            loss, _, _ = kernel.evaluate(self._program, weights, self._x, self._y, gradient=False)
            return loss, np.full((self._layers, 2), np.nan)
        peek = kernel.train(  # one step on copies, for what is measured before it
            self._program,
            self._x,
            self._y,
            batch_size=None,
            order=None,
            lr=np.zeros(1),
            weights=weights.copy(),
            slots=self._program.new_slots(weights.dtype),
            measure=np.array([LOSS | GRADIENT], np.uint8),
        )
        return float(peek.loss[0]), peek.gradient_sq[0]

    def evaluate(
        self,
        weights: NDArray[Any],
        buffers: dict[str, NDArray[Any]],
        x: NDArray[Any],
        y: NDArray[Any] | None,
        training: tuple[int, int] | None = None,
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss (NaN without targets) and the outputs `[n, out]`; an MLP has no training mode."""
        del training
        inputs = self._columns(x)
        if y is None:
            targets = self._no_targets(inputs.shape[1])
        else:
            targets = self._targets(y)
        loss, _, outputs = kernel.evaluate(self._program, weights, inputs, targets, gradient=False)
        return float("nan") if y is None else loss, outputs.T.astype(np.float64)

    def alive(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], x: NDArray[Any]
    ) -> tuple[list[NDArray[np.bool_]], int]:
        """Which rectified units are above zero on some of the inputs; number of hidden units."""
        hidden = self._program.widths[1:-1]
        if self._program.activation != "relu":
            return [], sum(hidden)
        return kernel.alive(self._program, weights, self._columns(x)), sum(hidden)

    @property
    def _layers(self) -> int:
        return len(self._program.widths) - 1

    def _columns(self, x: NDArray[Any]) -> NDArray[Any]:
        """Examples as `[in, n]`, the transpose of a contiguous array, which the kernel takes without a copy."""
        return np.ascontiguousarray(x.reshape(len(x), -1), self._spec.dtype).T

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        return y if self._spec.loss == "cross_entropy" else self._columns(y)

    def _no_targets(self, count: int) -> NDArray[Any]:
        if self._spec.loss == "cross_entropy":
            return np.zeros(count, np.int64)
        return np.zeros((self._program.widths[-1], count), self._spec.dtype)


_ROWS = ("loss", "gradient_sq", "batch_gradient_sq", "running")


def _joined(parts: list[kernel.Measured], name: str, count: int) -> NDArray[np.float64]:
    """The parts' rows behind each other, NaN where training did not get."""
    found: list[NDArray[np.float64]] = [getattr(part, name) for part in parts]
    missing = count - sum(len(rows) for rows in found)
    return np.concatenate([*found, np.full((missing, *found[0].shape[1:]), np.nan)])
