"""A network between two epochs on the splits of its data: losses and accuracies, each pass made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gradlab.measure.accuracy import accuracy, tolerance_accuracy
from gradlab.task.augment import apply, moves
from gradlab.task.data import Data
from gradlab.train.fleet import Member
from gradlab.train.learner import Learner
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SPLITS", "Evaluations", "examples"]

SPLITS: Final = ("", "test", "validation", "augmented", "test_training_mode")
"""Where a network can be evaluated from its weights; the empty one is the training set."""

_AUGMENTED_AT_ONCE: Final = 4096
"""Examples whose augmented copies are in memory together."""


class Evaluations:
    """The passes over the splits of one run's data.

    Args:
        data: The data.
        member: Whose seeds augment and drop units.
        learner: Who evaluates weights.
    """

    def __init__(self, data: Data, member: Member, learner: Learner) -> None:
        self._data = data
        self._seeds = member.seeds
        self._learner = learner
        self._epoch = -1
        self._found: dict[str, dict[str, float]] = {}

    def scores(self, state: State, split: str) -> dict[str, float]:
        """The metrics of a run's last weights on a split; asked twice at one epoch, it looks once.

        Args:
            state: The run, at another epoch or the same as before.
            split: One of `SPLITS`.

        Returns:
            `loss`, and `accuracy` of classes or `tolerance_accuracy` of numbers; nothing where there is no
            such split.
        """
        if state.epoch != self._epoch:
            self._epoch, self._found = state.epoch, {}
        if split not in self._found:
            self._found[split] = self._scores(state, split)
        return self._found[split]

    def _scores(self, state: State, split: str) -> dict[str, float]:
        if split == "augmented":
            return self._augmented(state)
        training = (self._seeds["dropout"], state.epoch) if split == "test_training_mode" else None
        x, y = examples(self._data, split)
        if x is None or y is None:
            return {}
        loss, outputs = self._learner.evaluate(state.weights, state.buffers, x, y, training)
        return _metrics(loss, outputs, y)

    def _augmented(self, state: State) -> dict[str, float]:
        """Over the training images as an epoch of their own would show them."""
        data, augment = self._data, self._data.augment
        if augment is None:
            return {}
        found: dict[str, float] = {}
        size = len(data.x)
        moved = moves(augment, self._seeds["order"], state.epoch, size, purpose="augment.evaluate")
        for first in range(0, size, _AUGMENTED_AT_ONCE):
            part = slice(first, min(first + _AUGMENTED_AT_ONCE, size))
            x, y = apply(augment, data.x[part], moved[part]), data.y[part]
            loss, outputs = self._learner.evaluate(state.weights, state.buffers, x, y)
            for name, value in _metrics(loss, outputs, y).items():
                found[name] = found.get(name, 0.0) + value * len(y) / size
        return found


def examples(data: Data, split: str) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Inputs and targets of a split: those of the training set unless it is of test or validation data."""
    if split in {"test", "test_training_mode"}:
        return data.test_x, data.test_y
    if split == "validation":
        return data.validation_x, data.validation_y
    return data.x, data.y


def _metrics(loss: float, outputs: NDArray[Any], y: NDArray[Any]) -> dict[str, float]:
    if y.dtype.kind == "i" and y.ndim == 1:
        return {"loss": loss, "accuracy": accuracy(outputs, y)}
    return {"loss": loss, "tolerance_accuracy": tolerance_accuracy(outputs, y)}
