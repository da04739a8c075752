from __future__ import annotations

import pytest
from pydantic import ValidationError

from gradlab.component import Component
from gradlab.study.claims import (
    Claim,
    Scope,
    all_of,
    claim,
    correlates,
    equal,
    fact,
    falls,
    fewer,
    less,
    matches,
    more,
    not_,
    peaks,
    plateaus,
    ranked,
    reaches,
    rises,
    share,
    untestable,
)
from gradlab.study.kinds import AllOf, Share, Test

MODELS = {name: {"model": name} for name in ("deep", "medium", "shallow")}
GRID = {f"{m}, {b}": {"model": m, "batch": b} for m in ("deep", "wide") for b in ("16", "32", "64")}


def messages(test: str | Test, scope: Scope) -> list[str]:
    return [problem.message for problem in Claim.model_validate(test).check(scope, "claims.0")]


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (less("loss", "deep", than="shallow"), "less(loss, deep, than=shallow)"),
        (more("accuracy.test", "deep", than=0.9), "more(accuracy.test, deep, than=0.9)"),
        (less("loss", "deep", than="shallow", factor=2), "less(loss, deep, than=shallow, factor=2)"),
        (less("loss", "model=deep", than="b", by=0.1), "less(loss, 'model=deep', than=b, by=0.1)"),
        (
            fewer("epochs_to(loss, 1e-3)", "deep", than="shallow", interest=2),
            "fewer(epochs_to(loss, 1e-3), deep, than=shallow, interest=2)",
        ),
        (equal("loss", "a", "b", within=1), "equal(loss, a, b, within=1)"),
        (plateaus("loss", "a", after=500, factor=1.1), "equal(loss@last, a, loss@500, factor=1.1)"),
        (share("flag_dead", "a", at_most=0.1), "share(flag_dead, a, at_most=0.1)"),
        (share("loss@last < 0.01", "a", than="b"), "share(loss@last < 0.01, a, than=b)"),
        (reaches("loss", 1e-3, "a"), "share(epochs_to(loss, 1e-3), a, at_least=0.5)"),
        (
            reaches("accuracy", 0.9, within=10, at_least=0.8),
            "share(epochs_to(accuracy, 0.9) <= 10, at_least=0.8)",
        ),
        (
            correlates("loss", "gradient_norm", over="epochs", sign="negative"),
            "correlates(loss, gradient_norm, over=epochs, sign=negative)",
        ),
        (rises("gradient_norm"), "rises(gradient_norm)"),
        (falls("loss", along="batch", strict=True), "falls(loss, along=batch, strict=True)"),
        (
            peaks("accuracy", along="batch", within=["32"]),
            "peaks(accuracy, along=batch, end=high, within=['32'])",
        ),
        (
            ranked("loss", "deep", "medium", "shallow"),
            "all_of(less(loss, deep, than=medium), less(loss, medium, than=shallow))",
        ),
        (ranked("accuracy", "deep", "shallow"), "all_of(more(accuracy, deep, than=shallow))"),
        (matches("loss@last", 4.9e-4, "deep"), "matches(loss@last, 4.9e-4, deep)"),
        (fact("parameters(deep) == 571"), "fact(parameters(deep) == 571)"),
        (not_(less("loss", "a", than="b")), "not_(less(loss, a, than=b))"),
        (untestable("an opinion"), "untestable('an opinion')"),
    ],
)
def test_python_and_text_are_the_same_claim(made: Test, text: str) -> None:
    assert str(made) == text
    assert Claim.model_validate(text).test == made


def test_a_claim_has_words_an_identity_and_two_readings() -> None:
    made = claim(
        less("loss", "deep", than="shallow"),
        id="S001-1",
        says="Deep nets fit better.",
        as_reported="less(loss@last, deep, than=shallow)",
        note="one seed",
    )
    assert (made.words, made.key) == ("Deep nets fit better.", "S001-1")
    assert made.tree() == {
        "id": "S001-1",
        "says": "Deep nets fit better.",
        "test": "less(loss, deep, than=shallow)",
        "as_reported": "less(loss@last, deep, than=shallow)",
        "note": "one seed",
    }
    assert Claim.model_validate(made.tree()) == made
    plain = Claim.model_validate("less(loss, deep, than=shallow)")
    assert (plain.words, plain.key) == (str(plain.test), str(plain.test))


def test_a_study_says_everything_that_is_wrong_with_its_claims_at_once() -> None:
    class Study(Component):
        claims: tuple[Claim, ...]

    with pytest.raises(ValidationError) as caught:
        Study.model_validate({"claims": ["les(loss)", {"test": "less(los, a, than=b)"}, {"test": 3}]})
    errors = caught.value.errors()
    assert [error["loc"][:2] for error in errors] == [("claims", 0), ("claims", 1), ("claims", 2)]
    assert errors[0]["ctx"]["found"] == "les"
    assert "less" in errors[0]["ctx"]["choices"]


