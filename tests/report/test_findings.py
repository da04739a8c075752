from __future__ import annotations

import numpy as np

from gradlab.report import findings
from gradlab.report.figures.fits import Fit
from gradlab.report.figures.lines import Line
from gradlab.report.figures.shares import Proportion
from gradlab.report.figures.strips import Row
from gradlab.report.summary import Curves


def line(name: str, start: float, end: float, n: int = 20) -> Line:
    values = np.array([start, end])
    return Line(name, Curves(np.array([0, 10]), values, values, values, (), (), n, 2))


def row(name: str, *values: float) -> Row:
    return Row(name, np.array(values, float), np.arange(len(values)))


def test_losses_name_the_lowest_and_how_far_the_highest_is() -> None:
    said = findings.ended([line("deep", 1, 4.918e-4), line("shallow", 1, 1.118e-3)], "training loss")
    assert said == "deep ends lowest, at a median training loss of 4.92×10⁻⁴; shallow ends 2.3 times higher"


def test_what_ends_level_is_not_ranked() -> None:
    said = findings.ended([line("a", 1, 1.0e-3), line("b", 1, 1.05e-3)], "training loss")
    assert said == "a and b end close together, at a median training loss of 10⁻³ to 1.05×10⁻³"
    said = findings.ended([line("a", 1, 1e-3), line("b", 1, 1e-3)], "training loss")
    assert said == "a and b end close together, at a median training loss of 10⁻³"


def test_accuracies_name_the_highest() -> None:
    said = findings.ended([line("a", 0.1, 0.9), line("b", 0.1, 0.6)], "test accuracy", low_is_good=False)
    assert said.startswith("a ends highest, at a median test accuracy of 0.9")


def test_divergence_is_said_and_never_ranked_as_a_number() -> None:
    assert "half of the b runs or more diverge" in findings.ended(
        [line("a", 1, 0.1), line("b", 1, np.nan)], "loss"
    )
    assert findings.ended([line("a", 1, np.nan)], "loss") == "Half of the runs or more diverge"


def test_one_run_is_not_called_a_median() -> None:
    assert (
        findings.ended([line("a", 1, 0.01, n=1)], "training loss") == "The training loss falls from 1 to 0.01"
    )


def test_passages_name_who_never_got_there() -> None:
    said = findings.passed(
        [row("deep", 500, 700, np.inf), row("shallow", np.inf, np.inf, 9000)], "10⁻³", "training loss"
    )
    assert said.startswith("deep is first at training loss 10⁻³: median epoch 700")
    assert said.endswith("never in 1 of 3 deep runs and 2 of 3 shallow runs")
    nobody = findings.passed([row("a", np.inf), row("b", np.inf)], "10⁻³", "training loss")
    assert nobody == "No run gets to a training loss of 10⁻³"


def test_fits_name_the_closest() -> None:
    x = np.linspace(0, 1, 5)
    good, bad = (Fit(name, x, x, x[None] + off) for name, off in (("good", 0.01), ("bad", 0.1)))
    said = findings.fitted([bad, good])
    assert said == "good fits closest: its median run is off by 0.01 (root mean square), that of bad by 0.1"


def test_shares_name_the_conditions_that_are_hit() -> None:
    rows = [Proportion("deep", 1, 20), Proportion("shallow", 0, 20)]
    assert findings.shared(rows, "are dead") == "Are dead: 1 of 20 deep runs; none elsewhere"
    assert findings.shared(rows[1:], "are dead") == "No run of 20 are dead"
