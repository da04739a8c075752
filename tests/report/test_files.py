from __future__ import annotations

from pathlib import Path

import fake_results
from fake_results import FakeResult

from gradlab.report.files import all_figures, save_figures


def test_every_figure_is_saved_in_every_format(tmp_path: Path) -> None:
    result = fake_results.full(n=2, epochs=30)
    paths = save_figures(result, tmp_path / "figures")
    assert len(paths) == 3 * len(all_figures(result))
    assert len(set(paths)) == len(paths)
    starts = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
    for path in paths:
        assert path.read_bytes().startswith(starts[path.suffix[1:]]), path.name


def test_a_file_carries_its_title_and_its_colours(tmp_path: Path) -> None:
    result = fake_results.make(n=2, epochs=30)
    (loss,) = [path for path in save_figures(result, tmp_path, formats=["svg"]) if path.stem == "loss"]
    text = loss.read_text("utf-8")
    assert "ends lowest" in text or "end close together" in text
    assert "#0072b2" in text
    assert "var(--" not in text


def test_what_cannot_be_drawn_is_not_saved(failed: FakeResult, tmp_path: Path) -> None:
    assert save_figures(failed, tmp_path) == []
