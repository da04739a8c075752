from __future__ import annotations

import pytest

from gradlab.study.grammar import GrammarError
from gradlab.study.select import pairs, select

GRID = {f"{m}, {b}": {"model": m, "batch": b} for m in ("deep", "wide") for b in ("16", "32")}


def test_a_level_names_every_condition_that_has_it() -> None:
    assert select("deep", GRID).names == ("deep, 16", "deep, 32")
    assert select("batch=16", GRID).names == ("deep, 16", "wide, 16")
    assert select("model=deep, batch=32", GRID).names == ("deep, 32",)
    assert select("deep, 32", GRID).names == ("deep, 32",)
    assert select("", GRID).names == tuple(GRID)


def test_conditions_are_compared_where_all_other_factors_agree() -> None:
    assert [(p.a, p.b, p.setting) for p in pairs("deep", "wide", GRID)] == [
        ("deep, 16", "wide, 16", "batch=16"),
        ("deep, 32", "wide, 32", "batch=32"),
    ]
    assert [(p.a, p.b) for p in pairs("deep, 16", "wide, 32", GRID)] == [("deep, 16", "wide, 32")]
    assert [p.setting for p in pairs("deep", None, GRID)] == ["batch=16", "batch=32"]


def test_one_setting_has_no_name() -> None:
    single = {"deep": {"model": "deep"}, "wide": {"model": "wide"}}
    assert [p.setting for p in pairs("deep", "wide", single)] == [""]


@pytest.mark.parametrize(
    ("selector", "message", "suggestion"),
    [
        ("dep", "no level or condition", "deep"),
        ("modl=deep", "no factor", "model"),
        ("model=dep", "model has no such level", "deep"),
        ("deep, 64", "no level or condition", None),
    ],
)
def test_an_unknown_name_gets_the_nearest_one(selector: str, message: str, suggestion: str | None) -> None:
    with pytest.raises(GrammarError) as caught:
        select(selector, GRID)
    assert message in caught.value.problem.message
    assert caught.value.problem.suggestion == suggestion


def test_nothing_to_compare_is_told() -> None:
    with pytest.raises(GrammarError, match="no two that match"):
        pairs("deep", "deep", GRID)
    with pytest.raises(GrammarError, match="no condition combines"):
        select("model=deep, batch=32", {"deep, 16": GRID["deep, 16"], "wide, 32": GRID["wide, 32"]})
