"""The figures of sensitivities: the quantities against what is varied, and minibatches of several sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradlab.report import measured, source
from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.panels import Diamond, Profile, arranged, headed, profiles, width_of
from gradlab.report.figures.strips import Row, strips
from gradlab.report.frame import Tables
from gradlab.report.numbers import number, plural
from gradlab.report.palette import styles
from gradlab.report.scales import scale_of
from gradlab.report.summary import median
from gradlab.report.view import ResultView
from gradlab.report.words import capital, listed, trace_name

__all__ = ["sensitivity_figures"]

Floats = NDArray[np.float64]
_QUANTITIES = {
    "sensitivity_batch": "sensitivity as reported (last minibatch)",
    "sensitivity.fixed": "the same on fixed data",
    "sensitivity.input_gradient": "gradient of the loss by the input",
    "sensitivity.jacobian": "Jacobian of the outputs by the input",
}
_SIZES = {"batch_size": "batch size", "optimizer.lr": "learning rate"}


def sensitivity_figures(result: ResultView) -> list[Figure]:
    """Four sensitivities side by side, then the norms on random minibatches."""
    rows = {name: source.rows(result, f"{name}@last", source.names(result)) for name in _QUANTITIES}
    rows = {name: kept for name, found in rows.items() if (kept := [row for row in found if _known(row)])}
    figures: list[Figure] = []
    if not any(name.startswith("sensitivity.") for name in rows):
        missing = "No run has a sensitivity."
        return [Figure("sensitivity", "Sensitivities", "", missing=missing)]
    levels = _levels(result)
    figures.append(_along(result, rows, *levels) if levels else _apart(result, rows))
    minibatches = _minibatches(result)
    return [*figures, minibatches] if minibatches else figures


def _known(row: Row) -> bool:
    return bool(np.isfinite(row.values).any())


def _levels(result: ResultView) -> tuple[str, dict[str, float]] | None:
    """The one factor whose levels are numbers, and the number of each condition; `None` where there is none."""
    shown = source.conditions(result)
    factors = {path for each in shown for path in each.levels}
    varied = [path for path in sorted(factors) if len({each.levels.get(path) for each in shown}) > 1]
    if len(varied) != 1 or len(shown) < 3:
        return None
    try:
        numbers = {each.name: float(each.levels[varied[0]].replace(",", "")) for each in shown}
    except (KeyError, ValueError):
        return None
    positive = all(value > 0 for value in numbers.values())
    return (varied[0], numbers) if positive and len(set(numbers.values())) == len(numbers) else None


def _along(result: ResultView, rows: dict[str, list[Row]], factor: str, numbers: dict[str, float]) -> Figure:
    """Medians with bands against the factor's number, both axes logarithmic."""
    words = _SIZES.get(factor, factor.replace(".", " ").replace("_", " "))
    looks = styles(list(rows))

    def draw(size: Size, tables: Tables) -> Node:
        columns = 2 if size.name == "wide" else 1
        width, height = width_of(size, columns), 190 if size.name == "wide" else 160
        x = _logarithmic(list(numbers.values()), words, size)
        panels: list[Node] = []
        for name, found in rows.items():
            places, table = _table(found, numbers)
            marks = [
                Diamond(name, numbers[row.condition], row.published[0], f"published, {row.condition}", False)
                for row in found
                if row.published
            ]
            values = np.concatenate([table[np.isfinite(table)], [mark.value for mark in marks]])
            panel = profiles(
                [Profile(name, places, table)],
                looks,
                size,
                tables,
                x=x,
                y=value_axis(values, "L2 norm"),
                width=width,
                height=height,
                diamonds=marks,
                dots=True,
            )
            panels.append(headed(panel, f"{looks[name].symbol} {_QUANTITIES[name]}", size, looks[name].label))
        return arranged(panels, columns)

    runs = max(len(row.values) for found in rows.values() for row in found)
    said = (
        f"After the last epoch: median and 10–90 % band over {plural(runs, 'run')} of each, single runs pale"
    )
    published = any(row.published for found in rows.values() for row in found)
    said += "; diamond: published value" if published else ""
    return Figure("sensitivity", _title(rows, numbers, words), said, draw=draw)


