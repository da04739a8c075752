"""The rules of verdicts, each in its own words."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from judged_runs import Runs, verdict_on, verdicts_on

from gradlab.errors import StudyError
from gradlab.judge import Verdict, adjust, judge
from gradlab.study.claims import Claim

rng = np.random.default_rng(20)
LOW, HIGH = rng.lognormal(-3, 0.5, 20), rng.lognormal(0, 0.5, 20)
SAME = rng.lognormal(0, 0.5, 20)


def two(a: np.ndarray, b: np.ndarray, **more: object) -> Runs:
    return Runs({"deep": {"loss": a}, "shallow": {"loss": b}}, **more)  # pyright: ignore


LESS = "less(loss, deep, than=shallow)"


def test_supported_contradicted_inconclusive() -> None:
    assert verdict_on(LESS, two(LOW, HIGH)).outcome == "supported"
    assert verdict_on(LESS, two(HIGH, LOW)).outcome == "contradicted"
    assert verdict_on(LESS, two(SAME, HIGH)).outcome == "inconclusive"


def test_every_verdict_carries_effect_interval_n_null_and_power() -> None:
    found = verdict_on("less(loss, deep, than=shallow, interest=2)", two(LOW, HIGH))
    assert found.effect == "median ratio"
    assert found.value == pytest.approx(np.exp(-3), rel=0.3)
    assert found.interval is not None
    low, high = found.interval
    assert low < found.value < high < 1
    assert found.confidence == 0.95
    assert found.n == (20, 20)
    assert found.superiority == 1.0
    assert "as often below as above" in found.null
    assert found.power_n is not None
    assert 8 <= found.power_n <= 25
    assert verdict_on(LESS, two(LOW, HIGH)).power == "none declared"


def test_the_smallest_effect_of_the_study_counts_where_the_claim_has_none() -> None:
    own = verdict_on("less(loss, deep, than=shallow, interest=3)", two(LOW, HIGH))
    of_study = verdict_on(LESS, two(LOW, HIGH, smallest_effect=3.0))
    assert own.power_n == of_study.power_n is not None


def test_too_few_replicates_says_how_many_it_needs() -> None:
    for pairing in (False, True):
        found = verdict_on(LESS, two(LOW[:5], HIGH[:5], paired=pairing))
        assert found.shown == "too few replicates (needs 7)"
        assert verdict_on(LESS, two(LOW[:6], HIGH[:6], paired=pairing)).outcome == "supported"
        extended = two(LOW[:7], HIGH[:7], paired=pairing)
        assert verdict_on(LESS, extended, looks=[5]).outcome == "supported"  # so many are indeed enough


def test_a_share_near_one_needs_many_runs() -> None:
    runs = Runs({"deep": {"loss": np.ones(20), "flag_dead": np.zeros(20)}})
    assert verdict_on("share(flag_dead, deep, at_most=0.05)", runs).shown == "too few replicates (needs 86)"
    assert verdict_on("share(flag_dead, deep, at_most=0.2)", runs).outcome == "supported"


def test_no_verdict_before_the_declared_n() -> None:
    found = verdict_on(LESS, two(LOW[:12], HIGH[:12], declared=20))
    assert found.outcome == "not judged yet"
    assert found.sentence.endswith("12 of 20 replicates")
    assert found.interval is not None
    assert found.p is None


def test_a_study_that_has_only_begun_waits() -> None:
    runs = two(LOW, np.zeros(0), declared=20)
    for claim in (LESS, "ranked(loss, deep, shallow)", "share(flag_dead, shallow, at_most=0.1)"):
        found = verdict_on(claim, runs)
        assert (found.outcome, found.p) == ("not judged yet", None)
        assert found.sentence == "shallow has no run to judge; 0 of 20 replicates"


def test_an_extension_spends_half_of_what_the_last_look_did() -> None:
    runs = two(LOW, HIGH, declared=6)
    assert verdict_on(LESS, runs).alpha == 0.025
    assert verdict_on(LESS, runs, looks=[6]).alpha == 0.0125
    assert verdict_on(LESS, runs, looks=[6, 12]).alpha == 0.00625
    assert verdict_on(LESS, runs, looks=[20]).alpha == 0.025
    by_claim = verdict_on(LESS, runs, looks={LESS: [6, 12], "other": [1, 2, 3]})
    assert (by_claim.alpha, by_claim.extension, by_claim.confidence) == (0.00625, 2, 1 - 2 * 0.00625)


def test_an_extension_can_undo_what_an_easier_level_would_grant() -> None:
    # 9 of 10 pairs point down: p = 0.0107, enough for a first look and not for a second extension.
    a, b = np.array([1.0] * 9 + [3.0]), np.full(10, 2.0)
    runs = two(a, b, paired=True, declared=6)
    assert verdict_on(LESS, runs).outcome == "supported"
    assert verdict_on(LESS, runs, looks=[6, 8]).outcome == "inconclusive"


def test_a_quick_budget_that_cut_epochs_is_preliminary() -> None:
    cut, replicates_only = two(LOW, HIGH, preliminary=True), two(LOW, HIGH)
    assert verdict_on(LESS, cut, budget="quick").outcome == "preliminary-supported"
    assert verdict_on(LESS, replicates_only, budget="quick").outcome == "supported"
    assert verdict_on(LESS, replicates_only, budget="full").outcome == "supported"
    assert verdict_on("fact(parameters(deep) == 571)", cut, budget="quick").outcome == "supported"


def test_a_full_budget_that_was_cut_for_one_run_is_preliminary_too() -> None:
    assert verdict_on(LESS, two(LOW, HIGH, preliminary=True)).outcome == "preliminary-supported"


def test_pairing_is_decided_by_the_specification_and_its_correlation_shown() -> None:
    common = rng.normal(size=20) * 3
    a, b = np.exp(common), np.exp(common + 0.5 + 0.1 * rng.normal(size=20))
    assert verdict_on(LESS, two(a, b)).outcome == "inconclusive"
    found = verdict_on(LESS, two(a, b, paired=True))
    assert (found.outcome, found.paired, found.n) == ("supported", True, (20,))
    assert found.pair_correlation == pytest.approx(1, abs=0.05)
    assert verdict_on(LESS, two(a, b)).pair_correlation is None


def test_nothing_is_dropped_and_a_verdict_that_hangs_on_bad_runs_says_so() -> None:
    bad = np.zeros(20, dtype=bool)
    bad[:9] = True
    runs = Runs({"deep": {"loss": np.where(bad, 0.5, LOW), "flagged": bad}, "shallow": {"loss": HIGH}})
    found = verdict_on(LESS, runs)
    assert found.outcome == "inconclusive"
    assert found.shares["deep"]["constant or dead"] == 9
    assert any(
        "without the constant, dead and diverged runs it would be supported" in w for w in found.warnings
    )
    clean = verdict_on(LESS, two(LOW, HIGH))
    assert clean.warnings == ()


def test_never_reaching_ranks_worst() -> None:
    reach = "fewer(epochs_to(loss, 1e-3), deep, than=shallow)"
    never = {"loss": np.ones(10), "epochs_to(loss, 1e-3)": np.full(10, np.inf)}
    fast = {"loss": np.ones(10), "epochs_to(loss, 1e-3)": np.arange(10.0) + 100}
    assert verdict_on(reach, Runs({"deep": fast, "shallow": never})).outcome == "supported"
    both = verdict_on(reach, Runs({"deep": never, "shallow": never}))
    assert both.outcome == "inconclusive"
    assert both.shares["deep"]["never"] == 10
    assert both.sentence.endswith("10 of 10 and 10 of 10 runs never do")


def test_a_margin_moves_the_null() -> None:
    runs = two(LOW, LOW * 10)
    assert verdict_on("less(loss, deep, than=shallow, factor=3)", runs).outcome == "supported"
    assert verdict_on("less(loss, deep, than=shallow, factor=10)", runs).outcome == "inconclusive"
    assert verdict_on("less(loss, deep, than=shallow, factor=40)", runs).outcome == "contradicted"
    apart = two(np.arange(20.0), np.arange(20.0) + 50)
    assert verdict_on("less(loss, deep, than=shallow, by=20)", apart).outcome == "supported"
    assert verdict_on("more(loss, shallow, than=deep, by=20)", apart).outcome == "supported"
    assert verdict_on("more(loss, shallow, than=deep, by=80)", apart).outcome == "contradicted"


def test_equality_needs_a_margin_and_absence_of_evidence_is_not_it() -> None:
    tight, wide = np.exp(0.05 * rng.normal(size=20)), np.exp(2 * rng.normal(size=20))
    assert (
        verdict_on("equal(loss, deep, shallow, factor=1.2)", two(tight, tight[::-1])).outcome == "supported"
    )
    assert (
        verdict_on("equal(loss, deep, shallow, factor=1.2)", two(wide, wide[::-1])).outcome == "inconclusive"
    )
    far = verdict_on("equal(loss, deep, shallow, factor=1.2)", two(tight, 3 * tight))
    assert far.outcome == "contradicted"
    assert far.power_n is not None


def test_a_comparison_with_a_number_or_with_another_quantity() -> None:
    runs = Runs({"deep": {"loss": LOW, "loss@last": LOW, "loss@0": HIGH}})
    assert verdict_on("less(loss, deep, than=1)", runs).outcome == "supported"
    against = verdict_on("more(loss, deep, than=1)", runs)
    assert (against.outcome, against.effect) == ("contradicted", "median")
    assert against.value == pytest.approx(float(np.median(LOW)))
    assert against.sentence.endswith("against 1")
    found = verdict_on("less(loss@last, deep, than=loss@0)", runs)
    assert (found.outcome, found.paired) == ("supported", True)


def test_shares_between_two_conditions() -> None:
    dead, fine = {"loss": SAME, "flag_dead": np.ones(20)}, {"loss": SAME, "flag_dead": np.zeros(20)}
    runs = Runs({"deep": dead, "shallow": fine})
    found = verdict_on("share(flag_dead, deep, than=shallow)", runs)
    assert (found.outcome, found.test) == ("supported", "Barnard's exact test")
    assert found.sentence.startswith("20 of 20 runs of deep and 0 of 20 of shallow are dead")
    pairs = verdict_on(
        "share(flag_dead, deep, than=shallow)", Runs({"deep": dead, "shallow": fine}, paired=True)
    )
    assert (pairs.outcome, pairs.test) == ("supported", "McNemar's exact test")


def test_epochs_are_never_n() -> None:
    epochs = np.arange(500)
    curves = np.exp(-epochs / 50)[None] + 0.001 * rng.random((5, 500))
    runs = Runs(
        {"deep": {"loss": curves[:, -1]}}, curves={"deep": {"loss": curves, "gradient_norm": curves * 2}}
    )
    for claim in ("falls(loss)", "correlates(loss, gradient_norm, deep, over=epochs)"):
        found = verdict_on(claim, runs)
        assert (found.n, found.shown) == ((5,), "too few replicates (needs 7)")


def test_a_curve_that_falls_in_every_run_falls() -> None:
    curves = np.exp(-np.arange(60) / 20)[None] + 0.01 * rng.random((8, 60))
    runs = Runs({"deep": {"loss": curves[:, -1]}}, curves={"deep": {"loss": curves}})
    assert verdict_on("falls(loss)", runs).outcome == "supported"
    assert verdict_on("rises(loss)", runs).outcome == "contradicted"
    assert verdict_on("falls(loss)", runs).value == pytest.approx(-1, abs=0.1)


LADDER = {str(k): {"batch": str(k)} for k in (1, 2, 4)}


def ladder(means: tuple[float, float, float], paired: bool = False) -> Runs:
    return Runs(
        {
            name: {"loss": np.exp(mean + 0.3 * np.random.default_rng(k).normal(size=15))}
            for k, (name, mean) in enumerate(zip(LADDER, means, strict=True))
        },
        levels=LADDER,
        paired=paired,
    )


@pytest.mark.parametrize("paired", [False, True])
def test_a_trend_along_a_factor(paired: bool) -> None:
    assert verdict_on("rises(loss, along=batch)", ladder((0, 1, 2), paired)).outcome == "supported"
    assert verdict_on("falls(loss, along=batch)", ladder((0, 1, 2), paired)).outcome == "contradicted"
    assert (
        verdict_on("rises(loss, along=batch, strict=True)", ladder((0, 1, 2), paired)).outcome == "supported"
    )
    bent = verdict_on("rises(loss, along=batch, strict=True)", ladder((0, 3, 2), paired))
    assert bent.outcome == "contradicted"
    assert any("not monotone" in warning for warning in bent.warnings)
    assert (
        verdict_on("falls(loss, along=batch, strict=True)", ladder((2, 1, 0), paired)).outcome == "supported"
    )


def test_where_the_optimum_lies() -> None:
    runs = ladder((0, -2, 1))
    assert verdict_on("peaks(loss, along=batch, within=[2], end=low)", runs).outcome == "supported"
    assert verdict_on("peaks(loss, along=batch, within=[4], end=low)", runs).outcome == "contradicted"
    assert verdict_on("peaks(loss, along=batch, within=[4], end=high)", runs).outcome == "supported"


def test_correlation_over_runs_and_over_conditions() -> None:
    x = rng.normal(size=30)
    runs = Runs({"deep": {"loss": x, "weight_norm": x + 0.2 * rng.normal(size=30)}})
    assert verdict_on("correlates(loss, weight_norm, deep)", runs).outcome == "supported"
    assert verdict_on("correlates(loss, weight_norm, deep, sign=negative)", runs).outcome == "contradicted"
    few = Runs({"deep": {"loss": x[:8], "weight_norm": x[:8]}})
    assert verdict_on("correlates(loss, weight_norm)", few).shown == "too few replicates (needs 14)"
    many = Runs({
        f"m{k}": {"loss": np.full(3, float(k)), "weight_norm": np.full(3, k + 1.0)} for k in range(6)
    })
    over = verdict_on("correlates(loss, weight_norm, over=conditions)", many)
    assert (over.outcome, over.value) == ("supported", 1.0)


def test_a_published_value_is_consistent_or_not() -> None:
    runs = two(LOW, HIGH)
    middle = float(np.median(LOW))
    assert verdict_on(f"matches(loss, {middle}, deep)", runs).outcome == "consistent"
    assert verdict_on("matches(loss, 50, deep)", runs).outcome == "inconsistent"
    assert verdict_on("matches(loss, 50, deep, read_error=49.95)", runs).outcome == "consistent"
    assert verdict_on("not_(matches(loss, 50, deep))", runs).outcome == "consistent"


def test_facts_are_computed() -> None:
    runs = two(
        LOW, HIGH, spec=SimpleNamespace(stop=None, optimizer=SimpleNamespace(lr=0.1), batch_size="full")
    )
    assert verdict_on("fact(parameters(deep) == parameters(shallow))", runs).outcome == "supported"
    assert verdict_on("fact(optimizer.lr(deep) < 0.01)", runs).outcome == "contradicted"
    with pytest.raises(StudyError, match="is not a number of the plan"):
        verdict_on("fact(batch_size(deep) == 3)", runs)


def test_conjunctions_and_negations() -> None:
    three = Runs({"a": {"loss": LOW}, "b": {"loss": SAME}, "c": {"loss": 10 * HIGH}})
    assert verdict_on("ranked(loss, a, b, c)", three).outcome == "supported"
    assert verdict_on("ranked(loss, c, b, a)", three).outcome == "contradicted"
    assert verdict_on("not_(ranked(loss, c, b, a))", three).outcome == "supported"
    mixed = verdict_on("all_of(less(loss, a, than=b), less(loss, c, than=b))", three)
    assert mixed.outcome == "contradicted"
    assert [part.outcome for part in mixed.parts] == ["supported", "contradicted"]
    assert verdict_on("all_of(less(loss, a, than=b), fact(1 > 2))", three).outcome == "contradicted"
    assert verdict_on("all_of(less(loss, a, than=b), fact(2 > 1))", three).outcome == "supported"
    assert verdict_on("all_of(less(loss, a, than=b), untestable(taste))", three).outcome == "untestable"
    assert verdict_on("untestable('a matter of taste')", three).sentence == "a matter of taste"


def test_other_factors_must_agree_or_it_depends_on_them() -> None:
    levels = {f"{m}, {b}": {"model": m, "batch": b} for m in ("deep", "wide") for b in ("1", "2")}
    losses = {"deep, 1": LOW, "wide, 1": HIGH, "deep, 2": SAME, "wide, 2": HIGH}
    runs = Runs({name: {"loss": values} for name, values in losses.items()}, levels=levels)
    found = verdict_on("less(loss, deep, than=wide)", runs)
    assert found.outcome == "depends on batch"
    assert [(v.setting, v.outcome) for v in found.per_setting] == [
        ("batch=1", "supported"),
        ("batch=2", "inconclusive"),
    ]
    losses["deep, 2"] = LOW
    agreed = verdict_on(
        "less(loss, deep, than=wide)", Runs({n: {"loss": v} for n, v in losses.items()}, levels=levels)
    )
    assert agreed.outcome == "supported"


def test_an_assumption_that_changes_the_verdict_is_named() -> None:
    settings = {"deep @ lr=1": "optimizer.lr=1", "shallow @ lr=1": "optimizer.lr=1"}
    cells = {"deep": LOW, "shallow": HIGH, "deep @ lr=1": HIGH, "shallow @ lr=1": LOW}
    runs = Runs({name: {"loss": values} for name, values in cells.items()}, settings=settings)
    assert verdict_on(LESS, runs).outcome == "depends on optimizer.lr"


def test_two_readings_stand_side_by_side() -> None:
    claim = Claim.model_validate({"test": LESS, "as_reported": "more(loss, deep, than=shallow)"})
    found = judge([claim], two(LOW, HIGH))[0]
    assert found.outcome == "supported"
    assert found.as_reported is not None
    assert found.as_reported.outcome == "contradicted"


def test_a_quantity_that_the_stopping_rule_controls_draws_a_warning() -> None:
    stop = SimpleNamespace(stop=SimpleNamespace(kind="loss_below"))
    assert any("stopping rule" in w for w in verdict_on(LESS, two(LOW, HIGH, spec=stop)).warnings)
    early = verdict_on("less(loss@5, deep, than=shallow)", two(LOW, HIGH, spec=stop))
    assert early.warnings == ()


def test_a_report_pays_for_all_its_claims() -> None:
    # 9 of 10 pairs: p = 0.0107, which one claim of four cannot afford; 10 of 10 can.
    b = np.full(10, 2.0)
    runs = Runs(
        {
            "deep": {"loss": np.array([1.0] * 9 + [3.0]), "weight_norm": np.ones(10)},
            "shallow": {"loss": b, "weight_norm": b},
        },
        paired=True,
    )
    claims = [
        LESS,
        "less(weight_norm, deep, than=shallow)",
        "more(loss, deep, than=3)",
        "share(flag_dead, deep, at_most=0.9)",
        "fact(1 < 2)",
    ]
    alone = verdicts_on(claims, runs)
    together = verdicts_on(claims, runs, family="report")
    assert [v.outcome for v in alone][:2] == ["supported", "supported"]
    assert [v.outcome for v in together][:2] == ["inconclusive", "supported"]
    assert not any(v.adjusted for v in alone)
    assert [v.adjusted for v in together] == [True, True, True, True, False]
    assert together[4].outcome == "supported"
    assert adjust(alone) == together


def test_a_claim_that_waits_counts_in_the_family() -> None:
    runs = two(LOW[:6], HIGH[:6], paired=True)
    waiting = two(LOW[:6], HIGH[:6], paired=True, declared=20)
    judged = verdicts_on([LESS], runs)
    open_ = verdicts_on([LESS, "falls(loss, along=model)"][:1], waiting)
    assert judged[0].outcome == "supported"
    assert adjust([*judged, *open_])[0].outcome == "inconclusive"


def test_every_verdict_survives_json() -> None:
    claims = [
        LESS,
        "equal(loss, deep, shallow, factor=2)",
        "untestable(taste)",
        "fact(1 < 2)",
        f"not_({LESS})",
    ]
    for verdict in verdicts_on([*claims, f"all_of({LESS}, {claims[1]})"], two(LOW, HIGH)):
        assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict(), allow_nan=False))) == verdict


def test_the_same_runs_give_the_same_verdict() -> None:
    assert verdict_on(LESS, two(SAME, HIGH)) == verdict_on(LESS, two(SAME, HIGH))
