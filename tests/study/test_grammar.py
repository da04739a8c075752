from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.study.grammar import GrammarError, event_fields, number_text, quantity_fields


def test_an_event_inside_a_quantity_is_fields_inside_fields() -> None:
    assert quantity_fields("where(mean(loss[0.5:]), accuracy.test@best >= 0.9)") == {
        "name": "loss",
        "window": (0.5, None),
        "reducer": "mean",
        "where": {
            "quantity": {"name": "accuracy", "split": "test", "at": "best"},
            "operator": ">=",
            "value": 0.9,
        },
    }


def test_reading_knows_no_names() -> None:
    assert quantity_fields("nobody(heard.of.it)") == {
        "name": "heard",
        "split": "of.it",
        "reducer": "nobody",
    }


def test_whole_numbers_after_at_are_epochs_and_others_are_places() -> None:
    assert [quantity_fields(f"loss@{place}")["at"] for place in ("12", "2.0", "-0.5")] == [12, 2, -0.5]


@pytest.mark.parametrize(
    "text", ["loss[1]", "loss[0:1:2]", "loss()", "loss + 1", "(lambda: 0)()", "", "loss@"]
)
def test_what_is_no_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(GrammarError, match=r"this is not a quantity.*as in loss"):
        quantity_fields(text)


def test_an_event_is_one_comparison() -> None:
    with pytest.raises(GrammarError, match="an event is one comparison"):
        event_fields("0 < loss < 1")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_back_exactly(value: float) -> None:
    assert float(number_text(value)) == value


def test_numbers_take_the_shorter_spelling() -> None:
    assert [number_text(x) for x in (1e-3, 0.01, 20000.0, 4.9e-4, 0.5, -2.0)] == [
        "1e-3",
        "0.01",
        "20000",
        "4.9e-4",
        "0.5",
        "-2",
    ]
