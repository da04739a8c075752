from __future__ import annotations

import numpy as np

from gradlab.report.axes import NARROW, WIDE, epoch_axis, value_axis
from gradlab.report.figures.drawing import Drawing, Line, Mark
from gradlab.report.scales import PLAIN
from gradlab.report.summary import Curves

EPOCHS = np.arange(11)


def line(name: str, split: str = "", n: int = 3) -> Line:
    values = np.linspace(1.0, 0.1, 11)
    return Line(
        name, Curves(EPOCHS, values, 0.9 * values, 1.1 * values, ((EPOCHS, values),) * n, (), n, 11), split
    )


def drawing(*shown: Line) -> Drawing:
    return Drawing(shown, epoch_axis(10, WIDE), value_axis([0.1, 1.0], "loss"), PLAIN)


def test_training_is_solid_and_held_out_sets_have_markers_of_their_own() -> None:
    found = drawing(line("a"), line("a", "test"), line("a", "running"))
    assert [each.split for each in found.solid] == [""]
    assert [each.split for each in found.dashed] == ["test"]
    assert {row["line"] for row in found.bands()} == {"a ", "a test"}
    assert {row["split"] for row in found.medians()} == {"", "test", "running"}


def test_lines_of_one_condition_are_named_by_data_set() -> None:
    one, two = drawing(line("a"), line("a", "test")), drawing(line("a"), line("a", "test"), line("b"))
    assert [one.name(each) for each in one.named(NARROW)] == ["train", "test"]
    assert [two.name(each) for each in two.named(WIDE)] == ["a", "b", "a test"]
    assert [two.name(each) for each in two.named(NARROW)] == ["a", "b"]


def test_only_the_runs_of_solid_lines_are_drawn_singly() -> None:
    runs = drawing(line("a"), line("a", "test")).runs(50)
    assert len({row["run"] for row in runs}) == 3


def test_published_values_are_hover_text() -> None:
    (row,) = drawing(line("a")).marks([Mark("a", 10, 0.2, "published, a: 0.2")])
    assert (row["epoch"], row["value"]) == (10, 0.2)
    assert row["text"].endswith("published, a: 0.2")
