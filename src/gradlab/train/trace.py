"""Recording: which measurements a slice must take, and how they become series."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gradlab.measure.constant import predicts_constant, spreads
from gradlab.measure.dead import dead_layer, dead_units
from gradlab.measure.gradient_norm import layer_norms, mean_weight_norm, total_norm
from gradlab.measure.weight_norm import weight_norm
from gradlab.study.quantity import Quantity
from gradlab.study.record import Record
from gradlab.task.data import Data
from gradlab.train.evaluation import SPLITS, Evaluations
from gradlab.train.fleet import Member, Trace
from gradlab.train.learner import BATCH_GRADIENT, GRADIENT, LOSS, RUNNING, Learner, Measured
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Recorder", "Recording"]

_NORMS: Final[dict[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "gradient_norm": total_norm,
    "gradient_norm_layers": layer_norms,
    "gradient_norm_mean": mean_weight_norm,
}
"""Quantities from the gradient of a full pass."""
_RUNNING: Final = {"loss.running": 0, "accuracy.running": 1, "loss.batch_sum": 2, "loss.last_batch": 3}
"""Columns of `Measured.running`."""
_GAPS: Final = {"loss_gap": ("loss.test", "loss"), "accuracy_gap": ("accuracy", "accuracy.test")}
"""Quantities that are the difference of two others."""
_LAST_BATCH: Final[dict[str, Callable[[Measured], NDArray[Any]]]] = {
    "gradient_norm_batch": lambda measured: total_norm(measured.batch_gradient_sq),
    "sensitivity_batch": lambda measured: measured.sensitivity,
}
"""Quantities from the gradient of an epoch's last batch."""
_IN_PASSING: Final = frozenset({*_LAST_BATCH, *_NORMS, *_RUNNING})
"""Quantities that training measures as it goes; any other is evaluated from the weights, and the loss either way."""
_METRICS: Final = ("loss", "accuracy", "tolerance_accuracy")
_HEAD: Final = 1024
"""Examples that mostly tell that a network is neither constant nor dead."""


