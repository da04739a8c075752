from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gradlab.judge.verdict import Verdict, combine_settings
from gradlab.study.claims import Claim

CLAIM = Claim.model_validate("less(loss, deep, than=shallow)")


def verdict(outcome: str, **more: object) -> Verdict:
    return replace(Verdict(CLAIM, outcome, sentence="deep ends lower", n=(20, 20)), **more)  # pyright: ignore


def test_survives_json_with_infinities() -> None:
    inner = verdict("inconclusive", setting="lr=0.1", interval=(float("-inf"), 2.0))
    whole = verdict(
        "supported",
        value=float("inf"),
        interval=(1.5, float("inf")),
        shares={"deep": {"diverged": 1}},
        warnings=("one",),
        per_setting=(inner,),
        parts=(inner,),
        as_reported=inner,
        p=0.01,
    )
    text = json.dumps(whole.to_dict(), allow_nan=False)
    assert Verdict.from_dict(json.loads(text)) == whole


def test_the_outcome_shows_what_is_needed() -> None:
    few = verdict("too few replicates", needed_n=6)
    assert few.shown == "too few replicates (needs 6)"
    assert few.made_preliminary().shown == "preliminary-too few replicates (needs 6)"
    assert few.made_preliminary().decision == "too few replicates"
    assert few.made_preliminary().preliminary


@pytest.mark.parametrize("outcome", ["not judged yet", "untestable"])
def test_what_is_no_verdict_is_not_preliminary(outcome: str) -> None:
    assert verdict(outcome).made_preliminary().outcome == outcome


def test_power_is_told_or_not_declared() -> None:
    assert verdict("supported").power == "none declared"
    assert verdict("supported", interest=2.0).power == "out of reach"
    assert verdict("supported", interest=2.0, power_n=1234).power == "1,234"


def test_all_settings_agree() -> None:
    both = combine_settings(
        {"lr=0.1": verdict("supported", p=0.01), "lr=1": verdict("supported", p=0.02)}, CLAIM
    )
    assert both.outcome == "supported"
    assert both.p == 0.02
    assert [each.setting for each in both.per_setting] == ["lr=0.1", "lr=1"]


def test_or_it_depends_on_the_setting() -> None:
    found = combine_settings({"lr=0.1": verdict("supported"), "lr=1": verdict("inconclusive")}, CLAIM)
    assert found.outcome == "depends on lr"
    assert found.sentence == "supported at lr=0.1; inconclusive at lr=1"


def test_only_the_factor_that_decides_is_named() -> None:
    found = combine_settings(
        {
            "lr=0.1, batch=16": verdict("supported"),
            "lr=0.1, batch=32": verdict("supported"),
            "lr=1, batch=16": verdict("contradicted"),
            "lr=1, batch=32": verdict("contradicted"),
        },
        CLAIM,
    )
    assert found.outcome == "depends on lr"
    assumed = combine_settings(
        {
            "as declared": verdict("supported"),
            "optimizer.weight_decay=0": verdict("supported"),
            "points=100": verdict("inconclusive"),
        },
        CLAIM,
    )
    assert assumed.outcome == "depends on points"
    assert assumed.sentence == (
        "supported as declared and at optimizer.weight_decay=0; inconclusive at points=100"
    )


def test_one_setting_is_just_the_verdict() -> None:
    assert combine_settings({"": verdict("supported")}, CLAIM) == verdict("supported")
    with pytest.raises(ValueError, match="nothing to combine"):
        combine_settings({}, CLAIM)


def test_a_setting_that_waits_makes_all_wait() -> None:
    found = combine_settings({"lr=1": verdict("supported"), "lr=2": verdict("not judged yet")}, CLAIM)
    assert found.outcome == "not judged yet"
