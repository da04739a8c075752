from __future__ import annotations

import pytest

from gradlab.study.claim_text import KINDS, parse_claim
from gradlab.study.grammar import GrammarError


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ('less("loss", "deep", than="shallow")', "less(loss, deep, than=shallow)"),
        ("less( loss,deep, than = shallow )", "less(loss, deep, than=shallow)"),
        ("less(loss, 32, than='64')", "less(loss, '32', than='64')"),
        ("less(loss, deep, than=-1)", "less(loss, deep, than=-1)"),
        ("less(loss, '2 layers', than='model=wide')", "less(loss, '2 layers', than='model=wide')"),
        ("fewer(epochs_to(loss, 0.0010), a, than=b)", "fewer(epochs_to(loss, 1e-3), a, than=b)"),
        ("ranked(loss, 16, 32)", "all_of(less(loss, '16', than='32'))"),
        (
            "peaks(accuracy, along=batch, within=[16, 32])",
            "peaks(accuracy, along=batch, end=high, within=['16', '32'])",
        ),
        ("untestable('a \"because\"')", "untestable('a \"because\"')"),
    ],
)
def test_quantities_levels_and_numbers_stand_bare_or_quoted(text: str, normal: str) -> None:
    assert str(parse_claim(text)) == normal
    assert parse_claim(normal) == parse_claim(text)


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("les(loss, a, than=b)", "unknown kind of claim", "less"),
        ("less(los, a, than=b)", "unknown quantity", "loss"),
        ("less(loss, a, then=b)", "less has no such argument", "than"),
        ("less(loss, a)", "missing a required argument: 'than'", None),
        ("less(loss, a, b, than=c)", "too many positional arguments", None),
        ("less(loss, 2 layers, than=x)", "this is not a claim", None),
        ("equal(loss, a, b, within=wide)", "could not convert", None),
        ("correlates(loss, loss, over=run)", "over:", None),
        ("ranked(loss, a)", "at least two levels", None),
        ("less", "this is not a claim", None),
        ("less.more(loss)", "this is not a claim", None),
        ("__import__('os').system('true')", "this is not a claim", None),
        ("all_of(less(loss, a, than=b), open(1))", "unknown kind of claim", None),
    ],
)
def test_what_is_wrong_is_said_in_place(text: str, message: str, suggestion: str | None) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_claim(text)
    assert message in caught.value.problem.message
    assert caught.value.problem.suggestion == suggestion


def test_unquoted_level_names_are_explained() -> None:
    with pytest.raises(GrammarError, match="in quotes"):
        parse_claim("less(loss, 2 layers, than=x)")


def test_text_knows_every_kind_that_python_does() -> None:
    assert set(KINDS) == {
        "all_of", "correlates", "equal", "fact", "falls", "fewer", "less", "matches", "more", "not_", "peaks",
        "plateaus", "ranked", "reaches", "rises", "share", "untestable",
    }  # fmt: skip
