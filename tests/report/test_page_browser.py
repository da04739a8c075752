"""The page in a real browser: nothing is blocked, nothing overflows, everything prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import fake_results
import pytest

from gradlab.report.index import save_index

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = [
        fake_results.full(n=6, epochs=2000),
        fake_results.failed(),
        fake_results.make(
            n=3, epochs=60, names=[f"batch_size={2**k}, optimizer.lr=0.00{k}" for k in range(9)], source=None
        ),
    ]
    return save_index(results, tmp_path_factory.mktemp("pages")).parent


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


def pages(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.html"))


@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_open_from_a_file_without_a_word_in_the_console(
    browser: object, folder: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[attr-defined]
    for path in pages(folder):
        tab, said = context.new_page(), []
        tab.on("console", lambda message, said=said: said.append(message.text))
        tab.on("pageerror", lambda error, said=said: said.append(str(error)))
        tab.on(
            "request", lambda request, said=said: said.append(request.url) if "http" in request.url else None
        )
        tab.goto(path.as_uri())
        for fold in tab.query_selector_all("summary"):
            fold.click()
        assert said == [], path.name
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, path.name
        tab.close()
    context.close()


@pytest.mark.parametrize(("width", "shown"), [(380, "narrow"), (1280, "wide")])
def test_one_size_of_each_figure_is_shown(browser: object, folder: Path, width: int, shown: str) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 800})  # type: ignore[attr-defined]
    tab.goto((folder / "reports-002-sim-sinc.html").as_uri())
    for size in ("narrow", "wide"):
        boxes = [svg.is_visible() for svg in tab.query_selector_all(f"figure.both svg.{size}")]
        assert boxes
        assert all(visible == (size == shown) for visible in boxes)
    tab.close()


@pytest.mark.parametrize("width", [380, 1280])
def test_text_in_figures_stays_inside_them_and_is_large_enough(
    browser: object, folder: Path, width: int
) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 800})  # type: ignore[attr-defined]
    tab.goto((folder / "reports-002-sim-sinc.html").as_uri())
    sizes = tab.evaluate(
        """[...document.querySelectorAll('figure svg text')].map(text => {
            const box = text.getBoundingClientRect(), whole = text.ownerSVGElement.getBoundingClientRect();
            return [text.textContent, box.left - whole.left, whole.right - box.right, box.height];
        }).filter(([words, , , height]) => words.trim() && height)"""
    )
    assert sizes
    for words, left, right, height in sizes:
        assert left >= -1, words
        assert right >= -1, words
        assert height >= 11, words
    tab.close()


def test_the_colours_follow_the_system(browser: object, folder: Path) -> None:
    papers = []
    for scheme in ("light", "dark"):
        tab = browser.new_page(color_scheme=scheme)  # type: ignore[attr-defined]
        tab.goto((folder / "index.html").as_uri())
        papers.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        tab.close()
    light, dark = (sum(int(part) for part in re.findall(r"\d+", paper)[:3]) for paper in papers)
    assert light > 700 > 150 > dark


def test_verdicts_on_the_wall_lead_to_their_claims(browser: object, folder: Path) -> None:
    tab = browser.new_page()  # type: ignore[attr-defined]
    tab.goto((folder / "index.html").as_uri())
    tab.click(".wall a.chip >> nth=0")
    tab.wait_for_url("**/*.html#*")
    tab.wait_for_load_state()
    assert tab.evaluate("!!document.querySelector(location.hash)")
    tab.close()


def test_pages_print_on_a4(browser: object, folder: Path, tmp_path: Path) -> None:
    tab = browser.new_page(color_scheme="dark")  # type: ignore[attr-defined]
    tab.goto((folder / "reports-002-sim-sinc.html").as_uri())
    content = tab.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    boxes = {
        tuple(round(float(x)) for x in box)
        for box in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)
    }
    assert boxes
    assert all(abs(width - 595) < 2 and abs(height - 842) < 2 for width, height in boxes)
    tab.close()
