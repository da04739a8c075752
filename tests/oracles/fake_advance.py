"""A stand-in for training: cheap, exact, and able to fail in every way that a worker can."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradlab.train.fleet import Fleet, Trace
from gradlab.train.state import State

WIDTH = 5


def advance(
    fleet: Fleet, states: tuple[State, ...] | None, until: int
) -> tuple[tuple[State, ...], tuple[Trace, ...]]:
    """Each epoch multiplies the weights; the loss at e is their mean square."""
    after, traces = [], []
    for index, member in enumerate(fleet.members):
        state = _first(member) if states is None else states[index].copy()
        first = states is None
        epochs, losses = [], []
        if first:
            epochs.append(0)
            losses.append(float(np.mean(state.weights**2)))
        while state.epoch < until:
            state.weights = state.weights * np.float32(0.99) + np.float32(1e-3)
            state.slots["exp_avg"] = state.slots["exp_avg"] + np.float32(1)
            state.epoch += 1
            state.updates += 1
            epochs.append(state.epoch)
            losses.append(float(np.mean(state.weights**2)))
            for threshold in fleet.record.thresholds:
                if losses[-1] < threshold:
                    state.passages.setdefault(threshold, state.epoch)
        wanted = set(map(int, fleet.record.points(fleet.epochs)))
        keep = [place for place, epoch in enumerate(epochs) if epoch in wanted]
        found = np.array(epochs, np.int64)[keep], np.array(losses)[keep]
        series = dict.fromkeys(fleet.record.quantities, found)
        if state.epoch >= fleet.epochs:
            state = replace(state, status="done", status_epoch=state.epoch)
            series["flag_dead"] = (np.array([state.epoch]), np.array([0.0]))
        after.append(state)
        traces.append(Trace(series))
    return tuple(after), tuple(traces)


def _first(member) -> State:
    if member.start is not None:
        return member.start.copy()
    weights = np.random.default_rng(member.seeds["init"]).normal(size=WIDTH).astype(np.float32)
    return State(0, 0, weights, {"exp_avg": np.zeros(WIDTH, np.float32)})


def slow(fleet, states, until):
    time.sleep(0.05)
    return advance(fleet, states, until)


def endless(fleet, states, until):
    """A slice a second, so that a signal surely finds one under way."""
    time.sleep(1.0)
    return advance(fleet, states, until)


def raises_at_init_1(fleet, states, until):
    if any(member.seeds["init"] == 1 for member in fleet.members):
        raise ValueError("init seed 1 is cursed")
    return advance(fleet, states, until)


def dies_at_init_1(fleet, states, until):
    if any(member.seeds["init"] == 1 for member in fleet.members):
        os.kill(os.getpid(), signal.SIGKILL)
    return advance(fleet, states, until)


def dies_once(fleet, states, until):
    """The first worker that sees init seed 1 dies; the marker file says that it has happened."""
    marker = os.environ["GRADLAB_TEST_MARKER"]
    if any(member.seeds["init"] == 1 for member in fleet.members) and not os.path.exists(marker):
        with open(marker, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return advance(fleet, states, until)


def full_beyond_2(fleet, states, until):
    """Memory holds two networks at a time."""
    if len(fleet.members) > 2:
        raise MemoryError
    return advance(fleet, states, until)


def too_large_at_init_1(fleet, states, until):
    """What PyTorch says where memory is short."""
    if any(member.seeds["init"] == 1 for member in fleet.members):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 4000000000000 bytes."
        )
    return advance(fleet, states, until)


def learns_from_inputs(fleet, states, until):
    """What it ends with follows from the data too."""
    after, traces = advance(fleet, states, until)
    for member, state in zip(fleet.members, after, strict=True):
        x = fleet.data[member.data].x
        assert type(x) is np.ndarray
        state.buffers["mean"] = np.array([x.mean(), x[-1, 0, 0, 0]])
    return after, traces


def loses_data(fleet, states, until):
    """Once, somebody clears away the shelf."""
    marker = Path(os.environ["GRADLAB_TEST_MARKER"])
    if not marker.exists():
        marker.touch()
        for path in Path(os.environ["GRADLAB_TEST_SHELF"]).iterdir():
            path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)  # so that a worker comes that has not mapped it yet
    return learns_from_inputs(fleet, states, until)


def diverges_at_init_1(fleet, states, until):
    """The member with init seed 1 diverges at epoch 7."""
    after, traces = advance(fleet, states, until)
    for member, state, trace in zip(fleet.members, after, traces, strict=True):
        if member.seeds["init"] == 1 and state.epoch >= 7:
            state.epoch, state.status, state.status_epoch = 7, "diverged", 7
            state.weights = np.full(WIDTH, np.nan, np.float32)
            for name, (epochs, values) in trace.series.items():
                early = epochs <= 7
                trace.series[name] = (epochs[early], np.where(epochs[early] == 7, np.nan, values[early]))
    return after, traces
