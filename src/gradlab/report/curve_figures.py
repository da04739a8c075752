"""Figures of recorded quantities over epochs: training solid, held-out sets dashed, each condition in its colour."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from gradlab.report import findings, source
from gradlab.report.claim_figures import slug
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.lines import SINGLE_RUNS, Line, Reference, lines, run_bins
from gradlab.report.numbers import count, plural
from gradlab.report.scales import scale_of
from gradlab.report.view import ResultView
from gradlab.report.words import axis_name, capital, loss_of, trace_name

__all__ = ["curve", "drawn", "nothing", "thinning"]

_STROKES = {
    "test": "dashed, hollow markers: test",
    "validation": "dotted, hollow markers: validation",
    "running": "dotted: training examples as they were met in the epoch",
    "last_batch": "dotted: the last batch of each epoch",
    "augmented": "short dashes: augmented training examples",
    "test_training_mode": "dash-dotted: test with dropout active",
}
_SOLID = {
    "": "solid: training",
    "running": "solid: training, mean over the examples of the epoch as they were met",
    "last_batch": "solid: the last batch of each epoch",
}
_FITTED = 0.99
"""Random labels are fitted where the training accuracy passes this."""


def curve(result: ResultView, name: str, *, height: tuple[int, int]) -> Figure:
    """The figure of one quantity over epochs.

    Args:
        result: The result.
        name: The quantity, without the data set.
        height: Height of the plot, wide and narrow.

    Returns:
        The figure, empty with a reason where nothing was recorded.
    """
    shown = source.lines(result, name)
    solid = source.solid(result, name)
    if not shown:
        what = trace_name(solid)
        return Figure(name, capital(what), "", missing=nothing(result, what))
    last = source.horizon(result)
    marks, references = source.marks(result, name, last), _references(result, name)
    looks, scale = source.looks(result), scale_of(solid)
    several = any(line.split for line in shown)
    title = axis_name(name, loss_of(result), whose="") if several else axis_name(solid, loss_of(result))
    return Figure(
        slug(name),
        _title(result, name, shown),
        drawn(
            shown,
            name if several else trace_name(solid),
            solid=solid,
            diamonds={bool(mark.split) for mark in marks},
        ),
        draw=lambda size, tables: lines(
            shown,
            looks,
            size,
            tables,
            title=title,
            height=height[0] if size.name == "wide" else height[1],
            last=last,
            marks=marks,
            scale=scale,
            references=references,
        ),
        note=thinning(shown),
    )


def _title(result: ResultView, name: str, shown: Sequence[Line]) -> str:
    """Accuracies are judged by the test set where there is one; random labels by how far they are fitted."""
    solid = source.solid(result, name)
    scale, low_is_good = scale_of(solid), not name.startswith(("accuracy", "tolerance"))
    training = [line for line in shown if not line.split]
    if name == "accuracy" and training and source.guessing(result) is not None:
        return findings.memorised(training, source.guessing(result) or 0.0, _passage(training[0]))
    test = [line for line in shown if line.split == "test"]
    trace = f"{name}.test" if test and not low_is_good else solid
    among = test if test and not low_is_good else training
    said = findings.ended(among, trace_name(trace), low_is_good=low_is_good, write=scale.write)
    if len(training) == len(test) == 1 and low_is_good:
        said += f"; the {trace_name(f'{name}.test')} ends at {scale.write(float(test[0].curves.median[-1]))}"
    return said


def _passage(line: Line) -> float:
    passed = np.flatnonzero(line.curves.median >= _FITTED)
    return float(line.curves.epochs[passed[0]]) if len(passed) else float("inf")


def _references(result: ResultView, name: str) -> list[Reference]:
    """Where labels are random: the accuracy and the loss of guessing, and all labels fitted."""
    share = source.guessing(result)
    if share is None:
        return []
    if name == "accuracy":
        return [Reference(1.0, "every training label fitted"), Reference(share, "guessing")]
    if name == "loss" and loss_of(result) == "cross_entropy":
        return [Reference(float(-np.log(share)), f"guessing: ln {round(1 / share)}")]
    return []


def nothing(result: ResultView, what: str) -> str:
    """Why a figure is empty: not recorded, or no run came that far."""
    states: dict[str, int] = {}
    for name in source.names(result):
        for state, many in result.states(name).items():
            states[state] = states.get(state, 0) + many
    if not states:
        return f"No {what} to draw: no run has been stored."
    said = ", ".join(f"{count(many)} {state}" for state, many in states.items())
    return f"No {what} to draw in {plural(sum(states.values()), 'run')} ({said})."


def drawn(
    shown: Sequence[Line], what: str, *, solid: str = "", diamonds: AbstractSet[bool] = frozenset()
) -> str:
    """What is drawn, in words: only what is there.

    Args:
        shown: The curves.
        what: The quantity in words.
        solid: The series that is drawn solid.
        diamonds: Whether published values are drawn, of the solid line (False) and of others (True).

    Returns:
        The words.
    """
    runs = sorted({line.curves.n for line in shown})
    n = count(runs[0]) if len(runs) == 1 else f"{count(runs[0])} to {count(runs[-1])}"
    conditions = len({line.condition for line in shown})
    splits = list(dict.fromkeys(line.split for line in shown if line.split))
    if runs == [1]:
        said = [
            f"{capital(what)} of one run{' per condition' if conditions > 1 else ''}, without an interval"
        ]
    else:
        each = " each" if conditions > 1 else ""
        said = [f"{capital(what)}: median and 10–90 % band over {n} runs{each}"]
        if any(line.curves.n <= SINGLE_RUNS for line in shown):
            said[0] += ", single runs pale behind"
    if splits:
        said += [_SOLID.get(solid.partition(".")[2], _SOLID[""]), *(_STROKES[split] for split in splits)]
    if diamonds:
        dashed = ", its outline dashed if not of the solid line" if True in diamonds else ""
        said.append(f"diamond: published value{dashed}")
    if any(line.curves.diverged for line in shown):
        said.append("×: a run diverged")
    return "; ".join(said)


def thinning(shown: Sequence[Line]) -> str:
    """How curves were thinned; empty where they were not."""
    recorded = max(line.curves.recorded for line in shown)
    most = max(len(line.curves.epochs) for line in shown)
    if recorded <= most:
        return ""
    return (
        f"Drawn at {count(most)} of {count(recorded)} recorded epochs, evenly spaced on the logarithmic axis; "
        f"of single runs, the lowest and the highest value in each of {run_bins(shown)} such intervals."
    )
