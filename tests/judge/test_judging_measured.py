"""Claims on what instruments measure: runs, pairs and sets are counted, and nothing is dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted import ALPHAS, result, study, verdict

from gradlab import Every, Hessian, Interpolation, Trajectory
from gradlab.judge import Verdict
from gradlab.study.subjects import Subject

BETWEEN = Interpolation(between=("b8", "b32"))
WITH_PAIRS = {"measure": [BETWEEN], "optimizer": {"adam": {"lr": {"vary": {"fast": 1e-2, "slow": 1e-3}}}}}


def barriers(kind: str, subject: Subject) -> dict[str, Any]:
    """High barriers at the fast learning rate, low ones at the slow; the loss rises beyond alpha 1.5."""
    high = 0.3 if subject.group == "fast" else 0.05
    bump = np.maximum(0, 1 - np.abs(ALPHAS - 0.5) * 2)
    loss = 0.1 + high * bump * (1 + subject.unit / 20) + np.maximum(0, ALPHAS - 1.5)
    return {"barrier": high + subject.unit / 100, "loss": loss, "loss.test": loss + 0.1, "distance": 3.0}


def refusing(*units: int) -> Any:
    """The same, but some units of the slow group could not be measured."""

    def found(kind: str, subject: Subject) -> Any:
        refused = subject.group == "slow" and subject.unit in units
        return "the cause" if refused else barriers(kind, subject)

    return found


def pairs(claim: str, found: Any = barriers, **lab: Any) -> Verdict:
    return verdict(claim, found, fields=WITH_PAIRS, **lab)


def test_groups_of_pairs_are_compared_unit_by_unit() -> None:
    found = pairs("less(interpolation.barrier, slow, than=fast)")
    assert (found.outcome, found.n, found.counted, found.paired) == ("supported", (8,), "pairs", True)
    assert (found.replicates, found.declared_n) == (8, 8)
    assert "of two pairs that share a draw" in found.null
    assert pairs("less(interpolation.barrier, fast, than=slow)").outcome == "contradicted"


def test_words_speak_of_pairs() -> None:
    found = pairs("share(interpolation.barrier > 0.2, at_least=0.5)")
    assert found.outcome == "depends on optimizer.lr"
    fast, slow = found.per_setting
    assert fast.sentence.startswith("8 of 8 pairs of fast have training loss barrier > 0.2: 100 %")
    assert slow.sentence.startswith("0 of 8 pairs of slow")
    assert fast.null == "exactly 50 % of the pairs of fast have training loss barrier > 0.2"


def test_pairs_of_replicates_count_half() -> None:
    fields = {"measure": [Interpolation()], "replicates": 16}
    found = verdict("less(interpolation.distance, than=5)", barriers, fields=fields)
    assert (found.outcome, found.n, found.declared_n) == ("supported", (8,), 8)


def test_sets_are_one_observation_each() -> None:
    fields = {"measure": [Trajectory(runs=4)], "replicates": 24, "batch_size": 8, "epochs": 3}
    found = verdict(
        "more(trajectory.explained_two, than=trajectory.null_two_high)",
        lambda kind, subject: {"explained_two": 0.8 + subject.unit / 100, "null_two_high": 0.6},
        fields=fields,
    )
    assert (found.outcome, found.n, found.counted) == ("supported", (6,), "sets")
    assert "within a set, share of the first two components" in found.null


def test_a_curve_rises_along_its_own_axis_pair_by_pair() -> None:
    found = pairs("rises(interpolation.loss[1.5:], along=alpha)")
    assert found.outcome == "supported"
    assert "rises along alpha in 8 of 8 pairs" in found.per_setting[0].sentence
    assert found.per_setting[0].null == "a pair goes either way equally often"
    assert pairs("falls(interpolation.loss[1.5:], along=alpha)").outcome == "contradicted"


def test_a_curve_peaks_inside_a_window_of_its_axis() -> None:
    found = pairs("peaks(interpolation.loss[0:1], along=alpha, within=[0.4, 0.6])")
    assert found.outcome == "supported"
    one = found.per_setting[0]
    assert "lies between 0.4 and 0.6 in 8 of 8 pairs" in one.sentence
    assert "in 27.3 % of the pairs, as by chance" in one.null  # 3 of the 11 alphas in [0, 1]
    assert pairs("peaks(interpolation.loss[0:1], along=alpha, within=[0.6, 1])").outcome == "contradicted"


def test_a_window_that_holds_every_place_decides_nothing() -> None:
    found = pairs("peaks(interpolation.loss[0:1], along=alpha, within=[-1, 2])")
    assert found.decision in {"inconclusive", "too few replicates"}


def test_the_place_of_an_optimum_is_a_position() -> None:
    found = pairs("share(argmax(interpolation.loss[0:1]) == 0.5, at_least=0.5)")
    assert found.outcome == "supported"
    at = pairs("more(interpolation.loss@0.5, than=interpolation.loss@0)")
    assert at.outcome == "supported"
    nearest = pairs("more(interpolation.loss@0.52, than=interpolation.loss@0)")
    assert nearest.value == at.value


def test_a_number_of_a_run_is_a_series_over_the_epochs_it_was_measured_at() -> None:
    fields = {"measure": [Hessian(at=Every(4))]}

    def found(kind: str, subject: Subject) -> dict[str, float]:
        return {"positive": 0.5 + 0.02 * subject.epoch + 0.001 * subject.unit}

    assert verdict("rises(hessian.positive)", found, fields=fields).outcome == "supported"
    more = verdict("more(hessian.positive@8, than=hessian.positive@4)", found, fields=fields)
    assert (more.outcome, more.counted) == ("supported", "runs")
    # 96 updates at batches of 8 are epoch 12, 24 at batches of 32 too: equal updates compare epochs 3 and 12
    late = verdict("more(at_updates(hessian.positive, 24), b32, than=b8)", found, fields=fields)
    assert late.value == pytest.approx(0.02 * (12 - 4))


def test_numbers_at_equal_loss_lie_between_epochs() -> None:
    made = result(
        study(measure=[Hessian(at=Every(4))]),
        lambda kind, subject: {"positive": 0.1 * subject.epoch},
    )
    # the loss is 2^-epoch: it passes 2^-6 between its epochs, in the middle of two measurements
    values = made.values(f"at_loss(hessian.positive, {2.0**-6})", "fast, b8").values
    assert values == pytest.approx(np.full(8, 0.6), rel=1e-9)
    assert np.isnan(made.values("at_loss(hessian.positive, 1e-9)", "fast, b8").values).all()


def test_recorded_and_measured_numbers_of_runs_go_together() -> None:
    fields = {"measure": [Hessian()], "replicates": 16}

    def found(kind: str, subject: Subject) -> dict[str, float]:
        return {"positive": 0.01 * subject.unit, "largest": 2.0 + subject.unit}

    found_ = verdict("correlates(hessian.positive, hessian.largest)", found, fields=fields)
    assert found_.outcome == "supported"
    kept = verdict("less(where(loss, hessian.positive < 0.08), than=1)", found, fields=fields)
    assert kept.per_setting[0].n == (8,)
    assert "8 runs of fast, b8 were left out by where" in kept.per_setting[0].warnings


def test_what_could_not_be_measured_is_counted_and_speaks_against_every_verdict() -> None:
    one = pairs("less(interpolation.barrier, slow, than=fast)", refusing(3))
    assert one.shares["slow"]["not measured"] == 1
    assert one.n == (8,)
    assert one.outcome == "inconclusive"
    (warning,) = one.warnings
    assert warning == "without the pairs that could not be measured or are flagged it would be supported"


@pytest.mark.parametrize(
    "claim",
    [
        "less(interpolation.barrier, slow, than=fast)",
        "more(interpolation.barrier, slow, than=fast)",
        "less(interpolation.barrier, slow, than=1)",
        "more(interpolation.barrier, slow, than=0)",
        "equal(interpolation.barrier, slow, fast, within=1)",
        "share(interpolation.barrier > 0, slow, at_least=0.5)",
        "share(interpolation.barrier > 0, slow, at_most=0.5)",
        "share(interpolation.barrier < 9, slow, at_least=0.5)",
        "share(interpolation.barrier > 0.2, fast, than=slow)",
        "share(interpolation.barrier > 0, slow, than=fast)",
        "rises(interpolation.loss, slow, along=alpha)",
        "falls(interpolation.loss, slow, along=alpha)",
        "peaks(interpolation.loss[0:1], slow, along=alpha, within=[0.4, 0.6])",
        "peaks(interpolation.loss[0:1], slow, along=alpha, within=[0.8, 1])",
    ],
)
def test_nothing_that_was_measured_gives_no_verdict(claim: str) -> None:
    assert pairs(claim, refusing(*range(8))).decision in {"inconclusive", "too few replicates"}


def test_a_correlation_says_what_it_leaves_out() -> None:
    found = pairs("correlates(interpolation.barrier, interpolation.loss_0, slow)", refusing(3))
    assert "8 pairs of slow have no value and are left out" in found.warnings


def test_there_is_no_verdict_before_everything_is_measured() -> None:
    found = pairs(
        "less(interpolation.barrier, slow, than=fast)",
        lambda kind, subject: None if subject.unit == 7 else barriers(kind, subject),
    )
    assert (found.outcome, found.p) == ("not judged yet", None)
    assert found.sentence.endswith("7 of 8 pairs")
    nothing = pairs("less(interpolation.barrier, slow, than=fast)", lambda kind, subject: None)
    assert nothing.outcome == "not judged yet"
    assert nothing.sentence == "slow has no pair to judge; 0 of 8 pairs"


def test_a_mixed_conjunction_waits_for_its_slowest_part() -> None:
    claim = "all_of(less(interpolation.barrier, slow, than=fast), less(loss, b8, than=2))"
    ready = pairs(claim)
    assert ready.outcome == "supported"
    waiting = pairs(claim, lambda kind, subject: None if subject.unit == 7 else barriers(kind, subject))
    assert waiting.outcome == "not judged yet"


def test_a_pair_with_a_dead_run_is_flagged_but_keeps_its_value() -> None:
    plan = study(**WITH_PAIRS).plan()
    dead = [plan.cells["slow, b32"][2]]
    found = pairs("less(interpolation.barrier, slow, than=fast)", dead=dead)
    assert found.shares["slow"]["constant or dead"] == 1
    assert found.outcome == "supported"
    worse = pairs("less(interpolation.barrier, slow, than=0.125)", dead=dead)
    assert worse.warnings == ()


def test_leaving_flagged_pairs_out_is_told_where_it_changes_the_verdict() -> None:
    plan = study(**WITH_PAIRS).plan()
    dead = [plan.cells["slow, b8"][unit] for unit in range(3)]
    found = pairs("less(interpolation.barrier, slow, than=fast)", dead=dead)
    assert found.outcome == "supported"
    assert found.warnings == (
        "without the pairs with constant, dead or diverged runs it would be too few replicates",
    )


def test_a_verdict_with_pairs_reads_back_from_its_tree() -> None:
    found = pairs("less(interpolation.barrier, slow, than=fast)")
    assert Verdict.from_dict(found.to_dict()) == found
    old = found.to_dict()
    del old["counted"]
    assert Verdict.from_dict(old).counted == "runs"
