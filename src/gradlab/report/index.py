"""Many studies on one page: a wall of verdicts, report by report, and a card with a figure for each study."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradlab.report import source
from gradlab.report.axes import THUMB
from gradlab.report.claim_figures import slug
from gradlab.report.entries import Entry, answer, entries, tally
from gradlab.report.figures.figure import Figure
from gradlab.report.numbers import duration, plural
from gradlab.report.page import save, template
from gradlab.report.palette import Style
from gradlab.report.study_figures import thumbnail
from gradlab.report.view import ResultView

__all__ = ["page_name", "render_index", "save_index"]


@dataclass(frozen=True)
class Cell:
    """One verdict on the wall."""

    entry: Entry
    label: str
    href: str
    title: str


@dataclass(frozen=True)
class Card:
    """One study."""

    title: str
    short: str
    href: str
    answer: str
    thumb: Figure
    svg: Any
    key: Sequence[Style]
    more: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Group:
    """The studies of one report."""

    title: str
    brief: str
    cells: Sequence[Cell]
    cards: Sequence[Card]


def page_name(result: ResultView) -> str:
    """The file name of a study's page, from its source or else its title.

    Example:
        `reports/002/sim-sinc` becomes `reports-002-sim-sinc.html`.
    """
    source_name = result.study.source
    name = Path(source_name).with_suffix("").as_posix() if source_name else result.study.title
    return f"{slug(name)}.html"


def render_index(
    results: Sequence[ResultView],
    *,
    title: str = "What holds up",
    links: Mapping[int, str] | None = None,
    elapsed: float | None = None,
) -> str:
    """The overview of many studies.

    Args:
        results: The studies, in the order in which they are shown.
        title: The headline.
        links: Address of each study's page by its place in `results`; `page_name` by default.
        elapsed: Seconds that everything took together.

    Returns:
        HTML that stands by itself; verdicts link to the pages of their studies.
    """
    names = _addresses(results) if links is None else dict(links)
    made = [(_group_of(result), _card(result, names[place], place)) for place, result in enumerate(results)]
    groups: list[Group] = []
    for name in sorted({name for name, _ in made}, key=lambda name: (name == _OTHER, name)):
        cards = [card for group, card in made if group == name]
        cells = _sorted([(card, cell) for card in cards for cell in card.cells])
        groups.append(
            Group(
                name, f"{plural(len(cards), 'study', 'studies')}, {plural(len(cells), 'claim')}", cells, cards
            )
        )
    everything = [cell.entry for group in groups for cell in group.cells]
    budgets = list(dict.fromkeys(f"{result.budget} budget" for result in results))
    runs = sum(len(result.plan.runs) for result in results)
    adjusted = any(verdict.adjusted for result in results for verdict in result.verdicts)
    said = (
        "Decisions hold over all claims of a report (Holm)."
        if adjusted
        else "Verdicts are not adjusted for their number."
    )
    index = {
        "title": title,
        "budget": " and ".join(budgets) or "no study",
        "answer": _answer(results, everything),
        "tally": tally(everything),
        "groups": groups,
        "family": said if everything else "",
        "made": " · ".join([plural(runs, "run"), *([duration(elapsed)] if elapsed is not None else [])]),
    }
    return template("index.html.j2", title=f"{title} · gradlab", index=index)


def save_index(
    results: Sequence[ResultView],
    folder: str | Path,
    *,
    title: str = "What holds up",
    elapsed: float | None = None,
) -> Path:
    """Write the overview as `index.html` and the page of every study beside it.

    Args:
        results: The studies.
        folder: Where to; made if it is not there.
        title: The headline.
        elapsed: Seconds that everything took together.

    Returns:
        The absolute path of the overview.
    """
    target = Path(folder).resolve()
    target.mkdir(parents=True, exist_ok=True)
    names = _addresses(results)
    for place, result in enumerate(results):
        save(result, target / names[place], home="index.html")
    index = target / "index.html"
    index.write_text(render_index(results, title=title, links=names, elapsed=elapsed), encoding="utf-8")
    return index


_OTHER = "Other studies"
_NAMED = 4
"""Up to this many conditions are named on a card."""


def _addresses(results: Sequence[ResultView]) -> dict[int, str]:
    """One file name a study, never twice the same and never that of the overview."""
    taken = {"index.html"}
    found: dict[int, str] = {}
    for place, result in enumerate(results):
        name, copy = page_name(result), 2
        while name in taken:
            name, copy = f"{page_name(result).removesuffix('.html')}-{copy}.html", copy + 1
        taken.add(name)
        found[place] = name
    return found


def _group_of(result: ResultView) -> str:
    report = getattr(result.study, "report", None)
    return f"Report {report}" if report else _OTHER


def _sorted(cells: Sequence[tuple[Card, Cell]]) -> list[Cell]:
    """The verdicts of a report by claim; a claim that several studies test says which study it is."""
    labels = [cell.label for _, cell in cells]
    named = [
        replace(cell, label=f"{cell.label} {card.short}")
        if labels.count(cell.label) > 1 or not cell.entry.id
        else cell
        for card, cell in cells
    ]
    return sorted(
        named,
        key=lambda cell: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", cell.label)],
    )


def _card(result: ResultView, href: str, place: int) -> Card:
    shown = entries(result)
    looks = list(source.looks(result).values())
    drawn = thumbnail(result, f"thumb-{place}")
    cells = [
        Cell(
            entry,
            entry.id or f"claim {number}",
            f"{href}#{entry.anchor}",
            f"{entry.outcome.word}: {entry.words} ({result.study.title})",
        )
        for number, entry in enumerate(shown, start=1)
    ]
    return Card(
        title=result.study.title,
        short=_short(result),
        href=href,
        answer=answer(result, shown, most=90),
        thumb=drawn,
        svg=drawn.svg(THUMB),
        key=looks if len(looks) <= _NAMED else [],
        more="" if len(looks) <= _NAMED else plural(len(looks), "condition"),
        cells=cells,
    )


def _short(result: ResultView) -> str:
    """A study in a word: the last part of its source, or of its title."""
    return Path(result.study.source).stem if result.study.source else result.study.title[:24]


def _answer(results: Sequence[ResultView], shown: Sequence[Entry]) -> str:
    runs = sum(len(result.plan.runs) for result in results)
    studies = plural(len(results), "study", "studies")
    if not results:
        return "No study has been run."
    head = f"{plural(len(shown), 'claim')} put to the test in {studies} with {plural(runs, 'network')}"
    return f"{head}."
