"""Recording: which measurements a slice must take, and how they become series."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gradlab.measure.accuracy import accuracy, tolerance_accuracy
from gradlab.measure.constant import predicts_constant
from gradlab.measure.dead import dead_layer, dead_units
from gradlab.measure.gradient_norm import layer_norms, mean_weight_norm, total_norm
from gradlab.measure.weight_norm import weight_norm
from gradlab.study.quantity import Quantity
from gradlab.study.record import Record
from gradlab.task.data import Data
from gradlab.train.fleet import Trace
from gradlab.train.learner import Learner
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Recorder", "Recording", "held_out"]

_NORMS: Final[dict[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "gradient_norm": total_norm,
    "gradient_norm_layers": layer_norms,
    "gradient_norm_mean": mean_weight_norm,
}
"""Quantities from the gradient of a full pass."""
_IN_PASSING: Final = frozenset({"loss", "gradient_norm_batch", *_NORMS})
"""Quantities that training measures as it goes; any other is evaluated from the weights."""
_SPLITS: Final = ("", "test", "validation")
_METRICS: Final = ("loss", "accuracy", "tolerance_accuracy")


class Recording:
    """What a fleet records and when, worked out once.

    Args:
        record: What is recorded.
        horizon: The last epoch of a run that does not end before.

    Attributes:
        norms: Recorded quantities that need the gradient of a full pass.
        batch_norm: Whether the gradient of the last minibatch is recorded.
        loss: Whether the training loss is.
        evaluated: Quantities that are evaluated from the weights, predictions apart.
        predictions: Whether predictions are recorded on the way; at the end they always are.
        thresholds: Training losses of which the first passage is wanted, with the quantity's name.
    """

    def __init__(self, record: Record, horizon: int) -> None:
        wanted = frozenset(record.quantities)
        self.norms = tuple(name for name in _NORMS if name in wanted)
        self.batch_norm = "gradient_norm_batch" in wanted
        self.loss = "loss" in wanted
        self.evaluated = wanted - _IN_PASSING - {"predictions"}
        self.predictions = "predictions" in wanted
        self.thresholds = tuple(
            (value, str(Quantity(name="loss", reducer="epochs_to", threshold=value)))
            for value in record.thresholds
        )
        self._points: NDArray[np.int64] = record.points(horizon)
        powers = 10 ** np.arange(len(str(horizon)), dtype=np.int64)
        self._predicted = np.union1d(powers, np.array(record.extra, np.int64))

    def points(self, start: int, stop: int) -> NDArray[np.int64]:
        """The scheduled epochs from `start` to before `stop`."""
        first, last = np.searchsorted(self._points, [start, stop])
        return self._points[first:last]

    def predicted(self, start: int, stop: int) -> NDArray[np.int64]:
        """The epochs from `start` to before `stop` at which predictions are recorded: 1, 10, 100 and so on."""
        if not self.predictions:
            return self._predicted[:0]
        first, last = np.searchsorted(self._predicted, [start, stop])
        return self._predicted[first:last]

    def halts(self, start: int, stop: int) -> NDArray[np.int64]:
        """The epochs from `start` to before `stop` at which something is evaluated from the weights."""
        predicted = self.predicted(start, stop)
        return np.union1d(predicted, self.points(start, stop)) if self.evaluated else predicted


class Recorder:
    """Collects what is recorded of one run in one slice.

    Args:
        recording: What is recorded and when.
        data: What the run learns from.
        learner: Who evaluates weights.
    """

    def __init__(self, recording: Recording, data: Data, learner: Learner) -> None:
        self._recording = recording
        self._data = data
        self._learner = learner
        self._found: dict[str, list[tuple[NDArray[np.int64], NDArray[Any]]]] = {}

    def passing(self, epochs: NDArray[np.int64], loss: NDArray[Any], squares: NDArray[Any]) -> None:
        """Keep what training measured at the weights of some epochs."""
        if self._recording.loss:
            self._keep("loss", epochs, loss)
        for name in self._recording.norms:
            self._keep(name, epochs, _NORMS[name](squares))

    def batch_gradient(self, epochs: NDArray[np.int64], squares: NDArray[Any]) -> None:
        """Keep the norm of the last minibatch's gradient of some epochs."""
        self._keep("gradient_norm_batch", epochs, total_norm(squares))

    def weights(self, state: State, *, scheduled: bool, predicted: bool) -> None:
        """Evaluate what is wanted at the weights between two epochs."""
        epoch = np.array([state.epoch], np.int64)
        if scheduled:
            for name, value in self._evaluated(state).items():
                self._keep(name, epoch, np.array([value]))
        if predicted and self._data.grid_x is not None:
            _, outputs = self._learner.evaluate(state.weights, state.buffers, self._data.grid_x, None)
            self._keep("predictions", epoch, outputs.reshape(1, -1))

    def end(self, state: State, updates: int) -> None:
        """Keep what is said of a run at its end, from the weights that are its result."""
        weights, buffers = state.result()
        data, finite = self._data, bool(np.isfinite(weights).all())
        scalars: dict[str, float] = {"epochs": state.epoch, "updates": updates}
        loss, outputs = self._learner.evaluate(weights, buffers, data.x, data.y)
        rectified, _ = self._learner.rectified(weights, buffers)
        scalars["flag_constant"] = float(finite and predicts_constant(loss, outputs, data.y))
        scalars["flag_dead"] = float(finite and dead_layer(rectified))
        for threshold, name in self._recording.thresholds:
            scalars[name] = state.passages.get(threshold, np.inf)
        epoch = np.array([state.epoch], np.int64)
        for name, value in scalars.items():
            self._keep(name, epoch, np.array([value], np.float64))
        if finite and data.grid_x is not None:
            if data.grid_x is not data.x:
                _, outputs = self._learner.evaluate(weights, buffers, data.grid_x, None)
            self._keep("predictions", epoch, outputs.reshape(1, -1))

    def trace(self) -> Trace:
        """Everything kept, as series."""
        series: dict[str, tuple[NDArray[np.int64], NDArray[Any]]] = {}
        for name, parts in self._found.items():
            epochs, values = zip(*parts, strict=True)
            series[name] = (np.concatenate(epochs), np.concatenate(values).astype(np.float64))
        return Trace(series)

    def _keep(self, name: str, epochs: NDArray[np.int64], values: NDArray[Any]) -> None:
        if epochs.size:
            self._found.setdefault(name, []).append((epochs, values))

    def _evaluated(self, state: State) -> dict[str, float]:
        wanted, weights, buffers = self._recording.evaluated, state.weights, state.buffers
        found: dict[str, float] = {}
        if "weight_norm" in wanted:
            found["weight_norm"] = weight_norm(weights)
        if "dead_units" in wanted:
            found["dead_units"] = dead_units(*self._learner.rectified(weights, buffers))
        for split in _SPLITS:
            names = {f"{metric}.{split}" if split else metric: metric for metric in _METRICS}
            x, y = held_out(self._data, split)
            if x is None or y is None or not wanted & set(names):
                continue
            loss, outputs = self._learner.evaluate(weights, buffers, x, y)
            for name, metric in names.items():
                if name in wanted:
                    found[name] = loss if metric == "loss" else _accuracy(metric, outputs, y)
        return found


def held_out(data: Data, split: str) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Inputs and targets of a split: "test", "validation", or "" for the training set."""
    if split == "test":
        return data.test_x, data.test_y
    if split == "validation":
        return data.validation_x, data.validation_y
    return data.x, data.y


def _accuracy(metric: str, outputs: NDArray[Any], y: NDArray[Any]) -> float:
    return accuracy(outputs, y) if metric == "accuracy" else tolerance_accuracy(outputs, y)
