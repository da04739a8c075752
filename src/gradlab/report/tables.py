"""The tables of a page: settings, assumptions, statements, published values, flags, environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gradlab.report import source
from gradlab.report.measured import failures
from gradlab.report.numbers import count, interval, percent, share
from gradlab.report.scales import PLAIN, Scale, scale_of
from gradlab.report.study_figures import FLAGS, flag_counts
from gradlab.report.summary import clopper_pearson, median, median_interval
from gradlab.report.view import ResultView
from gradlab.report.words import quantity, quantity_words
from gradlab.study.quantity import GrammarError

__all__ = [
    "Table",
    "assumed",
    "environment",
    "flags",
    "published",
    "refused",
    "settings",
    "stated",
    "text_of",
]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        head: Names of the columns.
        rows: Cells, a row at a time; the first names the row.
        numeric: Columns that are set flush right.
        caption: What the table shows.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    caption: str = ""


def text_of(value: object) -> str:
    """A setting as text: exact, since settings are no measurements.

    Example:
        >>> text_of((5, 10)), text_of(1e-3), text_of(20000), text_of(True), text_of(None)
        ('5, 10', '0.001', '20,000', 'yes', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in cast("Sequence[object]", value)) or "none"
    return str(value)


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """A tree as key paths and texts; a component's kind stands at its own path."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        here = path if key == "kind" and path else f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            flat |= _flat(cast("Mapping[str, Any]", value), here) or {here: "none"}
        elif key != "kind" or path:
            flat[here] = text_of(value)
    return flat


def settings(result: ResultView) -> tuple[Table, Table]:
    """Exact settings: what all conditions share, and what differs, parameter counts included."""
    shown = source.conditions(result)
    flats = {condition.name: _flat(condition.spec.tree()) for condition in shown}
    for condition in shown:
        flats[condition.name]["epochs"] = count(int(condition.epochs))
        flats[condition.name]["parameters"] = count(int(result.parameters(condition.name)))
    keys = list(dict.fromkeys(key for flat in flats.values() for key in flat))
    same = [key for key in keys if len({flat.get(key) for flat in flats.values()}) == 1]
    common = tuple((key, next(iter(flats.values()))[key]) for key in same)
    common += (("replicates", count(source.replicates(result))),)
    differ = [key for key in keys if key not in same]
    if len(shown) > 5 >= len(differ):
        head = ("condition", *differ)
        rows = tuple((name, *(flat.get(key, "–") for key in differ)) for name, flat in flats.items())
    else:
        head = ("setting", *flats)
        rows = tuple((key, *(flat.get(key, "–") for flat in flats.values())) for key in differ)
    return (
        Table(("setting", "value"), common, caption="The same in every condition"),
        Table(head, rows, caption="What differs"),
    )


def stated(result: ResultView) -> Table | None:
    """What a report states where the study's settings differ."""
    if not result.study.stated:
        return None
    flats = [_flat(condition.spec.tree()) for condition in source.conditions(result)]
    rows: list[tuple[str, ...]] = []
    for key, said in result.study.stated.items():
        used = list(dict.fromkeys(flat[key] for flat in flats if key in flat))
        if not used:
            own = getattr(result.study, key, None)
            used = [text_of(own)] if isinstance(own, int | float | str) else ["–"]
        rows.append((key, str(said), " / ".join(used)))
    return Table(("setting", "stated", "used here"), tuple(rows))


def assumed(result: ResultView) -> Table | None:
    """What the report leaves open, with the levels that were tried."""
    if not result.study.assumed:
        return None
    flats = [_flat(condition.spec.tree()) for condition in source.conditions(result)]
    rows: list[tuple[str, ...]] = []
    for key, item in result.study.assumed.items():
        used = list(dict.fromkeys(flat[key] for flat in flats if key in flat)) or ["–"]
        rows.append((key, " / ".join(used), ", ".join(item.levels), item.why))
    return Table(("setting", "used", "also tried", "why it is open"), tuple(rows))


def refused(result: ResultView) -> Table | None:
    """What instruments could not measure: how often, and why."""
    found = Counter((each.kind, each.group, each.text) for each in failures(result))
    if not found:
        return None
    rows = tuple(
        (kind.replace("_", " "), group, count(many), text) for (kind, group, text), many in found.items()
    )
    return Table(("instrument", "of", "times", "why"), rows, numeric=frozenset({2}))


