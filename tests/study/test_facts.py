from __future__ import annotations

import pytest

from gradlab.study.facts import Reference, parse_fact
from gradlab.study.grammar import GrammarError


@pytest.mark.parametrize(
    ("text", "values", "truth"),
    [
        ("parameters(deep) == 571", {"parameters": 571.0}, True),
        ("parameters(deep) != 571", {"parameters": 571.0}, False),
        ("optimizer.lr(deep) < 0.01", {"optimizer.lr": 0.001}, True),
        ("3 >= layers('model=deep')", {"layers": 4.0}, False),
    ],
)
def test_compares_numbers_and_settings(text: str, values: dict[str, float], truth: bool) -> None:
    assert parse_fact(text).holds(lambda reference: values[reference.name]) is truth


def test_names_the_conditions_it_speaks_of() -> None:
    fact = parse_fact("layers(deep) > layers('batch=32')")
    assert fact.conditions() == ["deep", "batch=32"]
    assert fact.right == Reference("layers", "batch=32")


@pytest.mark.parametrize(
    "text", ["layers(deep)", "1 < 2 < 3", "layers(deep) in x", "f(a)(b) == 1", "a == 1", "("]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(GrammarError):
        parse_fact(text)
