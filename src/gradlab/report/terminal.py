"""The verdicts on a terminal: one compact table, at most 100 columns, plain when piped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradlab.report import source
from gradlab.report.entries import Entry, answer, entries
from gradlab.report.numbers import duration
from gradlab.report.view import ResultView

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["WIDTH", "print_result", "verdict_table", "verdict_text"]

WIDTH = 100
_COLOURS = {
    "supported": "green",
    "consistent": "green",
    "contradicted": "red",
    "inconsistent": "red",
    "depends": "magenta",
    "too-few": "yellow",
    "pending": "yellow",
    "untestable": "bright_black",
}


def verdict_table(result: ResultView) -> Table:
    """The verdicts as a rich table.

    Args:
        result: What to show.

    Returns:
        A table with a row per claim: sign and outcome, claim, effect with interval, n.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", width=None, expand=False)
    table.add_column("verdict", max_width=26)
    table.add_column("claim", ratio=1, overflow="fold")
    table.add_column("effect", max_width=30)
    table.add_column("n", justify="right", no_wrap=True)
    for entry in entries(result):
        style = _COLOURS.get(entry.outcome.key, "")
        table.add_row(
            Text(f"{entry.outcome.sign} {entry.outcome.word}", style=style),
            Text(_claim(entry)),
            Text(f"{entry.effect} {entry.interval}".strip()),
            Text(entry.n.replace(" each", "").replace(" pairs", "")),
        )
    return table


def _claim(entry: Entry) -> str:
    words = entry.words if len(entry.words) <= 120 else entry.words[:117].rstrip() + "…"
    return f"{entry.id}  {words}" if entry.id else words


def verdict_text(result: ResultView) -> list[str]:
    """The verdicts as plain lines with tabs between fields, for pipes.

    Returns:
        One line a claim: outcome, id, effect, interval, n, claim.
    """
    return ["\t".join(_fields(entry)) for entry in entries(result)]


def _fields(entry: Entry) -> Sequence[str]:
    return (
        entry.outcome.word,
        entry.id or "-",
        entry.effect or "-",
        entry.interval or "-",
        entry.n or "-",
        entry.words,
    )


def print_result(
    result: ResultView,
    page: str | Path | None = None,
    console: Console | None = None,
    *,
    elapsed: float | None = None,
) -> None:
    """Print what was asked, the verdicts, the time and the path of the page.

    Args:
        result: What to show.
        page: The path of the page.
        console: Where to print; standard output by default.
        elapsed: Seconds that the command took; the result's own by default.
    """
    from rich.console import Console
    from rich.text import Text

    out = console if console is not None else Console()
    shown = entries(result)
    if not out.is_terminal:
        for line in verdict_text(result):
            out.file.write(f"{line}\n")  # rich would turn tabs into spaces
        if page is not None:
            out.file.write(f"{page}\n")
        return
    width = min(WIDTH, out.width)
    out.print(Text(str(result.study.title), style="bold"), width=width)
    out.print(Text(answer(result, shown)), width=width)
    if shown:
        out.print(verdict_table(result), width=width)
    seconds = elapsed if elapsed is not None else result.elapsed
    spent = f" · {duration(seconds)}" if seconds is not None else ""
    out.print(Text(f"{source.budget_words(result)}{spent}", style="dim"), width=width)
    if page is not None:
        out.print(str(page), soft_wrap=True, markup=False, highlight=False)
