"""Settings chosen for each architecture on validation loss, with seeds of their own and equal budgets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.component import level_name

if TYPE_CHECKING:
    from gradlab.engine.result import Result
    from gradlab.study import Plan, Study

__all__ = ["Tuned", "candidates", "tune"]

SEED_OFFSET = 1_000_003
"""Tuning draws from other seeds than the study, so that no run is chosen for its own luck."""


@dataclass(frozen=True)
class Tuned:
    """What tuning chose.

    Attributes:
        chosen: Settings by condition label.
        notes: What was chosen where, with a warning at an edge of the grid.
    """

    chosen: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


def candidates(study: Study) -> list[dict[str, Any]]:
    """Every combination of the values to choose from."""
    paths = list(study.tune)
    return [dict(zip(paths, values, strict=True)) for values in itertools.product(*study.tune.values())]


def tune(study: Study, train: Callable[[Plan], Result]) -> Tuned:
    """Choose settings for every condition of a study.

    Each candidate is trained `tune_replicates` times; the lowest median of the final validation losses wins.

    Args:
        study: A study with its budget's overrides applied.
        train: Trains a plan and gives its result.

    Returns:
        The choice; empty if the study does not tune.
    """
    if not study.tune:
        return Tuned({}, ())
    losses: dict[str, list[float]] = {}
    grid = candidates(study)
    for candidate in grid:
        trial = study.with_settings({
            **candidate,
            "tune": {},
            "assumed": {},
            "quick": {},
            "claims": (),
            "published": (),
            "measure": {},
            "record": ("loss.validation",),
            "replicates": study.tune_replicates,
            "seeds.base": study.seeds.base + SEED_OFFSET,
        })
        result = train(trial.plan())
        for condition in result.conditions:
            final = result.values("loss.validation@last", condition.name)
            worst = [value if np.isfinite(value) else np.inf for value in final.values]
            losses.setdefault(condition.label, []).append(float(np.median(worst)))
    chosen: dict[str, Mapping[str, Any]] = {}
    notes: list[str] = []
    for label, found in losses.items():
        best = grid[int(np.argmin(found))]
        chosen[label] = best
        told = ", ".join(f"{path} = {level_name(value)}" for path, value in best.items())
        notes.append(f"tuned {label}: {told} (median validation loss {min(found):.3g})")
        for path, value in best.items():
            values = study.tune[path]
            if value in {values[0], values[-1]}:
                notes.append(f"{label}: {path} = {level_name(value)} is at the edge of the grid; widen it")
    return Tuned(chosen, tuple(notes))
