"""Quantities and claims that instruments give."""

from __future__ import annotations

from typing import Any

import pytest
from planted import study

from gradlab import Every, Hessian, Interpolation, Published, Sensitivity, Trace, Trajectory
from gradlab.errors import StudyError
from gradlab.study.claim_text import parse_claim
from gradlab.study.grammar import GrammarError
from gradlab.study.quantity import counted_in, parse_event, parse_quantity
from gradlab.study.toml import read_toml

BETWEEN = Interpolation(between=("b8", "b32"))
EVERY = Hessian(at=Every(4))

NORMAL = [
    "hessian.positive",
    "hessian.positive@8",
    "hessian.positive@last",
    "mean(hessian.positive[0.5:])",
    "slope(hessian.largest[4:12])",
    "interpolation.barrier",
    "interpolation.barrier_mean_error.test",
    "interpolation.loss.test[0:1]",
    "interpolation.loss.test[-0.4:]",
    "interpolation.accuracy.test@-0.4",
    "interpolation.accuracy.test@0",
    "interpolation.accuracy.test@0.5",
    "max(interpolation.loss.test[-1:0])",
    "argmax(interpolation.accuracy.test)",
    "trajectory.explained@2",
    "at_loss(sensitivity.jacobian, 0.3)",
    "at_loss(gradient_norm, 1e-3)",
    "at_updates(hessian.largest, 1875)",
    "where(minimal_ratio.layers, minimal_ratio.zero_gradient == 0)",
    "where(loss, hessian.stable)",
]


@pytest.mark.parametrize("text", NORMAL)
def test_reads_and_writes_the_same_text(text: str) -> None:
    quantity = parse_quantity(text)
    assert str(quantity) == text
    assert parse_quantity(str(quantity)) == quantity


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("max( interpolation.loss.test[0.0:1.0] )", "max(interpolation.loss.test[0:1])"),
        ("interpolation.loss.test @ 1.0", "interpolation.loss.test@1"),
        ("at_updates(loss, 1e3)", "at_updates(loss, 1000)"),
    ],
)
def test_has_one_normal_spelling(text: str, normal: str) -> None:
    assert str(parse_quantity(text)) == normal
    assert parse_quantity(text) == parse_quantity(normal)


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("hesian.positive", "unknown quantity", "hessian"),
        ("hessian", "is an instrument; name one of its values", None),
        ("hessian.postive", "hessian has no such value", "hessian.positive"),
        ("interpolation.loss.tset", "interpolation has no such value", "interpolation.loss.test"),
        ("loss.test.more", "not measured that way", "loss.test"),
        ("max(interpolation.barrier)", "interpolation.barrier is one number a pair", None),
        ("trajectory.above_null@3", "trajectory.above_null is one number a set", None),
        ("max(trajectory.path)", "trajectory.path is measured but is not one number", None),
        ("interpolation.loss@last", "after @ stands a place on alpha", None),
        ("interpolation.loss@best", "after @ stands a place on alpha", None),
        ("hessian.positive@0.5", "after @ stands an epoch", None),
        ("epochs_to(interpolation.loss, 0.1)", "is for series over epochs; this one is over alpha", None),
        ("at_loss(interpolation.loss, 0.1)", "is for series over epochs; this one is over alpha", None),
        ("epochs_to(hessian.positive, 0.5)", "thresholds are tracked of what is recorded", None),
        ("at_loss(loss)", "at_loss takes a quantity and a training loss", None),
        ("at_updates(loss)", "at_updates takes a quantity and a number of updates", None),
        ("at_updates(loss, 0)", "a number of updates is at least 1", None),
        ("at_updates(epochs, 10)", "epochs is one number a run", None),
        ("mean(hessian.positive[-1:])", "in epochs (100:200) or in shares", None),
    ],
)
def test_refuses_what_it_does_not_know(text: str, message: str, suggestion: str | None) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_quantity(text)
    assert message in caught.value.problem.message
    if suggestion:
        assert caught.value.problem.suggestion == suggestion


def test_an_axis_makes_places_of_epochs() -> None:
    peak = parse_quantity("argmax(interpolation.accuracy.test)")
    assert (peak.axis, peak.is_epoch, peak.scale, peak.worst) == ("alpha", False, "difference", "high")
    over_epochs = parse_quantity("argmax(hessian.positive)")
    assert (over_epochs.axis, over_epochs.is_epoch, over_epochs.scale) == ("epoch", True, "ratio")
    assert parse_quantity("interpolation.loss.test").is_curve
    assert not parse_quantity("interpolation.loss.test@1").is_curve
    assert parse_quantity("interpolation.barrier").axis == ""


def test_nothing_has_to_be_recorded_for_what_is_measured() -> None:
    assert parse_quantity("hessian.positive").recorded() == set()
    found = parse_quantity("where(hessian.positive, loss@last < 1)")
    assert (found.recorded(), found.instruments()) == ({"loss"}, {"hessian"})
    assert parse_quantity("where(loss, hessian.stable)").instruments() == {"hessian"}
    assert counted_in([parse_quantity("hessian.positive"), parse_quantity("loss")]) == {""}
    assert counted_in([parse_event("trajectory.above_null").quantity]) == {"trajectory"}


def test_the_loss_is_recorded_where_another_quantity_is_read_at_a_loss() -> None:
    claims = ["less(at_loss(hessian.largest, 0.1), b8, than=b32)"]
    plan = study(measure=[EVERY], record=["gradient_norm"], claims=claims).plan()
    assert "loss" in plan.record.quantities
    assert plan.record.thresholds == ()


