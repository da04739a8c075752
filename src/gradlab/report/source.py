"""What figures and tables take from a result, with absent data as `None` and never as an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradlab.report import measured
from gradlab.report.figures.fits import Fit
from gradlab.report.figures.lines import Line, Mark
from gradlab.report.figures.strips import Row
from gradlab.report.numbers import count, plural
from gradlab.report.palette import Style, styles
from gradlab.report.scales import scale_of
from gradlab.report.summary import curves
from gradlab.report.view import ConditionView, ResultView, SampleView, SeriesView
from gradlab.report.words import quantity, trace_name
from gradlab.study.quantity import GrammarError

__all__ = [
    "budget_words",
    "companions",
    "conditions",
    "ends",
    "fits",
    "guessing",
    "lines",
    "looks",
    "marks",
    "names",
    "replicates",
    "rows",
    "sample",
    "series",
    "solid",
    "sweep",
    "traces",
]

_COMPANIONS = ("running", "test", "test_training_mode", "validation", "augmented", "last_batch")
"""What shares an axis with a full pass; the sum of batch losses has one of its own."""
_SIZES = 5
"""So many networks of different size or more make a sweep."""
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
    """The style of each condition, the same in every figure of a page; then those of groups of pairs and sets."""
    every = dict.fromkeys(names(result))
    for kind in measured.declared(result):
        every |= dict.fromkeys(measured.groups(result, kind))
    return styles(list(every))


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


def solid(result: ResultView, name: str) -> str:
    """The recorded series of a quantity that is drawn solid.

    The full pass over the training set; where that was not recorded, what was measured while training, and
    else the first that there is.
    """
    recorded = [trace for trace in traces(result) if trace.partition(".")[0] == name]
    preferred = [trace for trace in (name, f"{name}.running", f"{name}.last_batch") if trace in recorded]
    return next(iter(preferred or recorded), name)


def companions(result: ResultView, name: str) -> list[str]:
    """The other recorded series of a quantity that share an axis with the one drawn solid."""
    first = solid(result, name)
    recorded = [trace for trace in traces(result) if trace.startswith(f"{name}.") and trace != first]
    return [f"{name}.{split}" for split in _COMPANIONS if f"{name}.{split}" in recorded]


def lines(result: ResultView, trace: str) -> list[Line]:
    """The curves of a recorded quantity, the training set first, then whatever was measured besides."""
    found: list[Line] = []
    first = solid(result, trace)
    for recorded in (first, *companions(result, trace)):
        for name in names(result):
            raw = series(result, recorded, name)
            drawn = curves(raw, ends(result, name, raw.replicates)) if raw is not None else None
            if drawn is not None:
                found.append(Line(name, drawn, "" if recorded == first else recorded.partition(".")[2]))
    return found


def marks(result: ResultView, trace: str, last: int) -> list[Mark]:
    """Published values of what is drawn as a quantity that belong to an epoch within the horizon."""
    found: list[Mark] = []
    first = solid(result, trace)
    drawn = {first, *companions(result, trace)}
    for item in result.study.published:
        try:
            wanted = quantity(item.quantity)
        except _ABSENT:
            continue
        if (
            wanted.trace not in drawn
            or wanted.reducer not in {"", "final"}
            or item.condition not in names(result)
        ):
            continue
        at = wanted.at if isinstance(wanted.at, int) else declared_epochs(result)
        if at <= last and wanted.at != "best":
            note = f", {item.note}" if item.note else ""
            value = scale_of(wanted).table(float(item.value))
            what = "" if wanted.trace == first else f" ({trace_name(wanted.trace)})"
            text = f"published, {item.condition}{what}: {value} at epoch {count(at)}{note}"
            split = "" if wanted.trace == first else wanted.split
            found.append(Mark(item.condition, at, float(item.value), text, split))
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
    declared: object = result.plan.declared.epochs
    return declared if isinstance(declared, int) else horizon(result)


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
    full = declared_epochs(result)
    said = [
        f"{count(epochs)} of {plural(full, 'epoch')}" if epochs < full else plural(epochs, "epoch"),
        f"{count(runs)} of {plural(int(declared.replicates), 'replicate')}"
        if runs != declared.replicates
        else plural(runs, "replicate"),
    ]
    cut = {key: value for key, value in declared.quick.items() if key not in {"epochs", "replicates"}}
    for key, what in (("task.train", "training"), ("task.test", "test")):
        if isinstance(many := cut.pop(key, None), int):
            said.append(f"{count(many)} {what} examples")
    words = {key: key.removeprefix("measure.").replace(".", " ").replace("_", " ") for key in cut}
    said += [
        f"{words[key]} {count(value)}" if isinstance(value, int) else f"{words[key]} cut"
        for key, value in cut.items()
    ]
    return f"quick budget: {', '.join(said)}"


def sweep(result: ResultView) -> dict[str, int]:
    """Parameter counts of the conditions where the study goes through many sizes of network, else nothing.

    Then sizes stand on an axis; so many curves over epochs could not be told apart.
    """
    shown = conditions(result)
    sizes = {condition.name: int(result.parameters(condition.name)) for condition in shown}
    by_model = all(set(condition.levels) == {"model"} for condition in shown)
    return sizes if by_model and len(shown) >= _SIZES and len(set(sizes.values())) == len(shown) else {}


def guessing(result: ResultView) -> float | None:
    """The accuracy of guessing, where all training labels are random; `None` where there is something to learn."""
    tasks: list[Any] = [getattr(condition.spec, "task", None) for condition in conditions(result)]
    spoilt: list[Any] = [getattr(task, "corruption", None) for task in tasks]
    if not tasks or any(getattr(each, "kind", "") != "random_labels" or each.fraction < 1 for each in spoilt):
        return None
    return 1.0 / int(tasks[0].outputs)