def test_knows_what_to_record_and_which_thresholds_to_track() -> None:
    made = Claim(
        test=all_of(fewer("epochs_to(loss, 1e-3)", "a", than="b"), reaches("loss", 0.01, "a")),
        as_reported=less("gradient_norm@last", "a", than="gradient_norm@10"),
    )
    assert made.thresholds() == (0.001, 0.01)
    assert {name for q in made.quantities() for name in q.recorded()} == {"loss", "gradient_norm"}


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("less(loss, deep, than=shalow)", "no level or condition has this name"),
        ("less(loss, deep, than=deep)", "these name the same condition"),
        ("less(loss, 'modle=deep', than=shallow)", "no factor has this name"),
        ("less(loss, 'model=dep', than=shallow)", "model has no such level"),
        ("less(loss, deep, than=shallow, by=1, factor=2)", "a comparison has one margin"),
        ("less(loss, deep, than=shallow, factor=-1)", "a factor is above 0"),
        ("less(slope(loss), deep, than=shallow, factor=2)", "a slope has no factor"),
        ("less(loss@500, deep, than=shallow)", "this epoch is never reached"),
        ("less(gradient_norm, deep, than=shallow)", "the study does not record this"),
        ("less(predictions, deep, than=shallow)", "is not one number per run"),
        ("equal(loss, deep, shallow)", "an equality needs one margin"),
        ("equal(loss, deep, shallow, within=0)", "a margin is above 0"),
        ("equal(loss, deep, shallow, factor=0.9)", "a factor of equality is above 1"),
        ("share(flag_dead, deep)", "a share needs one of"),
        ("share(flag_dead, deep, at_least=1)", "no number of runs can show this"),
        ("share(flag_dead, deep, at_most=0)", "no number of runs can show this"),
        ("correlates(loss@last, loss, deep, over=epochs)", "over epochs, a quantity is a recorded series"),
        ("rises(loss@last)", "along epochs, a quantity is a recorded series"),
        ("rises(loss, strict=True)", "strict goes with a factor"),
        ("rises(loss, along=batch)", "no factor has this name"),
        ("peaks(loss, along=model, within=[dep])", "model has no such level"),
        ("peaks(loss, along=model, within=[deep, medium, shallow])", "some levels but not all"),
        ("matches(loss, 0.1, deep, read_error=-1)", "an error of reading is not negative"),
        ("fact(parameters(dep) == 571)", "no level or condition has this name"),
        ("fact(parameters(deep))", "a fact is one comparison"),
        ("all_of()", "all_of needs at least one claim"),
        ("not_(less(loss, dep, than=shallow))", "no level or condition has this name"),
    ],
)
def test_an_impossible_claim_is_told_before_anything_runs(test: str, message: str) -> None:
    found = messages(test, Scope(MODELS, recorded=["loss", "predictions"], epochs=100))
    assert any(message in each for each in found), found


@pytest.mark.parametrize(
    "test",
    [
        "less(loss, deep, than=shallow)",
        "less(loss, 'model=deep', than=0.01)",
        "less(loss, deep, than=loss@50)",
        "less(roughness(loss[0.9:]), deep, than=roughness(loss[:0.1]))",
        "ranked(loss, deep, medium, shallow)",
        "rises(loss, along=model)",
        "correlates(loss, epochs, over=conditions)",
        "share(flag_dead, than=deep)",
        "fact(parameters(deep) > parameters(shallow))",
        "untestable(opinion)",
    ],
)
def test_a_possible_claim_has_no_problems(test: str) -> None:
    assert messages(test, Scope(MODELS, recorded=["loss"], epochs=100)) == []


def test_all_problems_of_one_claim_come_together_with_the_nearest_spelling() -> None:
    problems = Claim.model_validate("less(loss@500, deeep, than=shallow, factor=-1)").check(
        Scope(MODELS, epochs=100), "claims.3"
    )
    assert len(problems) == 3
    assert {problem.path for problem in problems} == {"claims.3"}
    assert "deep" in {problem.suggestion for problem in problems}


def test_a_level_named_twice_asks_for_its_factor() -> None:
    twice = {"a": {"model": "32", "batch": "32"}, "b": {"model": "64", "batch": "32"}}
    problem = Claim.model_validate("rises(loss, 32)").check(Scope(twice))[0]
    assert problem.allowed == "batch=32, model=32"


def test_python_says_the_same_as_text_about_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="at least two levels"):
        ranked("loss", "deep")
    with pytest.raises(ValueError, match="unknown quantity"):
        less("los", "a", than="b")


def test_compound_claims_hold_their_parts() -> None:
    made = all_of("less(loss, a, than=b)", not_("share(flag_dead, a, at_most=0.1)"))
    assert [type(leaf).__name__ for leaf in made.leaves()] == ["Compare", "Share"]
    assert isinstance(made, AllOf)
    assert isinstance(reaches("loss", 1.0), Share)
