"""How many trivial runs a second are planned, run and stored: what the laboratory itself costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["TARGET", "measure"]

TARGET = 500
"""Runs a second that should be planned, run and stored on one core."""


def measure(runs: int = 1000, repeats: int = 3) -> list[dict[str, Any]]:
    """Time a study of trivial runs: one epoch of a network of seven parameters on four points.

    Everything happens in this process, on one core, in a fresh lab each time; compiling is not in it.

    Args:
        runs: Replicates of the one condition.
        repeats: How often it is timed.

    Returns:
        A row for each of: all of it, the study issued again with nothing to do, and the digest. Each has `name`,
        `runs_per_second` (of the fastest turn), `runs_per_second_median`, `target` (None where there is none),
        `runs` and `n`, the turns.
    """
    from gradlab.engine.worker import load

    load(["float32"])
    _turn(runs=8)  # the first turn imports and warms up
    turns = [_turn(runs) for _ in range(repeats)]
    targets = {"planned, run and stored": TARGET}
    return [
        {
            "name": name,
            "runs_per_second": runs / min(turn[name] for turn in turns),
            "runs_per_second_median": runs / median(turn[name] for turn in turns),
            "target": targets.get(name),
            "runs": runs,
            "n": repeats,
        }
        for name in turns[0]
    ]


def _turn(runs: int) -> dict[str, float]:
    """Seconds of each part, once."""
    from gradlab.engine.coordinator import run_plan
    from gradlab.model import MLP
    from gradlab.store.lab import Lab
    from gradlab.study import Study
    from gradlab.study.recipe import SGD
    from gradlab.task import Function

    study = Study(
        title="Trivial runs",
        task=Function("sin", low=-1, high=1, points=4),
        model=MLP(2),
        optimizer=SGD(lr=0.1),
        epochs=1,
        replicates=runs,
    )
    with tempfile.TemporaryDirectory() as folder, Lab.open(Path(folder) / "lab", write=True) as lab:
        return {
            "planned, run and stored": _seconds(lambda: run_plan(study.plan(), lab, workers=1)),
            "issued again": _seconds(lambda: run_plan(study.plan(), lab, workers=1)),
            "digest": _seconds(lab.digest),
        }


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
