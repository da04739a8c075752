"""The worker's one function: runs of a fleet, some epochs further on.

It is pure: equal arguments give equal bits, on one machine and library, whatever the slices were.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gradlab.measure.gradient_norm import total_norm
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train.fleet import Fleet, Member, Trace
from gradlab.train.learner import (
    GRADIENT,
    LOSS,
    FleetLearner,
    Learner,
    Measured,
    Request,
    learners,
    pick_backend,
)
from gradlab.train.schedule import learning_rates
from gradlab.train.state import State
from gradlab.train.stopping import first_stop, watches_gradient
from gradlab.train.trace import Recorder, Recording

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
    made = learners(fleet)
    slices: list[_Steps] = []
    for place, member in enumerate(fleet.members):
        own = made[member.data]
        start = states[place] if states is not None else own.start(member)
        slices.append(_Slice(fleet, recording, member, own).run(start, min(until, fleet.epochs)))
    with np.errstate(all="ignore"):  # a diverging run is a result, not a warning
        if fleet.backend == "vmap":
            ends = _side_by_side(slices, cast(FleetLearner, made[0]))
        else:
            ends = [_alone(slice_) for slice_ in slices]
    return tuple(state for state, _ in ends), tuple(trace for _, trace in ends)


_Steps = Generator[Request, Measured, tuple[State, Trace]]
"""A slice on its way: it asks for epochs to be trained, is told what was measured, and ends with its result."""


def _alone(slice_: _Steps) -> tuple[State, Trace]:
    """Take a slice to its end by itself."""
    try:
        request = next(slice_)
        while True:
            measured = request.learner.train(request.state, request.member, request.rates, request.measure)
            request = slice_.send(measured)
    except StopIteration as end:
        return end.value


def _side_by_side(slices: Sequence[_Steps], learner: FleetLearner) -> list[tuple[State, Trace]]:
    """Take slices to their ends, each time training what all of them ask for at once."""
    ends: dict[int, tuple[State, Trace]] = {}
    asked: dict[int, Request] = {}

    def go_on(place: int, measured: Measured | None) -> None:
        asked.pop(place, None)
        try:
            asked[place] = next(slices[place]) if measured is None else slices[place].send(measured)
        except StopIteration as end:
            ends[place] = end.value

    for place in range(len(slices)):
        go_on(place, None)
    while asked:
        places = list(asked)
        for place, measured in zip(places, learner.train_together([asked[p] for p in places]), strict=True):
            go_on(place, measured)
    return [ends[place] for place in range(len(slices))]


class _Slice:
    """One member's way from one epoch to another."""

    def __init__(self, fleet: Fleet, recording: Recording, member: Member, learner: Learner) -> None:
        self._fleet = fleet
        self._recording = recording
        self._spec: Spec = fleet.spec
        self._member = member
        self._learner = learner
        self._data: Data = fleet.data[member.data]

    def run(self, start: State, until: int) -> _Steps:
        """Train, and end the run if it is over."""
        if self._over(start, until):
            return start, Trace({})
        state, recorder, watched = yield from self._train(
            start.copy(), until, ending=until == self._fleet.epochs
        )
        rule = self._spec.stop
        stop, recent = first_stop(rule, start.recent, start.epoch, watched)
        if stop is not None:
            state, recorder, _ = yield from self._train(start.copy(), stop, ending=True)
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
    ) -> Generator[Request, Measured, tuple[State, Recorder, NDArray[np.float64]]]:
        """Train to `until` without asking the stopping rule; also the values that the rule looks at."""
        recording = self._recording
        recorder = Recorder(recording, self._data, self._member, self._learner)
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
            mask = measure[first - start : last - start]
            measured = yield Request(self._learner, state, self._member, self._rates(first, last), mask)
            self._passing(recorder, state, measured, first, mask)
            watched.append(self._watched(measured.loss, measured.gradient_sq)[: state.epoch - first])
            if keeps and measured.finite:
                state.keep_best(self._score(recorder, state))
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
        recorder.trained(first, measured, mask[:done])
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
        before, after = recording.bits
        mask[recording.points(start, until) - start] |= before
        if recording.thresholds or (rule is not None and not watches_gradient(rule)):
            mask |= LOSS
        if watches_gradient(rule):
            mask |= GRADIENT
        mask[recording.points(start + 1, until + 1) - start - 1] |= after
        if ending and until > start:
            mask[-1] |= after
        return mask

    def _watched(self, loss: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the stopping rule looks at."""
        return total_norm(squares) if watches_gradient(self._spec.stop) else loss

    def _rates(self, start: int, stop: int) -> NDArray[np.float64]:
        return learning_rates(
            self._spec.optimizer.lr, self._spec.schedule, start, stop, horizon=self._fleet.epochs
        )

    def _score(self, recorder: Recorder, state: State) -> float:
        """What the weights to keep are chosen by, the lower the better.

        Validation loss; for the quirk "test-best", test accuracy where there are classes, and test loss
        elsewhere.
        """
        scores = recorder.evaluations.scores(state, "validation" if self._spec.keep == "best" else "test")
        by_accuracy = self._spec.keep == "test-best" and "accuracy" in scores
        return -scores["accuracy"] if by_accuracy else scores["loss"]

    def _end(self, state: State, recorder: Recorder, status: Any) -> None:
        """Record the last epoch and close the run; the bits are those that a longer run records there."""
        recording, rule = self._recording, self._spec.stop
        gradient = bool(recording.norms) or watches_gradient(rule)
        if gradient or recording.loss or recording.thresholds or rule is not None:
            loss, squares = self._learner.full_pass(state.weights, state.buffers, gradient=gradient)
            losses, table = np.array([loss]), squares[None]
            recorder.passing(np.array([state.epoch]), losses, table)
            self._note_passages(state, state.epoch, losses)
            if status == "done":
                stop, _ = first_stop(rule, state.recent, state.epoch, self._watched(losses, table))
                status = "done" if stop is None else "stopped"
        recorder.weights(state, scheduled=True, predicted=False)
        state.status, state.status_epoch = status, state.epoch
        size = len(self._data.x)
        batch = size if self._spec.batch_size == "full" else min(self._spec.batch_size, size)
        recorder.end(state, state.epoch * math.ceil(size / batch))