@pytest.mark.parametrize(
    "text",
    [
        "rises(interpolation.loss.test[1.5:], along=alpha)",
        "falls(sensitivity.minibatch, along=batch)",
        "peaks(interpolation.loss, along=alpha, end=high, within=[0, 1])",
        "peaks(interpolation.loss, along=alpha, end=high, within=[-0.5, 1.5])",
        "share(argmax(interpolation.accuracy.test) <= 0.5, at_least=0.5)",
        "more(interpolation.accuracy.test@0, than=interpolation.accuracy.test@-0.4)",
        "share(where(minimal_ratio.layers, minimal_ratio.zero_gradient) == 0, at_least=0.75)",
        "less(interpolation.barrier, slow, than=fast)",
    ],
)
def test_claims_read_back_what_they_wrote(text: str) -> None:
    assert str(parse_claim(text)) == text


def problems(**fields: Any) -> list[str]:
    with pytest.raises(StudyError) as caught:
        study(**fields)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (
            "less(trace.trace, b8, than=b32)",
            "the study does not measure this; declare the instrument in measure; found trace.trace; "
            "allowed: measure.trace = {}",
        ),
        ("less(where(loss, trace.trace > 1), b8, than=b32)", "the study does not measure this"),
        ("less(interpolation.loss, slow, than=fast)", "stands for all places along alpha"),
        ("rises(interpolation.loss)", "along epochs, a quantity is a recorded series"),
        ("rises(interpolation.loss, along=alpha, strict=True)", "strict goes with a factor, not with alpha"),
        ("rises(max(interpolation.loss), along=alpha)", "along alpha, a quantity is whole"),
        ("peaks(interpolation.loss, along=alpha, within=[1, 0])", "a first and a last position"),
        ("peaks(interpolation.loss, along=alpha, within=[a, b])", "a first and a last position"),
        ("peaks(loss, along=epoch, within=[1, 2])", "peaks goes along a factor"),
        ("correlates(interpolation.barrier, loss)", "this one counts runs and pairs (interpolation)"),
        ("less(where(loss, interpolation.barrier < 1), b8, than=b32)", "counts runs and pairs"),
        ("less(interpolation.barrier, b8, than=b32)", "no level or condition has this name; found b8"),
        ("less(interpolation.accuracy_0.test, slow, than=fast)", "is for tasks of classes"),
        ("less(hessian.positive@5, b8, than=b32)", "hessian is not measured at this epoch"),
        ("less(interpolation.distance, slow, than=fastt)", "did you mean 'fast'"),
        ("less(at_updates(loss, 1000), b8, than=b32)", "runs make at most 96 updates"),
        ("rises(sensitivity.fixed)", "sensitivity is measured at one epoch; over epochs it needs several"),
        ("less(sensitivity.fixed@3, b8, than=b32)", "allowed: measure.sensitivity.at.every = 10"),
        ("correlates(sensitivity.fixed, loss, over=epochs)", "sensitivity is measured at one epoch"),
        ("less(trajectory.path, b8, than=b32)", "trajectory.path is measured but is not one number"),
    ],
)
def test_claims_that_no_measurement_can_decide_are_refused(claim: str, expected: str) -> None:
    measure = [EVERY, BETWEEN, Trajectory(runs=4), Sensitivity(sizes=(4, 8))]
    assert any(expected in problem for problem in problems(measure=measure, claims=[claim]))


def test_what_is_measured_is_not_recorded() -> None:
    (problem,) = problems(measure=[Trace()], record=["loss", "trace.trace"])
    assert problem == "record.1: is measured, not recorded; found trace.trace; allowed: measure.trace = {}"


def test_published_values_select_among_groups() -> None:
    value = Published(condition="slow", quantity="interpolation.loss.test@0.5", value=0.3)
    assert study(measure=[BETWEEN], published=[value]).plan()
    (problem,) = problems(measure=[EVERY], published=[value])
    assert "published.0.quantity: the study does not measure this" in problem
    wrong = Published(condition="b8", quantity="interpolation.barrier", value=0.3)
    (problem,) = problems(measure=[BETWEEN], published=[wrong])
    assert "published.0.condition: no level or condition has this name; found b8" in problem


def test_a_page_says_what_is_measured_and_claimed() -> None:
    page = """
    title = "Is there a barrier?"
    task = { function = "sinc", low = -1, high = 1, points = 64, heldout = 16 }
    model.mlp = [3]
    optimizer.adam.lr = 1e-3
    epochs = 20
    batch_size.vary = { b8 = 8, b32 = 32 }
    measure.interpolation = { between = ["b8", "b32"], points = 25 }
    claims = ["share(interpolation.barrier > 0.02, at_least=0.5)", "rises(interpolation.loss[1:], along=alpha)"]
    """
    assert len(read_toml(page).plan().subjects["interpolation"]) == 5


def test_the_reports_sensitivity_is_of_minibatches() -> None:
    assert study(record=["sensitivity_batch"]).plan().record.quantities == ("loss", "sensitivity_batch")
    (problem,) = problems(batch_size="full", record=["sensitivity_batch"])
    assert "with full batches there is no minibatch; measure sensitivity.fixed" in problem
    with pytest.raises(GrammarError, match="from epoch 1 on"):
        parse_quantity("sensitivity_batch@0")
