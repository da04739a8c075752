"""The worker's one function: runs of a fleet, some epochs further on.

It is pure: equal arguments give equal bits, on one machine and library, whatever the slices were.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.measure.accuracy import accuracy
from gradlab.measure.gradient_norm import total_norm
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train.fleet import Fleet, Member, Trace
from gradlab.train.learner import BATCH_GRADIENT, GRADIENT, LOSS, Learner, Measured, learner, pick_backend
from gradlab.train.schedule import learning_rates
from gradlab.train.state import State
from gradlab.train.stopping import first_stop, watches_gradient
from gradlab.train.trace import Recorder, Recording, held_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["advance", "pick_backend"]


def advance(
    fleet: Fleet, states: tuple[State, ...] | None, until: int
) -> tuple[tuple[State, ...], tuple[Trace, ...]]:
    """Train every member of a fleet up to an epoch.

    A slice records what belongs to its epochs but for the weights that it ends with, which the next slice
    records, or this one if the run ends there. A run that has ended is handed back as it is with an empty
    trace; one that is done is taken up again where the fleet's horizon is farther than it got.

    Args:
        fleet: The runs, their data and what is recorded of them.
        states: Where each member is; None before the first slice.
        until: The epoch to train to; the fleet's horizon if that is nearer.

    Returns:
        The new states and what was recorded on the way, one of each a member. The states given stay as they
        are.
    """
    recording = Recording(fleet.record, fleet.epochs)
    learners: dict[int, Learner] = {}
    ends: list[State] = []
    traces: list[Trace] = []
    for place, member in enumerate(fleet.members):
        if member.data not in learners:
            learners[member.data] = learner(fleet.spec, fleet.data[member.data], fleet.backend)
        slice_ = _Slice(fleet, recording, member, learners[member.data])
        with np.errstate(all="ignore"):  # a diverging run is a result, not a warning
            start = states[place] if states is not None else learners[member.data].start(member)
            end, trace = slice_.run(start, min(until, fleet.epochs))
        ends.append(end)
        traces.append(trace)
    return tuple(ends), tuple(traces)


class _Slice:
    """One member's way from one epoch to another."""

    def __init__(self, fleet: Fleet, recording: Recording, member: Member, learner: Learner) -> None:
        self._fleet = fleet
        self._recording = recording
        self._spec: Spec = fleet.spec
        self._member = member
        self._learner = learner
        self._data: Data = fleet.data[member.data]

    def run(self, start: State, until: int) -> tuple[State, Trace]:
        """Train, and end the run if it is over."""
        if self._over(start, until):
            return start, Trace({})
        state, recorder, watched = self._train(start.copy(), until, ending=until == self._fleet.epochs)
        rule = self._spec.stop
        stop, recent = first_stop(rule, start.recent, start.epoch, watched)
        if stop is not None:
            state, recorder, _ = self._train(start.copy(), stop, ending=True)
            _, state.recent = first_stop(rule, start.recent, start.epoch, watched[: stop - start.epoch])
            self._end(state, recorder, "stopped")
        else:
            state.recent = recent
            if state.status == "diverged":
                self._end(state, recorder, "diverged")
            elif state.epoch == self._fleet.epochs:
                self._end(state, recorder, "done")
        return state, recorder.trace()

    def _over(self, start: State, until: int) -> bool:
        """Whether nothing is left to do; a run that stands at the horizon may still have to be ended."""
        ended = start.status in {"stopped", "diverged"} or start.epoch > until
        return ended or (start.epoch == until and (start.status == "done" or until < self._fleet.epochs))

    def _train(
        self, state: State, until: int, *, ending: bool
    ) -> tuple[State, Recorder, NDArray[np.float64]]:
        """Train to `until` without asking the stopping rule; also the values that the rule looks at."""
        recording, recorder = self._recording, Recorder(self._recording, self._data, self._learner)
        state.status, state.status_epoch = "running", None
        start, keeps = state.epoch, self._spec.keep != "last"
        scheduled = set(recording.points(start, until).tolist())
        predicted = set(recording.predicted(start, until).tolist())
        halts = range(start, until) if keeps else recording.halts(start, until).tolist()
        marks = sorted({start, until, *halts})
        measure = self._mask(start, until, ending=ending)
        watched: list[NDArray[np.float64]] = []
        for first, last in pairwise(marks):
            recorder.weights(state, scheduled=first in scheduled, predicted=first in predicted)
            rates = self._rates(first, last)
            measured = self._learner.train(state, self._member, rates, measure[first - start : last - start])
            self._passing(recorder, state, measured, first, measure[first - start : last - start])
            watched.append(self._watched(measured)[: state.epoch - first])
            if keeps and measured.finite:
                state.keep_best(self._score(state))
            if not measured.finite:
                state.status = "diverged"
                break
        return state, recorder, np.concatenate(watched) if watched else np.zeros(0)

    def _passing(
        self, recorder: Recorder, state: State, measured: Measured, first: int, mask: NDArray[np.uint8]
    ) -> None:
        """Record what training measured from epoch `first` on, and the thresholds that the loss passed."""
        done = state.epoch - first
        points = self._recording.points(first, state.epoch)
        rows = points - first
        recorder.passing(points, measured.loss[rows], measured.gradient_sq[rows])
        rows = np.flatnonzero(mask[:done] & BATCH_GRADIENT)
        recorder.batch_gradient(rows + first + 1, measured.batch_gradient_sq[rows])
        self._note_passages(state, first, measured.loss[:done])

    def _note_passages(self, state: State, first: int, losses: NDArray[np.float64]) -> None:
        for threshold, _ in self._recording.thresholds:
            if threshold not in state.passages:
                under = np.flatnonzero(losses < threshold)
                if under.size:
                    state.passages[threshold] = first + int(under[0])

    def _mask(self, start: int, until: int, *, ending: bool) -> NDArray[np.uint8]:
        """What to measure at each epoch, no more than is recorded, watched or compared with a threshold."""
        mask = np.zeros(until - start, np.uint8)
        recording, rule = self._recording, self._spec.stop
        mask[recording.points(start, until) - start] |= LOSS | (GRADIENT if recording.norms else 0)
        if recording.thresholds or (rule is not None and not watches_gradient(rule)):
            mask |= LOSS
        if watches_gradient(rule):
            mask |= GRADIENT
        if recording.batch_norm:
            mask[recording.points(start + 1, until + 1) - start - 1] |= BATCH_GRADIENT
            if ending and until > start:
                mask[-1] |= BATCH_GRADIENT
        return mask

    def _watched(self, measured: Measured) -> NDArray[np.float64]:
        """What the stopping rule looks at."""
        return total_norm(measured.gradient_sq) if watches_gradient(self._spec.stop) else measured.loss

    def _rates(self, start: int, stop: int) -> NDArray[np.float64]:
        return learning_rates(
            self._spec.optimizer.lr, self._spec.schedule, start, stop, horizon=self._fleet.epochs
        )

    def _score(self, state: State) -> float:
        """What the weights to keep are chosen by, the lower the better.

        Validation loss; for the quirk "test-best", test accuracy where there are classes, and test loss
        elsewhere.
        """
        split = "validation" if self._spec.keep == "best" else "test"
        x, y = held_out(self._data, split)
        assert x is not None
        assert y is not None
        loss, outputs = self._learner.evaluate(state.weights, state.buffers, x, y)
        by_accuracy = split == "test" and self._spec.loss == "cross_entropy"
        return -accuracy(outputs, y) if by_accuracy else loss

    def _end(self, state: State, recorder: Recorder, status: Any) -> None:
        """Record the last epoch and close the run.

        The loss and gradient of the last weights are measured as those of any others: before an epoch, which
        is taken by a copy and thrown away. Their bits are then those that a longer run records.
        """
        epoch = np.array([state.epoch])
        bits = LOSS | (GRADIENT if self._recording.norms or watches_gradient(self._spec.stop) else 0)
        peek = self._learner.train(
            state.copy(), self._member, self._rates(state.epoch, state.epoch + 1), np.array([bits], np.uint8)
        )
        recorder.passing(epoch, peek.loss, peek.gradient_sq)
        recorder.weights(state, scheduled=True, predicted=False)
        self._note_passages(state, state.epoch, peek.loss)
        if status == "done":
            stop, _ = first_stop(self._spec.stop, state.recent, state.epoch, self._watched(peek))
            status = "done" if stop is None else "stopped"
        state.status, state.status_epoch = status, state.epoch
        size = len(self._data.x)
        batch = size if self._spec.batch_size == "full" else min(self._spec.batch_size, size)
        recorder.end(state, state.epoch * math.ceil(size / batch))
