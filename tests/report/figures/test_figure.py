from __future__ import annotations

import altair
import fake_results
import pytest

from gradlab.report.axes import NARROW, THUMB, WIDE
from gradlab.report.figures.figure import Figure
from gradlab.report.files import all_figures
from gradlab.report.study_figures import thumbnail


def test_every_figure_is_a_valid_chart_in_every_size() -> None:
    result = fake_results.full(n=2, epochs=12)
    for figure in all_figures(result):
        for size in (WIDE, NARROW):
            assert isinstance(figure.chart(size), altair.TopLevelMixin), figure.name
    assert isinstance(thumbnail(result).chart(THUMB), altair.TopLevelMixin)


def test_nothing_to_draw_is_an_error_only_for_files() -> None:
    figure = Figure("empty", "Nothing", "", missing="No run was stored.")
    assert figure.wide == ""
    with pytest.raises(ValueError, match="No run was stored"):
        figure.file("png")
    with pytest.raises(ValueError, match="No run was stored"):
        figure.chart()
