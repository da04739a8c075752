"""One study as one self-contained HTML page: question, answer, figure and verdicts first, method last.

The page opens from file:// under a strict content security policy: no script, no network, styles and figures
inside. Text from studies is escaped by the templates; only the figures, made here, go in as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gradlab.report import source, tables
from gradlab.report.claim_figures import claim_figures
from gradlab.report.entries import answer, entries
from gradlab.report.figures.figure import Figure
from gradlab.report.numbers import count, duration, plural
from gradlab.report.palette import Style, css_variables
from gradlab.report.study_figures import study_figures
from gradlab.report.tables import Table
from gradlab.report.view import ResultView

__all__ = ["render", "save", "template"]

_IDS_SHOWN = 200
_LABELLED, _LETTERS = 8, 8


@dataclass(frozen=True)
class Fold:
    """A folded part of the page."""

    anchor: str
    title: str
    brief: str = ""
    paragraphs: Sequence[str] = ()
    code: Sequence[str] = ()
    tables: Sequence[Table] = ()
    items: Sequence[str] = ()
    mono: bool = False


@dataclass(frozen=True)
class Page:
    """What the template of a study shows."""

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("gradlab.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    shades: dict[str, Any] = {"light": Markup(css_variables()), "dark": Markup(css_variables(dark=True))}
    found.globals.update(shades)
    return found


def template(name: str, **values: Any) -> str:
    """A template of this room, filled in; every value is escaped unless it is `Markup`."""
    return _environment().get_template(name).render(**values)


def render(result: ResultView, *, home: str = "") -> str:
    """The page of a study.

    Args:
        result: What to show.
        home: Address of the overview that the page belongs to; empty for none.

    Returns:
        HTML that stands by itself.
    """
    shown = entries(result)
    main, *figures = study_figures(result)
    page = {
        "home": home,
        "source": result.study.source or "",
        "budget": source.budget_words(result),
        "title": result.study.title,
        "question": result.study.question if result.study.question != result.study.title else "",
        "answer": answer(result, shown),
        "key": _key(result),
        "main": main,
        "entries": shown,
        "claim_figures": [
            claim_figures(result, verdict.claim, f"claim-{entry.anchor}")
            for entry, verdict in zip(shown, result.verdicts, strict=True)
        ],
        "family": _family(result),
        "figures": figures,
        "published": tables.published(result),
        "flags": tables.flags(result),
        "refused": tables.refused(result),
        "folds": _folds(result, [main, *figures]),
        "made": _made(result),
    }
    return template("study.html.j2", title=f"{result.study.title} · gradlab", page=Page(page))


def save(result: ResultView, path: str | Path, *, home: str = "") -> Path:
    """Write the page of a study; folders are made.

    Args:
        result: What to show.
        path: The file.
        home: Address of the overview that the page belongs to.

    Returns:
        The absolute path of the file.
    """
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(result, home=home), encoding="utf-8")
    return target


def _key(result: ResultView) -> list[Style]:
    """The conditions' colours and markers, where names do not fit at the ends of lines."""
    if source.sweep(result):
        return []
    looks = list(source.looks(result).values())
    return looks if len(looks) > _LABELLED or any(len(style.name) > _LETTERS for style in looks) else []


def _family(result: ResultView) -> str:
    """What the verdicts of this page are, in one line."""
    adjusted = any(verdict.adjusted for verdict in result.verdicts)
    said = (
        "Decisions hold over the family of all claims (Holm)."
        if adjusted
        else "Each verdict stands by itself: not adjusted for the number of claims."
    )
    wrong = "A false ‘supported’ or a false ‘contradicted’ happens in at most 5 % of studies each."
    return f"{wrong} {said} {source.budget_words(result).capitalize()}."


def _made(result: ResultView) -> str:
    parts = [plural(len(result.plan.runs), "run")]
    if result.elapsed is not None:
        parts.append(duration(result.elapsed))
    if result.digest:
        parts.append(f"results {result.digest[:12]}")
    return " · ".join(parts)


def _folds(result: ResultView, figures: Sequence[Figure]) -> list[Fold]:
    study = result.study
    common, differ = tables.settings(result)
    found = [
        Fold(
            "settings", "Exact settings", _brief(result), tables=[differ, common] if differ.rows else [common]
        )
    ]
    open_ = tables.assumed(result)
    if open_:
        text = "One level at a time differs from the study as declared; a verdict stands only if all settings agree."
        found.append(
            Fold("assumed", "What was assumed", plural(len(open_.rows), "setting"), [text], tables=[open_])
        )
    differing = tables.stated(result)
    if differing:
        found.append(
            Fold("stated", "Stated and used", plural(len(differing.rows), "difference"), tables=[differing])
        )
    if study.quirks:
        text = "Done on purpose, because the report did it; nobody should copy it."
        found.append(
            Fold("quirks", "Quirks", plural(len(study.quirks), "quirk"), [text], items=list(study.quirks))
        )
    notes = [part.strip() for part in study.notes.split("\n\n") if part.strip()] + list(result.notes)
    if notes:
        found.append(Fold("notes", "Notes", paragraphs=notes))
    drawn = list(dict.fromkeys(figure.note for figure in figures if figure.note))
    if drawn:
        found.append(Fold("drawing", "How the figures are drawn", paragraphs=drawn))
    found.append(Fold("environment", "Environment", tables=[tables.environment(result)]))
    again = "The same command continues where it stopped and computes only what is missing."
    found.append(
        Fold(
            "again",
            "How to run this again",
            code=[result.command] if result.command else [],
            paragraphs=[again],
        )
    )
    runs = list(result.plan.runs)
    ids = [f"{run.id} {run.condition} {run.replicate}" for run in runs[:_IDS_SHOWN]]
    more = (
        [f"The first {count(_IDS_SHOWN)} of {count(len(runs))}; gradlab runs lists all."]
        if len(runs) > _IDS_SHOWN
        else []
    )
    digest = [f"Digest of all results: {result.digest}"] if result.digest else []
    text = "A run's id hashes what determines its weights; equal ids are the same network."
    found.append(Fold("runs", "Runs", plural(len(runs), "run"), [text, *digest, *more], items=ids, mono=True))
    return found


def _brief(result: ResultView) -> str:
    sizes = sorted({result.parameters(name) for name in source.names(result)})
    if not sizes:
        return ""
    said = count(sizes[0]) if len(sizes) == 1 else f"{count(sizes[0])} to {count(sizes[-1])}"
    return f"{plural(len(source.names(result)), 'condition')}, {said} parameters"
