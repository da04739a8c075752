"""Figures as files, from the same definitions as the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradlab.report.claim_figures import claim_figures
from gradlab.report.entries import entries
from gradlab.report.figures.figure import Figure
from gradlab.report.study_figures import study_figures
from gradlab.report.svg import Format
from gradlab.report.view import ResultView

__all__ = ["all_figures", "save_figures"]


def all_figures(result: ResultView) -> list[Figure]:
    """Every figure of a study's page, those of its claims included, the empty ones left out."""
    found = study_figures(result)
    for entry, verdict in zip(entries(result), result.verdicts, strict=True):
        found += claim_figures(result, verdict.claim, f"claim-{entry.anchor}")
    return [figure for figure in found if figure.draw is not None]


def save_figures(
    result: ResultView, folder: str | Path, formats: Sequence[Format] = ("svg", "png", "pdf")
) -> list[Path]:
    """Write every figure of a study, its title and subtitle inside.

    Args:
        result: What to show.
        folder: Where to; made if it is not there.
        formats: "svg", "png" (two pixels per unit) and "pdf".

    Returns:
        The paths, in the order of the page.
    """
    target = Path(folder).resolve()
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for figure in all_figures(result):
        for form in formats:
            path = target / f"{figure.name}.{form}"
            path.write_bytes(figure.file(form))
            written.append(path)
    return written
