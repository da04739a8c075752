from __future__ import annotations

from pathlib import Path

import pytest

from gradlab.judge.calibration.__main__ import main
from gradlab.judge.calibration.cells import Rates, all_cells
from gradlab.judge.calibration.page import page
from gradlab.judge.calibration.rejected import Rejected, alternatives


def test_the_page_holds_every_cell_and_names_the_worst() -> None:
    cells = list(all_cells())
    rates = [Rates(cell, 10_000, 0.01, 0.02) for cell in cells]
    text = page(rates, [Rejected("t test", "normal", "5", 0.16)])
    assert "No cell is above the limit. The worst is 2 %" in text
    assert all(cell.data in text for cell in cells)
    assert "| t test | normal | 5 | 16 % |" in text


def test_a_cell_above_the_limit_is_not_hidden() -> None:
    cells = list(all_cells())[:3]
    text = page([Rates(cell, 10_000, 0.08, 0.02) for cell in cells], [])
    assert "**3 cells are above the limit**" in text


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "calibration.md"
    assert main(["--studies", "50", "--only", "peaks", "--out", str(out)]) in {0, 1}
    assert out.read_text(encoding="utf-8").startswith("# How often a verdict is false")
    assert "peaks" in capsys.readouterr().err


def test_what_was_not_chosen_errs_more_often() -> None:
    rates = {(row.test, row.data, row.n): row.rate for row in alternatives(300)}
    looks = next(rate for (test, _, _), rate in rates.items() if test.startswith("5 % at every look (t"))
    assert looks > 0.1
    skewed = next(
        rate
        for (test, data, n), rate in rates.items()
        if "Wilcoxon" in test and n == "40" and data == "skewed"
    )
    assert skewed > 0.1
