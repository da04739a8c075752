from __future__ import annotations

import re
from pathlib import Path

import fake_results
import pytest
from fake_results import FakeResult

from gradlab.report.index import page_name, render_index, save_index


@pytest.fixture(scope="module")
def results() -> list[FakeResult]:
    sources = ["reports/002/sim-sinc", "reports/002/sim-sgn", "reports/000/sim-sinc", None]
    return [
        fake_results.make(n=2, epochs=30, verdicts=fake_results.verdicts(), source=name) for name in sources
    ]


def test_every_verdict_of_every_study_is_on_the_wall(results: list[FakeResult]) -> None:
    html = render_index(results, elapsed=80)
    wall = html[html.index('class="wall"') : html.index('class="cards"')]
    assert wall.count('class="chip ') == 4 * 5
    assert 'href="reports-002-sim-sinc.html#s002-1"' in wall
    assert wall.index("Report 000") < wall.index("Report 002") < wall.index("Other studies")
    assert "20 claims put to the test in 4 studies" in html
    assert "1 min 20 s" in html


def test_a_claim_of_two_studies_says_which_is_which(results: list[FakeResult]) -> None:
    html = render_index(results)
    assert "S002-1 sim-sgn" in html
    assert "S002-1 sim-sinc" in html


def test_every_study_has_a_thumbnail(results: list[FakeResult]) -> None:
    html = render_index(results)
    assert html.count('<svg xmlns="http://www.w3.org/2000/svg"') == len(results)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_pages_lie_beside_the_overview_and_lead_back(results: list[FakeResult], tmp_path: Path) -> None:
    index = save_index(results, tmp_path / "out")
    written = {path.name for path in index.parent.iterdir()}
    assert written == {"index.html", *(page_name(result) for result in results)}
    assert 'href="index.html"' in (index.parent / "reports-002-sim-sgn.html").read_text("utf-8")


def test_studies_of_one_name_get_pages_of_their_own(tmp_path: Path) -> None:
    twins = [fake_results.make(n=1, epochs=12, source="study.py") for _ in range(2)]
    index = save_index(twins, tmp_path)
    assert {path.name for path in index.parent.iterdir()} == {"index.html", "study.html", "study-2.html"}


def test_titles_are_escaped() -> None:
    html = render_index([fake_results.make(n=1, epochs=12, title="<script>x</script>")])
    assert "<script" not in html


def test_no_study_at_all_is_said() -> None:
    assert "No study has been run." in render_index([])


def test_a_failed_study_has_its_place(failed: FakeResult) -> None:
    assert "No training loss to draw" in render_index([failed])
