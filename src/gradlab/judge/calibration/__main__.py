"""`python -m gradlab.judge.calibration`: simulate all cells and write docs/calibration.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gradlab.judge.calibration.cells import LIMIT, Rates, all_cells, run
from gradlab.judge.calibration.page import page
from gradlab.judge.calibration.rejected import alternatives
from gradlab.judge.words import percent


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and report.

    Args:
        arguments: Command line, without the program.

    Returns:
        0 if every cell keeps the limit, 1 otherwise.
    """
    parser = argparse.ArgumentParser(prog="python -m gradlab.judge.calibration", description=__doc__)
    parser.add_argument("--studies", type=int, default=10_000, help="simulated studies in each cell")
    parser.add_argument("--out", type=Path, help="write the page here; otherwise to standard output")
    parser.add_argument("--only", default="", help="only kinds of claims that contain this text")
    given = parser.parse_args(arguments)
    found: list[Rates] = []
    for cell in all_cells():
        if given.only not in cell.kind:
            continue
        start = time.perf_counter()
        rates = run(cell, given.studies)
        found.append(rates)
        spent = time.perf_counter() - start
        line = f"{cell.table:6} {cell.kind:32} {cell.data:36} {cell.looks!s:22} "
        line += f"{percent(rates.supported):>7} {percent(rates.contradicted):>7} {spent:6.1f} s"
        print(line + (" !" if rates.worst > LIMIT else ""), file=sys.stderr, flush=True)
    text = page(found, list(alternatives(given.studies)))
    if given.out is None:
        print(text, end="")
    else:
        given.out.write_text(text, encoding="utf-8")
    return int(any(rates.worst > LIMIT for rates in found))


if __name__ == "__main__":
    sys.exit(main())
