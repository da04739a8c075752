"""How a result shows itself in a notebook: the answer and a compact table of verdicts."""

from __future__ import annotations

from gradlab.report import source
from gradlab.report.entries import answer, entries
from gradlab.report.page import template
from gradlab.report.view import ResultView

__all__ = ["result_html"]


def result_html(result: ResultView) -> str:
    """A fragment of HTML for `_repr_html_`; it has its own styles and all text is escaped.

    Args:
        result: What to show.

    Returns:
        The fragment.
    """
    shown = entries(result)
    return template(
        "notebook.html.j2",
        title=result.study.title,
        answer=answer(result, shown),
        entries=shown,
        budget=source.budget_words(result),
    )