def published(result: ResultView) -> Table | None:
    """Published numbers beside the distribution over runs, with their rank in it; by network for many networks."""
    if not result.study.published:
        return None
    if source.sweep(result):
        return _by_network(result)
    rows: list[tuple[str, ...]] = []
    for item in result.study.published:
        found, scale, words = _measured(result, item)
        defined = found[~np.isnan(found)]
        measured = spread = rank = "–"
        if len(defined):
            measured = f"{scale.table(median(defined))} {interval(median_interval(defined), write=scale.table)}".strip()
            ends = [float(defined.min()), float(defined.max())]
            spread = " to ".join(_end(end, words, scale) for end in ends)
            rank = f"{count(int((defined < float(item.value)).sum()))} of {count(len(defined))}"
        rows.append((item.condition, words, _given(item, scale), measured, spread, rank, item.note))
    head = ("condition", "quantity", "published", "median [95 %]", "lowest to highest", "runs below", "where")
    notes = any(row[-1] for row in rows)
    kept = tuple(row if notes else row[:-1] for row in rows)
    caption = source.budget_words(result).capitalize() if result.budget == "quick" else ""
    return Table(head if notes else head[:-1], kept, numeric=frozenset({2, 3, 4, 5}), caption=caption)


def _measured(result: ResultView, item: Any) -> tuple[NDArray[np.float64], Scale, str]:
    """Our values of a published quantity, how they are written, and what they are; none past the horizon."""
    try:
        wanted = quantity(item.quantity)
    except GrammarError:
        return np.empty(0), PLAIN, str(item.quantity)
    beyond = isinstance(wanted.at, int) and wanted.at > source.horizon(result)
    values = None if beyond else source.sample(result, item.quantity, item.condition)
    found = np.empty(0) if values is None else np.asarray(values.values, dtype=float)
    return found, scale_of(wanted), quantity_words(wanted)


def _given(item: Any, scale: Scale) -> str:
    """A published value; its error where the digits shown do not already say it."""
    given, told = float(item.value), scale.table(float(item.value))
    if item.read_error <= abs(given) / 200:
        return told
    error = scale.table(float(item.read_error))
    return f"{told} ± {error}"


def _end(value: float, words: str, scale: Scale) -> str:
    return scale.table(value) if np.isfinite(value) or words.startswith("epoch") else "diverged"


def _by_network(result: ResultView) -> Table:
    """One row a network, the smallest first; in each cell the published value and the median of the runs."""
    sizes = sorted(source.sweep(result).items(), key=lambda item: item[1])
    wanted = list(dict.fromkeys(item.quantity for item in result.study.published))
    given = {(item.condition, item.quantity): item for item in result.study.published}
    head = ["network", "parameters"]
    columns: list[list[str]] = []
    for name in wanted:
        words = quantity_words(quantity(name)).removeprefix("final ")
        head += [f"{words}, published", "median"]
        told: list[str] = []
        ours: list[str] = []
        for condition, _ in sizes:
            item = given.get((condition, name))
            found, scale, _ = _measured(result, item) if item else (np.empty(0), PLAIN, "")
            defined = found[~np.isnan(found)]
            told.append(_given(item, scale) if item else "–")
            ours.append(scale.table(median(defined)) if len(defined) else "–")
        columns += [told, ours]
    rows = tuple(
        (condition, count(parameters), *(column[row] for column in columns))
        for row, (condition, parameters) in enumerate(sizes)
    )
    caption = source.budget_words(result).capitalize() if result.budget == "quick" else ""
    return Table(tuple(head), rows, numeric=frozenset(range(1, len(head))), caption=caption)


def flags(result: ResultView) -> Table | None:
    """Shares of flagged runs with their exact intervals; `None` where nothing is flagged anywhere."""
    counted = flag_counts(result)
    if not any(row.hits for rows in counted.values() for row in rows):
        return None
    cells: dict[str, list[str]] = {}
    for rows in counted.values():
        for row in rows:
            low, high = (percent(bound) for bound in clopper_pearson(row.hits, row.total))
            said = f"{share(row.hits, row.total)} [{low}, {high}]" if row.total else "no runs"
            cells.setdefault(row.condition, []).append(said)
    head = ("condition", *(FLAGS.get(flag, flag.replace("_", " ")) for flag in counted))
    return Table(
        head, tuple((name, *said) for name, said in cells.items()), caption="Runs, share and 95 % interval"
    )


def environment(result: ResultView) -> Table:
    """Machine and libraries."""
    flat = _flat(dict(result.environment))
    return Table(("what", "value"), tuple(flat.items()))
