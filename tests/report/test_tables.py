from __future__ import annotations

import fake_results
from fake_results import FakeResult

from gradlab.report import tables


def test_settings_are_split_into_shared_and_different(full: FakeResult) -> None:
    common, differ = tables.settings(full)
    shared = {row[0]: row[1] for row in common.rows}
    assert shared["optimizer"] == "adam"
    assert shared["optimizer.lr"] == "0.001"
    assert shared["replicates"] == "6"
    different = {row[0]: row[1:] for row in differ.rows}
    assert different["parameters"] == ("571", "572", "571")
    assert different["model.hidden"][2] == "190"
    assert not set(shared) & set(different)


def test_many_conditions_are_rows_and_not_columns() -> None:
    _, differ = tables.settings(fake_results.make(n=1, epochs=12, names=[f"c{k}" for k in range(7)]))
    assert differ.head[0] == "condition"
    assert len(differ.rows) == 7


def test_published_values_stand_beside_their_distribution(full: FakeResult) -> None:
    table = tables.published(full)
    assert table is not None
    first = dict(zip(table.head, table.rows[0], strict=True))
    assert first["published"] == "4.92e-4"
    assert first["runs below"].endswith("of 6")
    assert first["where"] == "printed, epoch 19,500"


def test_flags_have_exact_intervals(full: FakeResult) -> None:
    table = tables.flags(full)
    assert table is not None
    assert table.head == ("condition", "predict a constant", "are dead", "diverged")
    assert table.rows[0][1] == "1 of 6 (17 %) [0.4 %, 64 %]"
    assert tables.flags(fake_results.make(n=2, epochs=12)) is None


def test_what_a_report_states_stands_beside_what_is_used(full: FakeResult) -> None:
    table = tables.stated(full)
    assert table is not None
    assert table.rows[1] == ("optimizer.lr", "not given", "0.001")


def test_assumptions_name_their_levels_and_why(full: FakeResult) -> None:
    table = tables.assumed(full)
    assert table is not None
    assert table.rows == (("optimizer.lr", "0.001", "0.0001, 0.01", "the text names no rate"),)


def test_settings_are_written_exactly() -> None:
    assert tables.text_of(0.1 + 0.2) == "0.3"
    assert tables.text_of(None) == "none"
    assert tables.text_of(571_234) == "571,234"
