"""Results of studies that nobody trained: what runs recorded and what instruments found is made up by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gradlab.engine.result import Result
from gradlab.judge import Verdict, judge
from gradlab.measure.measurement import Value
from gradlab.model import MLP
from gradlab.store.measurements import Stored
from gradlab.store.rows import Ending, RunRow
from gradlab.study.study import Study
from gradlab.study.subjects import Subject
from gradlab.task import Function

Found = Callable[[str, Subject], Stored | Mapping[str, Any] | str | None]
"""What an instrument found on a subject: values by name, the text of a refusal, or nothing yet."""

ALPHAS = np.linspace(-1, 2, 31)


def study(**fields: Any) -> Study:
    """A tiny study of eight replicates at two learning rates and two batch sizes."""
    given: dict[str, Any] = {
        "title": "A tiny study",
        "task": Function("sinc", low=-5, high=5, points=64, heldout=16),
        "model": MLP(4, 4),
        "optimizer": {"adam": {"lr": {"vary": {"fast": 1e-2, "slow": 1e-3}}}},
        "batch_size": {"vary": {"b8": 8, "b32": 32}},
        "epochs": 12,
        "replicates": 8,
    }
    return Study(**(given | fields))


class Lab:
    """A lab in memory: every run has ended, its loss halves with every epoch.

    Args:
        plan: What was run.
        found: What instruments found.
        states: How runs ended where they did not go through all epochs, by run id.
        dead: Runs with a dead layer.
    """

    def __init__(
        self,
        plan: Any,
        found: Found,
        states: Mapping[str, str] | None = None,
        dead: Iterable[str] = (),
    ) -> None:
        self.plan = plan
        self.found = found
        self.states = dict(states or {})
        self.dead = set(dead)
        self.asked: list[tuple[str, int]] = []

    def known(self, ids: Iterable[str] | None = None) -> dict[str, RunRow]:
        rows: dict[str, RunRow] = {}
        for run in self.plan.runs:
            state = self.states.get(run.id, "epochs")
            if run.id in set(ids or ()) and state != "running":
                batch = self.plan[run.condition].spec.batch_size
                ending = Ending(run.epochs, state, "", None, run.epochs * (64 // batch))
                rows[run.id] = RunRow(
                    run.id, "done", run.epochs, state, 1, "kernel", endings={run.epochs: ending}
                )
        return rows

    def traces(self, ids: Iterable[str], quantity: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        epochs = {run.id: np.arange(run.epochs + 1) for run in self.plan.runs}
        if quantity == "loss":
            return {run: (epochs[run], 2.0 ** -epochs[run]) for run in ids}
        if quantity in {"flag_dead", "flag_constant"}:
            dead = self.dead if quantity == "flag_dead" else ()
            return {run: (epochs[run][-1:], np.array([float(run in dead)])) for run in ids}
        return {}

    def passages(self, ids: Iterable[str], quantity: str = "loss") -> dict[str, dict[float, float]]:
        return {run: {} for run in ids}

    def measured(self, instrument: str, subjects: Iterable[str]) -> dict[str, Stored]:
        kind = next(k for k, each in self.plan.study.measure.items() if each.digest == instrument)
        wanted = set(subjects)
        self.asked.append((kind, len(wanted)))
        found: dict[str, Stored] = {}
        for subject in self.plan.subjects[kind]:
            one = self.found(kind, subject)
            if subject.key in wanted and one is not None:
                found[subject.key] = stored(kind, one)
        return found

    def digest(self, ids: Any = None, measured: Any = None) -> str:
        return f"{len(list(ids))} runs, {sum(map(len, measured.values()))} subjects"


def stored(kind: str, one: Any) -> Stored:
    """A measurement from plain numbers; arrays of the length of `ALPHAS` lie along alpha, others along ranks."""
    if isinstance(one, Stored):
        return one
    if isinstance(one, str):
        return Stored("refused", failure=one)
    values: dict[str, Value] = {}
    for name, number in one.items():
        array = np.asarray(number, np.float64)
        if array.ndim == 0:
            values[name] = Value(float(array), f"{kind} {name}")
        else:
            alpha = len(array) == len(ALPHAS)
            places = ALPHAS if alpha else np.arange(1.0, len(array) + 1)
            values[name] = Value(array, f"{kind} {name}", axis="alpha" if alpha else "rank", places=places)
    return Stored("measured", values, gradients=3.0)


def result(own: Study, found: Found, **lab: Any) -> Result:
    """The result of a study whose measurements are made up, with its claims judged."""
    plan = own.plan()
    made = Result(plan, Path("nowhere"))
    vars(vars(made)["_recorded"])["lab"] = Lab(plan, found, **lab)
    return made.judged(judge(plan.study.claims, made, budget=plan.budget))


def verdict(claim: str, found: Found, *, fields: Mapping[str, Any], **lab: Any) -> Verdict:
    """The verdict on one claim of the tiny study."""
    return result(study(claims=[claim], **fields), found, **lab).verdicts[0]
