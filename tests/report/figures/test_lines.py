from __future__ import annotations

from gradlab.report.axes import NARROW, WIDE
from gradlab.report.figures.lines import label_texts


def test_labels_carry_values_where_all_fit() -> None:
    assert label_texts([("deep", 4.918e-4), ("wide", 0.5)], 136, WIDE) == ["deep 4.92×10⁻⁴", "wide 0.5"]


def test_labels_are_names_alone_where_room_is_short() -> None:
    assert label_texts([("deep", 4.918e-4), ("shallow", 0.5)], 56, NARROW) == ["deep", "shallow"]


def test_factors_are_left_out_before_names_are_cut() -> None:
    ends = [("batch_size=32, optimizer.lr=0.001", 1.0), ("an unusually long name of a condition", 1.0)]
    assert label_texts(ends, 136, WIDE) == ["32, 0.001", "an unusually l…"]
