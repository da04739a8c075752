from __future__ import annotations

import numpy as np

from gradlab.report.axes import NARROW
from gradlab.report.figures.strips import Row, strips
from gradlab.report.frame import Tables, compose
from gradlab.report.palette import styles


def row(*values: float) -> Row:
    return Row("deep", np.array(values, float), np.arange(len(values)))


def test_summaries_shrink_to_the_room_they_have() -> None:
    runs = row(*range(1, 21))
    assert runs.summary(60) == "median 10.5 [6, 15], n = 20"
    assert runs.summary(20) == "median 10.5 [6, 15]"
    assert runs.summary(15) == "10.5 [6, 15]"
    assert runs.summary(3) == "10.5"
    assert row(np.nan).summary(60) == "no value in any run"


def test_infinite_values_have_a_lane_and_dots_do_not_cover_each_other() -> None:
    definition = compose(
        lambda size, tables: strips([row(1, 1, 1, 2, np.inf)], styles(["deep"]), size, tables, title="x"),
        NARROW,
    )
    dots = next(rows for rows in definition["datasets"].values() if len(rows) == 5)
    assert max(dot["value"] for dot in dots) > 2
    assert len({(dot["value"], dot["y"]) for dot in dots}) == 5


def test_no_value_at_all_still_makes_a_view() -> None:
    view = strips([row(np.nan, np.inf)], styles(["deep"]), NARROW, Tables(), title="x")
    assert view["layer"]
