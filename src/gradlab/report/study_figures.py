"""The figures of a study: losses, gradient norms, fits, first passages, flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradlab.report import findings, source
from gradlab.report.axes import Node, Size
from gradlab.report.claim_figures import budgeted, slug
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.fits import fits
from gradlab.report.figures.lines import SINGLE_RUNS, Line, lines, run_bins
from gradlab.report.figures.shares import Proportion, shares
from gradlab.report.figures.strips import strips
from gradlab.report.frame import Tables, stacked
from gradlab.report.numbers import count, number, plural
from gradlab.report.view import ResultView
from gradlab.report.words import axis_name, capital, quantity, quantity_words, trace_name

__all__ = ["FLAGS", "flag_counts", "main_figure", "study_figures", "thumbnail"]

FLAGS = {
    "constant": "predict a constant",
    "dead": "are dead",
    "diverged": "diverged",
}
"""What is flagged, in words."""

_WORTH_DRAWING = 0.1
"""Rarer flags are in the table only."""

_FITTED = "grey: the function; colour: median prediction with 10–90 % band over runs"
_NORMS = ("gradient_norm", "gradient_norm_batch", "gradient_norm_mean")


def study_figures(result: ResultView) -> list[Figure]:
    """All figures of a study but those of its claims, the main one first."""
    made = [
        _losses(result),
        *_gradients(result),
        *_others(result),
        *_fits(result),
        *_passages(result),
        *_flags(result),
    ]
    first = main_figure(result, made)
    return budgeted(result, [first, *(figure for figure in made if figure is not first)])


def main_figure(result: ResultView, made: Sequence[Figure]) -> Figure:
    """The figure that shows the answer: gradient norms where half of the claims are about them, else losses."""
    about = [q.name for verdict in result.verdicts for q in verdict.claim.test.quantities()]
    gradients = [figure for figure in made if figure.name.startswith("gradient") and figure.draw]
    if gradients and sum(name in _NORMS for name in about) * 2 >= max(len(about), 1):
        return gradients[0]
    return next((figure for figure in made if figure.draw), made[0])


def _losses(result: ResultView) -> Figure:
    return _curve(result, "loss", height=(310, 250))


def _curve(result: ResultView, trace: str, height: tuple[int, int]) -> Figure:
    shown = source.lines(result, trace)
    what = trace_name(trace)
    if not shown:
        return Figure(trace, capital(what), "", missing=_nothing(result, what))
    last = source.horizon(result)
    marks = source.marks(result, trace, last)
    looks = source.looks(result)
    title = axis_name(trace, _loss(result))
    return Figure(
        slug(trace),
        findings.ended(shown, what, low_is_good=not trace.startswith(("accuracy", "tolerance"))),
        _drawn(result, shown, what, diamonds=bool(marks)),
        draw=lambda size, tables: lines(
            shown,
            looks,
            size,
            tables,
            title=title,
            height=height[0] if size.name == "wide" else height[1],
            last=last,
            marks=marks,
        ),
        note=_thinning(shown),
    )


def _loss(result: ResultView) -> str:
    found = source.conditions(result)
    return str(getattr(found[0].spec, "loss", "mse")) if found else "mse"


def _nothing(result: ResultView, what: str) -> str:
    """Why a figure is empty: not recorded, or no run came that far."""
    states: dict[str, int] = {}
    for name in source.names(result):
        for state, many in result.states(name).items():
            states[state] = states.get(state, 0) + many
    if not states:
        return f"No {what} to draw: no run has been stored."
    said = ", ".join(f"{count(many)} {state}" for state, many in states.items())
    return f"No {what} to draw in {plural(sum(states.values()), 'run')} ({said})."


def _drawn(result: ResultView, shown: Sequence[Line], what: str, *, diamonds: bool = False) -> str:
    """What is drawn, in words: only what is there."""
    runs = sorted({line.curves.n for line in shown})
    n = count(runs[0]) if len(runs) == 1 else f"{count(runs[0])} to {count(runs[-1])}"
    if runs == [1]:
        said = [f"{capital(what)} of one run per condition, without an interval"]
    else:
        said = [
            f"{capital(what)}: median and 10–90 % band over {n} runs" + (" each" if len(shown) > 1 else "")
        ]
        if any(line.curves.n <= SINGLE_RUNS for line in shown):
            said[0] += ", single runs pale behind"
    splits = [line.split for line in shown if line.split]
    if splits:
        said.append(f"solid: training, dashed: {splits[0]} (median)")
    if diamonds:
        said.append("diamond: published value")
    if any(line.curves.diverged for line in shown):
        said.append("×: a run diverged")
    return "; ".join(said)


def _thinning(shown: Sequence[Line]) -> str:
    recorded = max(line.curves.recorded for line in shown)
    drawn = max(len(line.curves.epochs) for line in shown)
    if recorded <= drawn:
        return ""
    return (
        f"Drawn at {count(drawn)} of {count(recorded)} recorded epochs, evenly spaced on the logarithmic axis; "
        f"of single runs, the lowest and the highest value in each of {run_bins(shown)} such intervals."
    )


def _gradients(result: ResultView) -> list[Figure]:
    return [_twin(result, norm) for norm in source.traces(result) if norm in _NORMS]


def _twin(result: ResultView, norm: str) -> Figure:
    below = source.lines(result, norm)
    name = slug(norm)
    if not below:
        return Figure(name, capital(trace_name(norm)), "", missing=_nothing(result, trace_name(norm)))
    above = [line for line in source.lines(result, "loss") if not line.split]
    last = source.horizon(result)
    looks = source.looks(result)
    pairs = [
        (loss, series)
        for condition in source.names(result)
        if (loss := source.series(result, "loss", condition))
        and (series := source.series(result, norm, condition))
    ]

    def draw(size: Size, tables: Tables) -> Node:
        heights = (170, 220) if size.name == "wide" else (140, 180)
        lower = lines(
            below,
            looks,
            size,
            tables,
            title=axis_name(norm),
            height=heights[1],
            last=last,
            marks=source.marks(result, norm, last),
        )
        if not above:
            return lower
        upper = lines(
            above,
            looks,
            size,
            tables,
            title=axis_name("loss", _loss(result)),
            height=heights[0],
            last=last,
            foot=False,
            single=False,
        )
        return stacked([upper, lower], spacing=26)

    marks = source.marks(result, norm, last)
    title = findings.correlation(pairs) if pairs else findings.ended(below, trace_name(norm))
    return Figure(
        name,
        title,
        ("Loss above, gradient norm below, at the weights before the step. " if above else "")
        + _drawn(result, below, trace_name(norm), diamonds=bool(marks)),
        draw=draw,
        note=_thinning(below),
    )


def _others(result: ResultView) -> list[Figure]:
    """Every other series that was recorded, each with its held-out sets."""
    done = {"loss", *_NORMS}
    return [
        _curve(result, trace, height=(240, 210))
        for trace in source.traces(result)
        if trace not in done and "." not in trace and quantity(trace).known.shape == "series"
    ]


def _fits(result: ResultView) -> list[Figure]:
    shown = source.fits(result)
    if not shown:
        return []
    lost = sum(int((~np.isfinite(fit.outputs).all(axis=1)).sum()) for fit in shown)
    one = max(len(fit.outputs) for fit in shown) == 1
    said = "grey: the function; colour: prediction of the one run" if one else _FITTED
    if lost:
        said += f"; {plural(lost, 'diverged run')} not drawn"
    looks = source.looks(result)
    alive = [fit for fit in shown if np.isfinite(fit.outputs).all(axis=1).any()]
    if not alive:
        return [Figure("fits", "No fit to draw", said, missing="Every run diverged.")]
    return [
        Figure(
            "fits",
            findings.fitted(shown),
            capital(said),
            draw=lambda size, tables: fits(alive, looks, size, tables),
        )
    ]


def _passages(result: ResultView) -> list[Figure]:
    wanted: dict[str, Any] = {}
    for item in (*result.study.record, *(q for v in result.verdicts for q in v.claim.quantities())):
        found = quantity(item)
        if found.reducer == "epochs_to" and found.where is None:
            wanted.setdefault(str(found), found)
    return [figure for found in wanted.values() if (figure := _passage(result, found)) is not None]


def _passage(result: ResultView, wanted: Any) -> Figure | None:
    rows = source.rows(result, wanted, source.names(result))
    if not rows:
        return None
    what = quantity_words(wanted)
    name = slug(str(wanted))
    title = findings.passed(rows, wanted.threshold, trace_name(wanted.trace))
    subtitle = "First epoch at which each run is under the threshold; tick: median, bar: its 95 % interval"
    if any(row.published for row in rows):
        subtitle += "; diamond: published value"
    if not any(np.isfinite(row.values).any() for row in rows):
        runs = sum(len(row.values) for row in rows)
        within = f"within {plural(source.horizon(result), 'epoch')}"
        missing = f"None of {plural(runs, 'run')} reached {number(wanted.threshold)} {within}."
        return Figure(name, title, subtitle, missing=missing)
    looks = source.looks(result)
    return Figure(
        name,
        title,
        subtitle,
        draw=lambda size, tables: strips(rows, looks, size, tables, title=what, epochs=True),
    )


def flag_counts(result: ResultView) -> dict[str, list[Proportion]]:
    """Flagged runs by flag, one proportion a condition."""
    table: dict[str, list[Proportion]] = {}
    for name in source.names(result):
        total = sum(result.states(name).values())
        for flag, hits in result.flags(name).items():
            table.setdefault(flag, []).append(Proportion(name, int(hits), total))
    return table


def _flags(result: ResultView) -> list[Figure]:
    looks = source.looks(result)
    found: list[Figure] = []
    for flag, rows in flag_counts(result).items():
        kept = [row for row in rows if row.total]
        if not any(row.hits >= _WORTH_DRAWING * row.total for row in kept):
            continue
        words = FLAGS.get(flag, flag.replace("_", " "))
        found.append(
            Figure(
                f"flag-{slug(flag)}",
                findings.shared(kept, words),
                "Share of runs with exact 95 % interval (Clopper-Pearson)",
                draw=_share_chart(kept, looks, f"share of runs that {words}"),
            )
        )
    return found


def _share_chart(rows: Sequence[Proportion], looks: Any, title: str) -> Callable[[Size, Tables], Node]:
    return lambda size, tables: shares(rows, looks, size, tables, title=title)


def thumbnail(result: ResultView, name: str = "thumb") -> Figure:
    """The losses without words, for overviews: medians and bands only."""
    shown = source.lines(result, "loss")
    looks = source.looks(result)
    if not shown:
        return Figure(name, result.study.title, "", missing=_nothing(result, "training loss"))
    last = source.horizon(result)
    return Figure(
        name,
        findings.ended(shown, "training loss"),
        "",
        draw=lambda size, tables: lines(
            shown, looks, size, tables, title="", height=130, last=last, labelled=False
        ),
    )
