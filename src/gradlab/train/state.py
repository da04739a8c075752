"""A network between epochs: all that training needs to go on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["State", "Status", "nothing_recent"]

Status = Literal["running", "done", "stopped", "diverged"]

_BEST = "best."


def nothing_recent() -> NDArray[np.float64]:
    """The memory of a stopping rule that has seen nothing."""
    return np.zeros((0, 2))


@dataclass
class State:
    """One network between two epochs; the arrays are its own.

    Attributes:
        epoch: Number of completed epochs.
        updates: Optimizer steps since the optimizer was created, which bias correction needs.
        weights: `[D]`: for each layer the weight `[out, in]` by rows, then the bias; a module's trainable
            parameters in its own order.
        slots: What the optimizer keeps for each weight, under PyTorch's names.
        buffers: What a module holds besides trainable weights, by name; those that go with `best` are called
            `best.NAME`.
        status: "done" has reached the horizon, "stopped" was ended by its stopping rule, "diverged" met a
            loss or weight that is not finite in the course of its last epoch.
        status_epoch: The epoch at which it became so; None while running.
        best: Score, epoch and weights of the best epoch so far, where those are the result and not the last;
            the lower the score the better.
        passages: The first epoch at which the training loss was under each threshold.
        recent: `[m, 2]` rows of (epoch, value) that the stopping rule has yet to compare with.
    """

    epoch: int
    updates: int
    weights: NDArray[Any]
    slots: dict[str, NDArray[Any]]
    buffers: dict[str, NDArray[Any]] = field(default_factory=dict[str, "NDArray[Any]"])
    status: Status = "running"
    status_epoch: int | None = None
    best: tuple[float, int, NDArray[Any]] | None = None
    passages: dict[float, int] = field(default_factory=dict[float, int])
    recent: NDArray[np.float64] = field(default_factory=nothing_recent)

    def copy(self) -> State:
        """A state that shares no array with this one."""
        return replace(
            self,
            weights=self.weights.copy(),
            slots={name: slot.copy() for name, slot in self.slots.items()},
            buffers={name: buffer.copy() for name, buffer in self.buffers.items()},
            passages=dict(self.passages),
        )

    def at_start(self, *, optimizer_state: bool) -> State:
        """The result of this run as the first weights of another, with or without the optimizer's state."""
        weights, buffers = self.result()
        slots = {
            name: slot.copy() if optimizer_state else np.zeros_like(slot) for name, slot in self.slots.items()
        }
        return State(
            epoch=0,
            updates=self.updates if optimizer_state else 0,
            weights=weights.copy(),
            slots=slots,
            buffers={name: buffer.copy() for name, buffer in buffers.items()},
        )

    def keep_best(self, score: float) -> None:
        """Keep these weights if no earlier epoch had as good a score; NaN is never good."""
        if not np.isfinite(score) or (self.best is not None and not score < self.best[0]):
            return
        self.best = (score, self.epoch, self.weights.copy())
        last = {name: buffer for name, buffer in self.buffers.items() if not name.startswith(_BEST)}
        self.buffers = last | {_BEST + name: buffer.copy() for name, buffer in last.items()}

    def result(self) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """The weights and buffers that are the run's result: the best ones where those are kept."""
        if self.best is None:
            return self.weights, self.buffers
        kept = {name: buffer for name, buffer in self.buffers.items() if name.startswith(_BEST)}
        return self.best[2], {name.removeprefix(_BEST): buffer for name, buffer in kept.items()}
