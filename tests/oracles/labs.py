"""Labs with made-up contents, for the tests of the store."""

from __future__ import annotations

import numpy as np

from gradlab.store.lab import Lab
from gradlab.store.rows import NewRun, Progress
from gradlab.train.state import State

RECORD = '{"quantities":["loss"]}'


def run_id(index: int) -> str:
    return f"{index:020x}"


def state(epoch: int, *, seed: int = 0, width: int = 7, **fields: object) -> State:
    """A state whose arrays are a function of seed and epoch."""
    generator = np.random.default_rng((seed, epoch))
    values = {
        "epoch": epoch,
        "updates": 3 * epoch,
        "weights": generator.normal(size=width).astype(np.float32),
        "slots": {"exp_avg": generator.normal(size=width).astype(np.float32)},
        "buffers": {},
        "status": "running",
        "status_epoch": None,
        "best": None,
        "passages": {},
        "recent": np.array([[epoch, 0.5]]),
    }
    return State(**values | fields)


def series(first: int, last: int, seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    epochs = np.arange(first, last + 1)
    return {"loss": (epochs, np.cos(epochs + seed))}


def asked(lab: Lab, count: int) -> list[str]:
    """Ask for `count` runs of one condition."""
    runs = [
        NewRun(run_id(index), '{"kind":"spec"}', {"init": index}, "only", index) for index in range(count)
    ]
    lab.ask("study", "A study", {"title": "A study"}, runs)
    return [run.id for run in runs]


def slice_of(run: str, first: int, last: int, *, ends: bool = False, seed: int = 0) -> Progress:
    """What a slice from `first` (exclusive unless 0) to `last` would hand over."""
    end = {"flag_dead": (np.array([last]), np.array([0.0]))} if ends else {}
    return Progress(
        run=run,
        state=state(last, seed=seed),
        trace=series(first + (first > 0), last, seed),
        beside=end,
        ending="epochs" if ends else None,
        epoch=last,
        updates=3 * last,
    )
