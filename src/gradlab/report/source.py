"""What figures and tables take from a result, with absent data as `None` and never as an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report.figures.fits import Fit
from gradlab.report.figures.lines import Line, Mark
from gradlab.report.figures.strips import Row
from gradlab.report.numbers import count, number, plural
from gradlab.report.palette import Style, styles
from gradlab.report.summary import curves
from gradlab.report.view import ConditionView, ResultView, SampleView, SeriesView
from gradlab.report.words import quantity
from gradlab.study.quantity import GrammarError

__all__ = [
    "budget_words",
    "conditions",
    "ends",
    "fits",
    "lines",
    "looks",
    "marks",
    "names",
    "replicates",
    "rows",
    "sample",
    "series",
    "traces",
]

_ABSENT = (KeyError, LookupError, ValueError, GrammarError)


def conditions(result: ResultView) -> list[ConditionView]:
    """The conditions as declared; those of assumed settings are judged, not drawn."""
    every = list(result.plan.conditions)
    first = getattr(every[0], "setting", None) if every else None
    return [condition for condition in every if getattr(condition, "setting", None) == first]


def names(result: ResultView) -> list[str]:
    """Names of the conditions as declared."""
    return [condition.name for condition in conditions(result)]


def looks(result: ResultView) -> dict[str, Style]:
    """The style of each condition, the same in every figure of a page."""
    return styles(names(result))


def traces(result: ResultView) -> list[str]:
    """Names of the recorded quantities."""
    found = [quantity(item).trace for item in result.study.record]
    return list(dict.fromkeys(found))


def series(result: ResultView, trace: str, condition: str) -> SeriesView | None:
    """A recorded series, or `None` where there is none with a value."""
    try:
        found = result.series(trace, condition)
    except _ABSENT:
        return None
    return found if np.isfinite(found.values).any() else None


def sample(result: ResultView, wanted: Any, condition: str) -> SampleView | None:
    """A quantity of each run, or `None` where it cannot be had."""
    try:
        found = result.values(wanted, condition)
    except _ABSENT:
        return None
    return found if len(found.values) else None


def ends(result: ResultView, condition: str, replicates: NDArray[np.int64]) -> list[str]:
    """How each of these replicates ended; `done` where nobody knows."""
    found = sample(result, "epochs", condition)
    if found is None:
        return ["done"] * len(replicates)
    table = {int(replicate): state for replicate, state in zip(found.replicates, found.states, strict=True)}
    return [table.get(int(replicate), "done") for replicate in replicates]


def lines(result: ResultView, trace: str) -> list[Line]:
    """The curves of a recorded quantity, training set first, then held-out sets of the same quantity."""
    found: list[Line] = []
    held_out = [other for other in traces(result) if other.startswith(f"{trace}.")]
    for recorded in (trace, *held_out):
        for name in names(result):
            raw = series(result, recorded, name)
            drawn = curves(raw, ends(result, name, raw.replicates)) if raw is not None else None
            if drawn is not None:
                found.append(Line(name, drawn, recorded.removeprefix(trace).removeprefix(".")))
    return found


def marks(result: ResultView, trace: str, last: int) -> list[Mark]:
    """Published values of a recorded quantity that belong to an epoch within the horizon."""
    found: list[Mark] = []
    for item in result.study.published:
        try:
            wanted = quantity(item.quantity)
        except _ABSENT:
            continue
        if (
            wanted.trace != trace
            or wanted.reducer not in {"", "final"}
            or item.condition not in names(result)
        ):
            continue
        at = wanted.at if isinstance(wanted.at, int) else declared_epochs(result)
        if at <= last and wanted.at != "best":
            note = f", {item.note}" if item.note else ""
            text = f"published, {item.condition}: {number(item.value)} at epoch {count(at)}{note}"
            found.append(Mark(item.condition, at, float(item.value), text))
    return found


def rows(result: ResultView, wanted: Any, among: Sequence[str]) -> list[Row]:
    """One row of per-run values a condition, with its published value if there is one."""
    found: list[Row] = []
    for name in among:
        values = sample(result, wanted, name)
        if values is not None:
            known = published(result, wanted, name)
            found.append(Row(name, np.asarray(values.values, float), np.asarray(values.replicates), known))
    return found


def published(result: ResultView, wanted: Any, condition: str) -> tuple[float, str] | None:
    """The published value of a quantity of a condition."""
    for item in result.study.published:
        try:
            same = _final(item.quantity) == _final(wanted)
        except _ABSENT:
            continue
        if same and item.condition == condition:
            return float(item.value), str(item.note)
    return None


def _final(wanted: Any) -> str:
    """A quantity's spelling, with the three ways to say 'at the end' made one."""
    found = quantity(wanted)
    if found.reducer == "final" or found.at == "last":
        found = found.model_copy(update={"reducer": "", "at": None})
    return str(found)


def fits(result: ResultView) -> list[Fit]:
    """Predictions of functions of one variable."""
    found: list[Fit] = []
    for name in names(result):
        try:
            x, truth, outputs = result.predictions(name)
        except _ABSENT:
            continue
        x, truth, outputs = np.asarray(x, float), np.asarray(truth, float), np.asarray(outputs, float)
        if x.ndim != 2 or x.shape[1] != 1 or outputs.ndim != 3 or outputs.shape[2] != 1 or not len(outputs):
            continue
        order = np.argsort(x[:, 0], kind="stable")
        found.append(Fit(name, x[order, 0], truth.reshape(len(x), -1)[order, 0], outputs[:, order, 0]))
    return found


def replicates(result: ResultView) -> int:
    """Runs of each condition under this budget."""
    return int(result.plan.study.replicates)


def horizon(result: ResultView) -> int:
    """The longest horizon in epochs under this budget."""
    return max((int(condition.epochs) for condition in conditions(result)), default=0)


def declared_epochs(result: ResultView) -> int:
    """The horizon of the study as declared, which published final values belong to."""
    return int(result.plan.declared.epochs)


def budget_words(result: ResultView) -> str:
    """The budget in words: what of the declared study was run.

    Returns:
        As in "quick budget: 500 of 20,000 epochs, 5 of 20 replicates"; "full budget: 20,000 epochs,
        20 replicates" where nothing was cut.
    """
    declared = result.plan.declared
    epochs, runs = horizon(result), replicates(result)
    if result.budget != "quick":
        return f"{result.budget} budget: {plural(epochs, 'epoch')}, {plural(runs, 'replicate')}"
    said = [
        f"{count(epochs)} of {plural(int(declared.epochs), 'epoch')}"
        if epochs != declared.epochs
        else plural(epochs, "epoch"),
        f"{count(runs)} of {plural(int(declared.replicates), 'replicate')}"
        if runs != declared.replicates
        else plural(runs, "replicate"),
    ]
    other = [key for key in declared.quick if key not in {"epochs", "replicates"}]
    said += [f"{key} cut" for key in other]
    return f"quick budget: {', '.join(said)}"
