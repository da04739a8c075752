from __future__ import annotations

import numpy as np
import pytest

from gradlab.judge.words import bracket, compared, digits, event_words, percent
from gradlab.study.quantity import parse_event, parse_quantity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.3456, "2.35"),
        (1.8, "1.8"),
        (0.00049181, "4.92e-4"),
        (0.0123, "0.0123"),
        (20_000.0, "20,000"),
        (999.96, "1,000"),
        (12_345_678.0, "1.23e7"),
        (0.0, "0"),
        (-0.5, "-0.5"),
        (np.inf, "∞"),
        (-np.inf, "-∞"),
        (np.nan, "–"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_intervals_and_shares() -> None:
    assert bracket(0.5, 3.0) == "[0.5, 3]"
    assert percent(0.056) == "5.6 %"


def sentence(quantity: str, value: float, interval: tuple[float, float], ratio: bool = True) -> str:
    return compared(parse_quantity(quantity), "deep", "wide", value, interval, ratio=ratio)


def test_a_comparison_is_one_short_sentence() -> None:
    assert sentence("loss", 1 / 2.3, (1 / 3, 1 / 1.8)) == "deep ends 2.3 times lower than wide [1.8, 3]"
    assert sentence("loss", 2.3, (1.8, 3)) == "deep ends 2.3 times higher than wide [1.8, 3]"
    assert sentence("loss", 0.9, (0.5, 1.4)) == "loss of deep is 0.9 times that of wide [0.5, 1.4]"
    assert sentence("epochs_to(loss, 1e-3)", 0.5, (0.4, 0.6)) == (
        "deep reaches a loss of 1e-3 2 times earlier than wide [1.67, 2.5]"
    )
    assert sentence("epochs", 2, (1.5, 3)) == "deep runs for 2 times more epochs than wide [1.5, 3]"
    assert sentence("accuracy", -0.02, (-0.03, -0.01), ratio=False) == (
        "accuracy of deep is 2 percentage points lower than wide [1, 3]"
    )
    assert sentence("accuracy.test", 0.02, (0.01, 0.03), ratio=False) == (
        "test accuracy of deep is 2 percentage points higher than wide [1, 3]"
    )
    assert sentence("loss.test", 0.9, (0.5, 1.4)) == "test loss of deep is 0.9 times that of wide [0.5, 1.4]"
    assert sentence("epochs_to(accuracy.running, 0.99)", 0.5, (0.4, 0.6)).startswith(
        "deep reaches a running training accuracy of 99 % 2 times earlier"
    )
    assert sentence("loss", 1.05, (1.02, 1.08)) == "deep ends 5 % higher than wide [2, 8]"
    assert sentence("loss", 0.95, (0.92, 0.98)) == "deep ends 5 % lower than wide [2, 8]"
    assert "by no finite factor" in sentence("epochs_to(loss, 1e-3)", np.inf, (3, np.inf))


def test_a_condition_is_compared_with_itself_by_its_other_quantity() -> None:
    quantity = parse_quantity("loss@last")
    found = compared(quantity, "deep", "its loss@10", 0.9, (0.5, 1.4), ratio=True)
    assert found == "loss@last of deep is 0.9 times its loss@10 [0.5, 1.4]"


def test_events_are_said_in_words() -> None:
    assert event_words(parse_event("flag_constant")) == "predict a constant"
    assert (
        event_words(parse_event("epochs_to(loss, 1e-3) <= 500"))
        == "fall below a loss of 1e-3 within 500 epochs"
    )
    assert event_words(parse_event("epochs_to(accuracy, 0.9)")) == "reach an accuracy of 90 %"
    assert event_words(parse_event("loss@last < 0.01")) == "have loss@last < 0.01"
