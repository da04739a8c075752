"""How findings are put: short sentences, three significant digits, the interval in brackets."""

from __future__ import annotations

import math

from gradlab.study.grammar import number_text
from gradlab.study.instruments.spoken import AXES, number_kind, value_words
from gradlab.study.known import BY_PLACE
from gradlab.study.quantity import Quantity

__all__ = ["apart", "bracket", "compared", "digits", "event_words", "percent", "said", "spoken"]

_RATES = frozenset({"accuracy", "accuracy_gap"})
"""Shares of examples: told in per cent, their differences in percentage points."""

_SPOKEN = {
    "accuracy.test": "test accuracy",
    "accuracy.validation": "validation accuracy",
    "accuracy.running": "running training accuracy",
    "loss.test": "test loss",
    "loss.validation": "validation loss",
    "loss.running": "running training loss",
}
"""What sentences call a series; others go by their names in the grammar."""

_LARGEST = {"max": "largest ", "min": "smallest ", "mean": "mean "}


def digits(value: float) -> str:
    """Three significant digits.

    Args:
        value: Any number.

    Returns:
        The text.

    Example:
        >>> [digits(x) for x in (2.3456, 0.00049181, 20000.0, 0.5, float("inf"))]
        ['2.35', '4.92e-4', '20,000', '0.5', '∞']
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    power = int(exponent)
    if -3 < power < 6:
        text = f"{float(f'{value:.2e}'):,.{max(0, 2 - power)}f}"
    else:
        text = f"{mantissa}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if -3 < power < 6 else f"{text}e{power}"


def bracket(low: float, high: float) -> str:
    """An interval.

    Example:
        >>> bracket(1.8, 3.04)
        '[1.8, 3.04]'
    """
    return f"[{digits(low)}, {digits(high)}]"


def percent(share: float) -> str:
    """A share.

    Example:
        >>> percent(0.123456), percent(0.6)
        ('12.3 %', '60 %')
    """
    return f"{digits(100 * share)} %"


def said(quantity: Quantity, value: float) -> str:
    """A value of a quantity, accuracies in per cent.

    Example:
        >>> from gradlab.study.quantity import parse_quantity
        >>> said(parse_quantity("accuracy.test"), 0.9837), said(parse_quantity("loss"), 0.12345)
        ('98.4 %', '0.123')
    """
    return percent(value) if _is_rate(quantity) else digits(value)


def apart(quantity: Quantity, value: float, low: float, high: float) -> tuple[str, str]:
    """A difference between two values of a quantity, and its interval.

    Example:
        >>> from gradlab.study.quantity import parse_quantity
        >>> apart(parse_quantity("accuracy"), 0.02, 0.01, 0.03)
        ('2 percentage points', '[1, 3]')
    """
    if _is_rate(quantity):
        return f"{digits(100 * value)} percentage points", bracket(100 * low, 100 * high)
    return digits(value), bracket(low, high)


def _is_rate(quantity: Quantity) -> bool:
    shares = {"accuracy", "points", "share"}
    rate = quantity.name in _RATES or (
        quantity.instrument != "" and number_kind(quantity.instrument, quantity.split) in shares
    )
    return rate and not quantity.is_epoch and quantity.reducer not in {"slope", "roughness", *BY_PLACE}


def compared(
    quantity: Quantity, a: str, b: str, value: float, interval: tuple[float, float], *, ratio: bool
) -> str:
    """What a comparison found, as in `deep ends 2.3 times lower than shallow [1.8, 3]`.

    Args:
        quantity: What was compared.
        a: Name of A.
        b: Name of B, or `its` quantity of the same condition.
        value: Typical ratio A / B, or difference A - B.
        interval: Its interval.
        ratio: Which of the two.

    Returns:
        The sentence.
    """
    subject, lower, higher = _subject(quantity, a)
    low, high = interval
    if not ratio:
        if value < 0:
            much, bounds = apart(quantity, -value, -high, -low)
            return f"{subject} {much} {lower} than {b} {bounds}"
        much, bounds = apart(quantity, value, low, high)
        return f"{subject} {much} {higher} than {b} {bounds}"
    if math.isinf(value) or value == 0:
        return (
            f"{subject} {higher if value > 0 else lower} than {b} by no finite factor: one side mostly fails"
        )
    if low <= 1 <= high:
        whose = b if b.startswith("its ") else f"that of {b}"
        return f"{spoken(quantity)} of {a} is {digits(value)} times {whose} {bracket(low, high)}"
    if abs(value - 1) < 0.1:
        ends = (low - 1, high - 1) if value > 1 else (1 - high, 1 - low)
        more = higher if value > 1 else lower
        return f"{subject} {percent(abs(value - 1))} {more} than {b} {bracket(100 * ends[0], 100 * ends[1])}"
    if value < 1:
        return f"{subject} {digits(1 / value)} times {lower} than {b} {bracket(1 / high, _inverse(low))}"
    return f"{subject} {digits(value)} times {higher} than {b} {bracket(low, high)}"


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf


def _subject(quantity: Quantity, a: str) -> tuple[str, str, str]:
    """Subject and verb, and the words for less and more."""
    if str(quantity) in {"loss", "loss@last"}:
        return f"{a} ends", "lower", "higher"
    if quantity.reducer == "epochs_to" and quantity.where is None:
        return f"{a} reaches {_goal(quantity)}", "earlier", "later"
    if str(quantity) in {"epochs", "updates"}:
        return f"{a} runs for", f"fewer {quantity.name}", f"more {quantity.name}"
    return f"{spoken(quantity)} of {a} is", "lower", "higher"


def spoken(quantity: Quantity) -> str:
    """What sentences call a quantity: that of an instrument by its words.

    Example:
        >>> from gradlab.study.quantity import parse_quantity
        >>> spoken(parse_quantity("loss.test")), spoken(parse_quantity("gradient_norm"))
        ('test loss', 'gradient_norm')
    """
    words = value_words(quantity.trace) if quantity.instrument else ""
    if not words:
        return _SPOKEN.get(str(quantity), str(quantity))
    axis = AXES.get(quantity.axis, quantity.axis)
    if quantity.reducer == "at_loss":
        return f"{words} at training loss {number_text(quantity.threshold or 0)}"
    if quantity.reducer == "at_updates":
        return f"{words} after {number_text(quantity.threshold or 0)} updates"
    if quantity.reducer in BY_PLACE:
        return f"{axis} of the {'smallest' if quantity.reducer == 'argmin' else 'largest'} {words}"
    if quantity.where or quantity.reducer not in {"", *_LARGEST}:
        return str(quantity).replace(quantity.trace, words)
    if quantity.reducer or quantity.window:
        return _LARGEST.get(quantity.reducer, "") + words + _stretch(quantity, axis)
    if isinstance(quantity.at, int | float) and quantity.axis != "epoch":
        return f"{words} at {axis} {number_text(quantity.at)}"
    return words


def _stretch(quantity: Quantity, axis: str) -> str:
    """Between which places of its axis a quantity is looked at."""
    low, high = (None if b is None else number_text(b) for b in quantity.window or (None, None))
    if low is None:
        return "" if high is None else f" up to {axis} {high}"
    return f" from {axis} {low} on" if high is None else f" between {axis} {low} and {high}"


def event_words(event: object) -> str:
    """An event in words: flags by their name."""
    text = str(event)
    names = {
        "flag_constant": "predict a constant",
        "flag_dead": "are dead",
        "flag_diverged": "diverged",
    }
    if text in names:
        return names[text]
    quantity = getattr(event, "quantity", None)
    if isinstance(quantity, Quantity) and quantity.reducer == "epochs_to":
        limit = getattr(event, "value", None)
        verb = "reach" if quantity.known.worst == "low" else "fall below"
        goal = f"{verb} {_goal(quantity)}"
        return goal if limit is None else f"{goal} within {number_text(limit)} epochs"
    if isinstance(quantity, Quantity) and quantity.instrument:
        words = spoken(quantity)
        limit, operator = getattr(event, "value", None), getattr(event, "operator", None)
        return (
            f"have: {words}" if operator is None else f"have {words} {operator} {number_text(limit or 0.0)}"
        )
    return f"have {text}"


def _goal(quantity: Quantity) -> str:
    name = _SPOKEN.get(quantity.trace, quantity.trace)
    article = "an" if name[0] in "aeiou" else "a"
    threshold = quantity.threshold or 0.0
    return f"{article} {name} of {percent(threshold) if quantity.name in _RATES else number_text(threshold)}"
