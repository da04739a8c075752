from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import fake_results
import pytest
from fake_results import FakeResult

from gradlab.report.page import render, save


class Outline(HTMLParser):
    """Tags, ids and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name == "href" and value:
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_answers_first_and_explains_last(page: str) -> None:
    places = [
        page.index(text)
        for text in (
            "<h1>Does depth help",
            'class="answer"',
            'id="figure-loss"',
            'class="verdicts"',
            'id="claims"',
            'id="S002-1"'.lower(),
            'id="figures"',
            'id="figure-gradient-norm"',
            'id="figure-fits"',
            'id="published"',
            'id="flags"',
            'id="method"',
            'id="settings"',
            'id="assumed"',
            'id="stated"',
            'id="environment"',
            'id="again"',
            'id="runs"',
        )
    ]
    assert places == sorted(places)


def test_the_page_stands_by_itself(page: str) -> None:
    outline = Outline(page)
    assert "script" not in outline.tags
    assert not {"img", "iframe", "object", "embed"} & set(outline.tags)
    assert all(link.startswith(("#", "data:,")) for link in outline.links)
    assert "url(#" in page
    assert not re.findall(r"url\((?!#)", page)
    assert "default-src 'none'" in page
    assert not re.search(r'src="(?!data:)', page)


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)


def test_both_readings_and_every_setting_are_shown(page: str) -> None:
    assert "As reported" in page
    assert "less(loss@last, deep, than=medium)" in page
    assert "optimizer.lr=0.0001" in page


def test_exact_parameter_counts_and_the_command_are_there(page: str) -> None:
    text = " ".join(Outline(page).text)
    assert "571" in text
    assert "572" in text
    assert "gradlab run reports/002/sim-sinc --replicates 20" in text
    assert "one 10-10 layer fewer (461 parameters)" in text


def test_numbers_are_short(page: str) -> None:
    prose = " ".join(Outline(page).text)
    assert not re.findall(r"(?<![\w.-])\d+\.\d{5,}", prose)


def test_data_text_is_escaped_everywhere() -> None:
    bad = "<script>alert('x')</script>"
    claim = fake_results.verdicts()[0]
    evil = fake_results.full(
        n=3,
        epochs=30,
        names=[f"deep{bad}", "b&b"],
        title=bad,
        question=bad,
        notes=bad,
        quirks=(bad,),
        stated={bad: bad},
        assumed={bad: SimpleNamespace(levels={bad: 1}, why=bad)},
        published=(SimpleNamespace(condition="b&b", quantity="loss", value=1e-3, read_error=0.0, note=bad),),
        source=bad,
        verdicts=[
            claim.__class__(claim.claim.model_copy(update={"says": bad}), "supported", bad, warnings=(bad,))
        ],
    )
    evil.command = evil.digest = bad
    evil.environment = {bad: bad}
    html = render(evil)
    assert bad not in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_quick_budget_says_so_wherever_numbers_are(full: FakeResult) -> None:
    html = render(fake_results.full(n=3, epochs=200, budget="quick"))
    words = "quick budget: 200 of 20,000 epochs, 3 of 20 replicates"
    captions = re.findall(r"<figcaption>.*?</figcaption>", html, flags=re.S)
    assert captions
    assert all(words in caption for caption in captions)
    assert "From the quick budget: of 4 claims" in html
    assert words not in render(full)


def test_a_study_in_which_everything_failed_says_so(failed: FakeResult) -> None:
    html = render(failed)
    assert "No training loss to draw in 6 runs (6 failed)." in html
    assert "<svg" not in html


def test_an_untested_study_is_shown_without_claims() -> None:
    html = render(fake_results.make(n=1, epochs=30, names=["deep"], source=None))
    assert "Nothing is claimed" in html
    assert 'id="claims"' not in html
    assert "of one run, without an interval" in html


def test_long_names_get_a_key() -> None:
    names = [f"batch_size={2**k}, optimizer.lr=0.{k}" for k in range(9)]
    html = render(fake_results.make(n=2, epochs=30, names=names))
    assert 'class="key"' in html
    assert "◀ batch_size=128, optimizer.lr=0.7" in html


def test_the_page_of_a_large_study_is_small() -> None:
    big = fake_results.full(n=100, epochs=20_000)
    assert len(render(big).encode()) < 2_000_000


def test_saving_makes_folders_and_names_the_file(tmp_path: Path) -> None:
    path = save(fake_results.make(n=1, epochs=30), tmp_path / "new" / "page.html", home="index.html")
    assert path.is_absolute()
    assert 'href="index.html"' in path.read_text("utf-8")


@pytest.mark.parametrize("n", [1, 2, 31])
def test_single_runs_are_drawn_only_where_they_are_few(n: int) -> None:
    html = render(fake_results.make(n=n, epochs=40, names=["shallow"]))
    assert ("single runs pale behind" in html) == (1 < n <= 30)
