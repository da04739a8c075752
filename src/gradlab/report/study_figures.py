"""The figures of a study: losses, gradient norms, fits, first passages, flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradlab.report import findings, measured, source
from gradlab.report.axes import Node, Size
from gradlab.report.claim_figures import budgeted, slug
from gradlab.report.curve_figures import curve, drawn, nothing, thinning
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.fits import fits
from gradlab.report.figures.lines import lines
from gradlab.report.figures.shares import Proportion, shares
from gradlab.report.figures.strips import strips
from gradlab.report.frame import Tables, stacked
from gradlab.report.instrument_figures import instrument_figures
from gradlab.report.numbers import plural
from gradlab.report.scales import scale_of
from gradlab.report.sweeps import size_thumbnail, sweep_figures
from gradlab.report.view import ResultView
from gradlab.report.words import axis_name, capital, loss_of, quantity, quantity_words, trace_name

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
_KIN = {"sensitivity_batch": "sensitivity", "critical_point": "minimal_ratio"}
"""What shares the figure of an instrument."""
_NORMS = ("gradient_norm", "gradient_norm_batch", "gradient_norm_mean")


def study_figures(result: ResultView) -> list[Figure]:
    """All figures of a study but those of its claims, the main one first."""
    over_epochs = [] if source.sweep(result) else [*_gradients(result), *_others(result)]
    made = [
        *(sweep_figures(result) if source.sweep(result) else [_losses(result)]),
        *over_epochs,
        *instrument_figures(result),
        *_fits(result),
        *_passages(result),
        *_flags(result),
    ]
    first = main_figure(result, made)
    return budgeted(result, [first, *(figure for figure in made if figure is not first)])


def main_figure(result: ResultView, made: Sequence[Figure]) -> Figure:
    """The figure that shows the answer: the one that most claims are about; the losses where that is open."""
    drawn = [figure for figure in made if figure.draw]
    about = [q.name for verdict in result.verdicts for q in verdict.claim.test.quantities()]
    kinds = [kind for name in about if (kind := _KIN.get(name, name)) in measured.declared(result)]
    if kinds and (len(kinds) * 2 >= len(about) or _KIN.get(about[0], about[0]) == kinds[0]):
        first = str(max(kinds, key=kinds.count))
        own = [
            figure for figure in drawn if figure.name.partition("-")[0] == first.replace("_", " ").split()[0]
        ]
        if own:
            return own[0]
    gradients = [figure for figure in drawn if figure.name.startswith("gradient")]
    if gradients and sum(name in _NORMS for name in about) * 2 >= max(len(about), 1):
        return gradients[0]
    accuracies = [figure for figure in drawn if figure.name in {"accuracy", "accuracy-sizes"}]
    fit = source.guessing(result) is not None
    if accuracies and (fit or about.count("accuracy") > about.count("loss")):
        return accuracies[0]
    return next(iter(drawn), made[0])


def _losses(result: ResultView) -> Figure:
    return curve(result, "loss", height=(310, 250))


def _gradients(result: ResultView) -> list[Figure]:
    return [_twin(result, norm) for norm in source.traces(result) if norm in _NORMS]


def _twin(result: ResultView, norm: str) -> Figure:
    below = source.lines(result, norm)
    name = slug(norm)
    if not below:
        return Figure(name, capital(trace_name(norm)), "", missing=nothing(result, trace_name(norm)))
    above = [line for line in source.lines(result, "loss") if not line.split]
    last = source.horizon(result)
    looks = source.looks(result)
    pairs = [
        (loss, series)
        for condition in source.names(result)
        if (loss := source.series(result, source.solid(result, "loss"), condition))
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
            title=axis_name(source.solid(result, "loss"), loss_of(result)),
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
        + drawn(below, trace_name(norm), diamonds={False} if marks else set()),
        draw=draw,
        note=thinning(below),
    )


def _others(result: ResultView) -> list[Figure]:
    """Every other series that was recorded, each with its held-out sets."""
    done = {"loss", *_NORMS}
    names = dict.fromkeys(trace.partition(".")[0] for trace in source.traces(result))
    return [
        curve(result, name, height=(240, 210))
        for name in names
        if name not in done and quantity(source.solid(result, name)).known.shape == "series"
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
    goal = scale_of(wanted.trace).write(wanted.threshold)
    title = findings.passed(rows, goal, trace_name(wanted.trace))
    way = "under" if wanted.known.worst == "high" else "at"
    subtitle = f"First epoch at which each run is {way} the threshold; tick: median, bar: its 95 % interval"
    if any(row.published for row in rows):
        subtitle += "; diamond: published value"
    if not any(np.isfinite(row.values).any() for row in rows):
        runs = sum(len(row.values) for row in rows)
        within = f"within {plural(source.horizon(result), 'epoch')}"
        missing = f"None of {plural(runs, 'run')} reached {scale_of(wanted.trace).table(wanted.threshold)} {within}."
        return Figure(name, title, subtitle, missing=missing)
    looks = source.looks(result)
    return Figure(
        name,
        title,
        subtitle,
        draw=lambda size, tables: strips(
            rows, looks, size, tables, title=what, scale=scale_of(wanted), epochs=True
        ),
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
    """The main quantity without words, for overviews: medians and bands only."""
    if source.sweep(result):
        found = size_thumbnail(result, name)
        return found or Figure(name, result.study.title, "", missing=nothing(result, "training loss"))
    about = [q.name for verdict in result.verdicts for q in verdict.claim.test.quantities()]
    shown = source.lines(result, "accuracy") if about.count("accuracy") > about.count("loss") else []
    of = "accuracy" if shown else "loss"
    shown = shown or source.lines(result, "loss")
    looks, scale = source.looks(result), scale_of(of)
    if not shown:
        return Figure(name, result.study.title, "", missing=nothing(result, "training loss"))
    last = source.horizon(result)
    solid = [line for line in shown if not line.split]
    return Figure(
        name,
        findings.ended(
            solid, trace_name(source.solid(result, of)), low_is_good=of == "loss", write=scale.write
        ),
        "",
        draw=lambda size, tables: lines(
            shown, looks, size, tables, title="", height=130, last=last, scale=scale, labelled=False
        ),
    )