class Recording:
    """What a fleet records and when, worked out once.

    Args:
        record: What is recorded.
        horizon: The last epoch of a run that does not end before.

    Attributes:
        wanted: Names of the recorded quantities.
        norms: Recorded quantities that need the gradient of a full pass.
        last_batch: Recorded quantities that need the gradient of the last batch.
        running: Recorded quantities of batches as they are trained on.
        loss: Whether the training loss is taken by a full pass before an epoch; where training examples are
            evaluated anyway, the loss comes from there.
        evaluated: Quantities that are evaluated from the weights, predictions apart.
        bits: What training measures at a scheduled epoch before it, and in its course.
        predictions: Whether predictions are recorded on the way; at the end they always are.
        thresholds: Training losses of which the first passage is wanted, with the quantity's name.
    """

    def __init__(self, record: Record, horizon: int) -> None:
        self.wanted = frozenset(record.quantities)
        needed = self.wanted.union(*(pair for name, pair in _GAPS.items() if name in self.wanted))
        self.norms = tuple(name for name in _NORMS if name in needed)
        self.last_batch = tuple(name for name in _LAST_BATCH if name in needed)
        self.running = tuple(name for name in _RUNNING if name in needed)
        self.thresholds = tuple(
            (value, str(Quantity(name="loss", reducer="epochs_to", threshold=value)))
            for value in record.thresholds
        )
        passes = bool(self.norms or self.thresholds)
        self.loss = "loss" in needed and (passes or not needed & {"accuracy", "tolerance_accuracy"})
        rest = needed - _IN_PASSING - {"predictions", *_GAPS}
        self.evaluated = rest - {"loss"} if self.loss else rest
        self.predictions = "predictions" in needed
        before = (LOSS if self.loss else 0) | (GRADIENT if self.norms else 0)
        after = BATCH_GRADIENT if self.last_batch else 0
        self.bits = (before, after | (RUNNING if self.running else 0))
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
        member: The run.
        learner: Who evaluates weights.

    Attributes:
        evaluations: The network's scores on the splits of its data.
    """

    def __init__(self, recording: Recording, data: Data, member: Member, learner: Learner) -> None:
        self.evaluations = Evaluations(data, member, learner)
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

    def trained(self, first: int, measured: Measured, mask: NDArray[np.uint8]) -> None:
        """Keep what was measured in the course of epochs, each under the number of epochs that are then completed.

        Args:
            first: Completed epochs before the first of them.
            measured: The measurements.
            mask: What was measured in each.
        """
        rows = np.flatnonzero(mask & BATCH_GRADIENT)
        for name in self._recording.last_batch:
            self._keep(name, rows + first + 1, _LAST_BATCH[name](measured)[rows])
        rows = np.flatnonzero(mask & RUNNING)
        for name in self._recording.running:
            self._keep(name, rows + first + 1, measured.running[rows, _RUNNING[name]])

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
        outputs = None
        scalars["flag_constant"] = scalars["flag_dead"] = 0.0
        if finite:
            constant, outputs = self._constant(weights, buffers)
            scalars["flag_constant"] = float(constant)
            scalars["flag_dead"] = float(self._dead(weights, buffers))
        for threshold, name in self._recording.thresholds:
            scalars[name] = state.passages.get(threshold, np.inf)
        epoch = np.array([state.epoch], np.int64)
        for name, value in scalars.items():
            self._keep(name, epoch, np.array([value], np.float64))
        if finite and data.grid_x is not None:
            if outputs is None or data.grid_x is not data.x:
                _, outputs = self._learner.evaluate(weights, buffers, data.grid_x, None)
            self._keep("predictions", epoch, outputs.reshape(1, -1))

    def trace(self) -> Trace:
        """Everything that was asked for, as series."""
        series: dict[str, tuple[NDArray[np.int64], NDArray[Any]]] = {}
        for name, parts in self._found.items():
            epochs, values = zip(*parts, strict=True)
            series[name] = (np.concatenate(epochs), np.concatenate(values).astype(np.float64))
        for name, (minuend, subtrahend) in _GAPS.items():
            if name in self._recording.wanted and minuend in series and subtrahend in series:
                (epochs, more), (_, less) = series[minuend], series[subtrahend]
                series[name] = (epochs, more - less)
        helpers = {part for pair in _GAPS.values() for part in pair} - self._recording.wanted
        return Trace({name: found for name, found in series.items() if name not in helpers})

    def _keep(self, name: str, epochs: NDArray[np.int64], values: NDArray[Any]) -> None:
        if epochs.size:
            self._found.setdefault(name, []).append((epochs, values))

    def _evaluated(self, state: State) -> dict[str, float]:
        wanted = self._recording.evaluated
        found: dict[str, float] = {}
        if "weight_norm" in wanted:
            found["weight_norm"] = weight_norm(state.weights)
        if "dead_units" in wanted:
            alive, units = self._learner.alive(state.weights, state.buffers, self._data.x)
            found["dead_units"] = dead_units(alive, units)
        for split in SPLITS:
            names = {f"{metric}.{split}" if split else metric: metric for metric in _METRICS}
            if wanted & set(names):
                scores = self.evaluations.scores(state, split)
                found |= {
                    name: scores[metric]
                    for name, metric in names.items()
                    if name in wanted and metric in scores
                }
        return found

    def _constant(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]
    ) -> tuple[bool, NDArray[np.float64] | None]:
        """Whether the network predicts a constant; the outputs, where a full pass was needed to see."""
        x, y = self._data.x, self._data.y
        if len(x) > _HEAD:
            _, some = self._learner.evaluate(weights, buffers, x[:_HEAD], None)
            if spreads(some, y):
                return False, None
        loss, outputs = self._learner.evaluate(weights, buffers, x, y)
        return predicts_constant(loss, outputs, y), outputs

    def _dead(self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]) -> bool:
        """Whether a layer is dead; a unit that fires on some of the examples fires on all of them."""
        x = self._data.x
        some = dead_layer(self._learner.alive(weights, buffers, x[:_HEAD])[0])
        return some and (len(x) <= _HEAD or dead_layer(self._learner.alive(weights, buffers, x)[0]))
