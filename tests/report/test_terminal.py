from __future__ import annotations

import io

import fake_results
from fake_results import FakeResult
from rich.console import Console

from gradlab.report.terminal import WIDTH, print_result


def printed(result: FakeResult, *, terminal: bool, width: int = 200) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None)
    print_result(result, "/tmp/lab/page.html", console)
    return out.getvalue().splitlines()


def test_the_table_is_no_wider_than_a_hundred_columns(full: FakeResult) -> None:
    for width in (60, 100, 200):
        lines = printed(full, terminal=True, width=width)
        assert max(len(line.rstrip()) for line in lines) <= min(width, WIDTH)


def test_the_path_of_the_page_comes_last(full: FakeResult) -> None:
    lines = printed(full, terminal=True)
    assert lines[-1] == "/tmp/lab/page.html"
    text = "\n".join(lines)
    for word in ("supported", "contradicted", "too few replicates", "depends on", "untestable", "S002-1"):
        assert word in text
    assert "1 min 12 s" in text


def test_pipes_get_one_plain_line_a_claim(full: FakeResult) -> None:
    lines = printed(full, terminal=False, width=40)
    assert len(lines) == len(full.verdicts) + 1
    assert lines[0].split("\t")[:5] == ["supported", "S002-1", "median ratio 0.105", "[0, 0.19]", "20 each"]
    assert lines[-1] == "/tmp/lab/page.html"


def test_markup_in_names_is_printed_as_it_is() -> None:
    result = fake_results.make(n=1, epochs=12, title="[red]x[/red] [not a tag")
    assert printed(result, terminal=True)[0] == "[red]x[/red] [not a tag"


def test_the_budget_is_always_shown() -> None:
    lines = printed(fake_results.make(n=2, epochs=500, budget="quick"), terminal=True)
    assert any("quick budget: 500 of 20,000 epochs, 2 of 20 replicates" in line for line in lines)
