"""The figures of minimal ratios and critical points: ratio against loss, and which points searches end on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gradlab.report import measured, source
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.ratios import Bar, Dots, bars, dotted
from gradlab.report.instrument_view import MeasuredView
from gradlab.report.numbers import count, plural, share
from gradlab.report.palette import Style, styles
from gradlab.report.scales import scale_of
from gradlab.report.summary import median
from gradlab.report.view import ResultView
from gradlab.report.words import capital, listed, trace_name

__all__ = ["CLASSES", "critical_figures", "ratio_figures"]

Floats = NDArray[np.float64]
CLASSES = {
    "minimum": "minimum",
    "saddle": "saddle",
    "degenerate": "degenerate",
    "kink": "pinned at a kink",
    "flat": "gradient flat, not zero",
    "dead": "dead",
    "constant": "constant",
    "": "not verified",
}
"""The classes of the points that searches end on, in words."""

_DEFINITIONS = {
    "hessian": "whole Hessian, float32",
    "layers": "layer by layer",
    "small_weights": "small weights",
    "inertia": "float64, zero band",
}


def class_of(found: MeasuredView) -> str:
    """The class of a point, in words; the first of those that hold."""
    for name, words in CLASSES.items():
        if name and float(measured.scalars([found], name)[0]) == 1:
            return words
    return CLASSES[""]


def _classes(result: ResultView) -> dict[tuple[str, int], str]:
    return {
        (group, int(each.unit)): class_of(each)
        for group in measured.groups(result, "critical_point")
        for each in measured.last(result, "critical_point", group)
    }


def _class_styles(present: Sequence[str]) -> dict[str, Style]:
    """A colour and a marker for each class: the same on every page."""
    return {name: style for name, style in styles(list(CLASSES.values())).items() if name in present}


def ratio_figures(result: ResultView) -> list[Figure]:
    """Ratio against loss in each definition, one dot a run."""
    loss = "loss" if "loss" in source.traces(result) else source.solid(result, "loss")
    conditions = list(measured.groups(result, "minimal_ratio"))
    taken = {group: measured.last(result, "minimal_ratio", group) for group in conditions}
    if not any(taken.values()):
        return [Figure("minimal-ratio", "Minimal ratios", "", missing="No run has a minimal ratio.")]
    classes = _classes(result)
    panels = [_panel(result, name, loss, taken, classes) for name in _DEFINITIONS]
    panels = [panel for panel in panels if panel.drawn.any()]
    if not panels:
        missing = "No run has both a minimal ratio and a loss."
        return [Figure("minimal-ratio", "Minimal ratios", "", missing=missing)]
    present = {look for panel in panels for look in panel.looks}
    looks = _class_styles(sorted(present)) if classes else source.looks(result)
    y_title = "share counted"
    x_title = trace_name(loss)
    lost = sum(len(found) for found in taken.values()) - max(int(panel.drawn.sum()) for panel in panels)
    said = [f"Four definitions of the minimal ratio against the {trace_name(loss)}, one dot per run"]
    if classes:
        said.append("colour and marker: where the search for a critical point from there ended")
    elif len(conditions) > 1:
        said.append("colour and marker by condition")
    if lost:
        said.append(f"{plural(lost, 'run')} without a finite loss not drawn")
    return [
        Figure(
            "minimal-ratio",
            _title(taken),
            "; ".join(said),
            draw=lambda size, tables: dotted(
                panels, looks, size, tables, x_title=x_title, y_title=y_title, keyed=bool(classes)
            ),
        )
    ]


def _panel(
    result: ResultView,
    name: str,
    loss: str,
    taken: dict[str, list[MeasuredView]],
    classes: dict[tuple[str, int], str],
) -> Dots:
    x: list[float] = []
    y: list[float] = []
    looks: list[str] = []
    said: list[str] = []
    for group, found in taken.items():
        sample = source.sample(result, f"{loss}@last", group)
        losses = (
            {int(k): float(v) for k, v in zip(sample.replicates, sample.values, strict=True)}
            if sample
            else {}
        )
        for each, ratio in zip(found, measured.scalars(found, name).tolist(), strict=True):
            unit = int(each.unit)
            x.append(losses.get(unit, float("nan")))
            y.append(ratio)
            kind = classes.get((group, unit), CLASSES[""])
            looks.append(kind if classes else group)
            said.append(f"{group}, replicate {unit}" + (f", {kind}" if classes else ""))
    return Dots(_DEFINITIONS[name], np.array(x), np.array(y), looks, said)


def _title(taken: dict[str, list[MeasuredView]]) -> str:
    """The medians of the definitions over all runs: how far apart they are."""
    write = scale_of("minimal_ratio.inertia").write
    every = [each for found in taken.values() for each in found]
    medians = {
        words: median(measured.scalars(every, name))
        for name, words in _DEFINITIONS.items()
        if np.isfinite(measured.scalars(every, name)).any()
    }
    said = listed([f"{write(value)} ({words})" for words, value in medians.items()])
    return f"The same networks have a median minimal ratio of {said}"


def critical_figures(result: ResultView) -> list[Figure]:
    """Which points the searches from the trained networks end on, as a bar a condition."""
    classes = _classes(result)
    what = "Where searches for a critical point end"
    if not classes:
        return [Figure("critical-point", what, "", missing="No search for a critical point has ended.")]
    rows = [
        Bar(group, _counts([kind for (of, _), kind in classes.items() if of == group]))
        for group in measured.groups(result, "critical_point")
    ]
    rows = [row for row in rows if row.counts]
    looks = _class_styles(sorted(set(classes.values())))
    return [
        Figure(
            "critical-point",
            _ended(rows),
            "Runs by the kind of point that minimising the gradient's norm ends on; "
            "only a point whose gradient vanishes is called a minimum, a saddle or degenerate",
            draw=lambda size, tables: bars(rows, looks, size, tables),
        )
    ]


def _counts(kinds: Sequence[str]) -> dict[str, int]:
    return {kind: kinds.count(kind) for kind in CLASSES.values() if kind in kinds}


def _ended(rows: Sequence[Bar]) -> str:
    """The commonest class of each condition."""
    said: list[str] = []
    for row in rows[:3]:
        total = sum(row.counts.values())
        kind = max(row.counts, key=lambda name: row.counts[name])
        whose = f"{row.condition} " if len(rows) > 1 else ""
        said.append(f"{whose}{kind}, {share(row.counts[kind], total)}")
    more = f"; {count(len(rows) - 3)} more conditions" if len(rows) > 3 else ""
    return capital(f"most searches end here: {'; '.join(said)}{more}")
