from __future__ import annotations

import pytest

from gradlab.judge.calibration.cells import LIMIT, Cell, all_cells, run

CELLS = list(all_cells())


def test_every_kind_is_simulated_at_one_look_growing_and_for_power() -> None:
    kinds = {
        table: {cell.kind for cell in CELLS if cell.table == table} for table in ("null", "looks", "power")
    }
    tested = {
        "less, unpaired",
        "less, paired",
        "equal, unpaired",
        "equal, paired",
        "share, at least",
        "share, than",
    }
    tested |= {"correlates, over runs", "correlates, over epochs; rises", "rises along a factor"}
    assert tested <= kinds["null"] & kinds["looks"] & kinds["power"]


@pytest.mark.parametrize("word", ["skewed", "12 % dead", "censored", "spread", "ties", "two clusters"])
def test_hard_data_are_in_it(word: str) -> None:
    assert any(word in cell.data for cell in CELLS if cell.table == "null" and "unpaired" in cell.kind)


@pytest.mark.parametrize(
    "cell",
    [
        cell
        for cell in CELLS
        if (
            cell.looks == (20,)
            and cell.table == "null"
            and cell.data not in {"one has 3 values", "adversarial"}
        )
        or (cell.looks == (6, 12, 24, 48, 96) and cell.data in {"skewed", "spread 1 : 5"})
    ],
    ids=lambda cell: f"{cell.kind}-{cell.data}-{cell.looks[-1]}",
)
def test_false_verdicts_are_rare(cell: Cell) -> None:
    # 500 studies: the limit and three standard errors of 5 %
    assert run(cell, 500).worst <= LIMIT + 0.03


def test_a_cell_is_the_same_at_every_call() -> None:
    cell = next(cell for cell in CELLS if cell.looks == (10,))
    assert run(cell, 200) == run(cell, 200)
