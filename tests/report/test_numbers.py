from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.report.numbers import count, duration, epoch, interval, number, p_value, percent, plural, power


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00049181, "4.92e-4"),
        (0.0004899, "4.9e-4"),
        (0.0099996, "0.01"),
        (0.01, "0.01"),
        (0.5, "0.5"),
        (999.9, "1,000"),
        (20000, "20,000"),
        (999_999, "1e6"),
        (-0.0945, "-0.0945"),
        (0, "0"),
        (math.inf, "∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_figures_write_powers_of_ten_as_such() -> None:
    assert number(4.9e-4, typographic=True) == "4.9×10⁻⁴"
    assert number(1e-3, typographic=True) == "10⁻³"
    assert number(-0.5, typographic=True) == "−0.5"
    assert power(-12) == "10⁻¹²"


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_a_number_is_never_long_and_reads_back_to_three_digits(value: float) -> None:
    text = number(value)
    assert len(text) <= 9
    assert float(text.replace(",", "")) == pytest.approx(value, rel=5e-3)


@given(st.floats(min_value=0, max_value=1))
def test_only_exact_ends_are_written_as_zero_or_one_hundred_per_cent(share: float) -> None:
    text = percent(share)
    if text in {"0 %", "100 %"}:
        assert share in {0.0, 1.0} or min(share, 1 - share) < 1e-15
    assert re.fullmatch(r"\d+(\.\d+)? %", text)


@given(st.floats(min_value=0, max_value=1e7))
def test_times_have_at_most_two_units(seconds: float) -> None:
    assert len(duration(seconds).split()) <= 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(72, "1 min 12 s"), (59.7, "1 min"), (0.0341, "34 ms"), (3600, "1 h"), (9.96, "10 s"), (math.nan, "–")],
)
def test_times_are_said_as_one_would(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_never_reached_is_called_so() -> None:
    assert epoch(math.inf) == "never"
    assert epoch(math.nan) == "–"
    assert interval((1200.0, math.inf), epochs=True) == "[1,200, never]"
    assert interval((0.1, math.inf)) == "[0.1, ∞]"


def test_counts_are_exact() -> None:
    assert count(4_210_090) == "4,210,090"
    assert plural(1, "study", "studies") == "1 study"
    assert p_value(0.0312) == "0.031"