def _table(found: list[Row], numbers: dict[str, float]) -> tuple[Floats, Floats]:
    """Places in order, and one row a replicate."""
    order = sorted(found, key=lambda row: numbers[row.condition])
    units = sorted({int(unit) for row in order for unit in row.replicates})
    table = np.full((len(units), len(order)), np.nan)
    for at, row in enumerate(order):
        for unit, value in zip(row.replicates, row.values, strict=True):
            table[units.index(int(unit)), at] = value
    return np.array([numbers[row.condition] for row in order]), np.where(np.isfinite(table), table, np.nan)


def _logarithmic(values: list[float], title: str, size: Size) -> Axis:
    """A logarithmic axis with a tick at every level, or every second where there is no room."""
    order = sorted(values)
    low, high = order[0] / 1.25, order[-1] * 1.25
    axis = Axis(low, high, True, tuple(order), tuple(number(each, 6) for each in order), title)
    width = width_of(size, 2 if size.name == "wide" else 1)
    names: list[str] = []
    last = -1e9
    for value, name in zip(axis.ticks, axis.names, strict=True):
        place = float(axis.place(value, width))
        room = (len(name) + 1) * size.type * 0.62
        names.append(name if place - last >= room else "")
        last = place if names[-1] else last
    return Axis(low, high, True, axis.ticks, tuple(names), title)


def _title(rows: dict[str, list[Row]], numbers: dict[str, float], words: str) -> str:
    """What becomes of each quantity from the smallest level to the largest."""
    ends = [min(numbers, key=lambda name: numbers[name]), max(numbers, key=lambda name: numbers[name])]
    said: list[str] = []
    for name, found in rows.items():
        middle = {row.condition: median(row.values) for row in found}
        if all(end in middle and np.isfinite(middle[end]) and middle[end] > 0 for end in ends):
            ratio = middle[ends[1]] / middle[ends[0]]
            way = "rises" if ratio > 1 else "falls"
            said.append(f"{_QUANTITIES[name]} {way} {number(max(ratio, 1 / ratio), 2)} times")
    low, high = (number(numbers[end], 6) for end in ends)
    return f"From {words} {low} to {high}: {listed(said)}" if said else f"Sensitivity against {words}"


def _apart(result: ResultView, rows: dict[str, list[Row]]) -> Figure:
    """A strip of dots for each condition where nothing that varies is a number: of the first quantity there is."""
    looks = source.looks(result)
    name = next(name for name in ("sensitivity.jacobian", *rows) if name in rows)
    found = rows[name]
    said = listed([f"{row.condition} {scale_of(name).write(median(row.values))}" for row in found[:5]])
    return Figure(
        "sensitivity",
        f"Median {trace_name(name)}: {said}",
        "After the last epoch; one dot per run; bar: 95 % interval of the median",
        draw=lambda size, tables: strips(found, looks, size, tables, title=trace_name(name)),
    )


def _minibatches(result: ResultView) -> Figure | None:
    """The norm on random minibatches against their size, a line a condition."""
    found: list[Profile] = []
    for group in measured.groups(result, "sensitivity"):
        curves = measured.along(result, "sensitivity.minibatch", group)
        if curves is not None and len(curves.places) > 1:
            found.append(Profile(group, np.asarray(curves.places, float), curves.values, False, group))
    if not found:
        return None
    looks = source.looks(result)
    ratios = [each.summary[1][0] / each.summary[1][-1] for each in found]
    ends = [number(float(found[0].places[at]), 6) for at in (0, -1)]
    low, high = number(float(np.nanmin(ratios)), 2), number(float(np.nanmax(ratios)), 2)
    spread = f"{low} to {high} times" if low != high else f"{low} times"

    def draw(size: Size, tables: Tables) -> Node:
        values = np.concatenate([np.concatenate(each.summary) for each in found])
        return profiles(
            found,
            looks,
            size,
            tables,
            x=_logarithmic(found[0].places.tolist(), "size of the random minibatches", size),
            y=value_axis(values, "mean gradient norm of the parameter tensors (L2)"),
            width=size.plot,
            height=240 if size.name == "wide" else 200,
            dots=True,
            single=False,
        )

    runs = max(len(each.values) for each in found)
    return Figure(
        "sensitivity-minibatch",
        capital(
            f"the same networks give a norm {spread} larger on minibatches of {ends[0]} than of {ends[1]}"
        ),
        f"Mean over random minibatches, after the last epoch: median and 10–90 % band over {plural(runs, 'run')}",
        draw=draw,
    )
