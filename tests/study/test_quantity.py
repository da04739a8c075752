from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gradlab.component import Component
from gradlab.study.grammar import GrammarError
from gradlab.study.known import SPLITS
from gradlab.study.quantity import KNOWN, Event, Quantity, parse_event, parse_quantity

NORMAL = [
    "loss",
    "loss.test",
    "loss@last",
    "loss@best",
    "loss@500",
    "loss.test@0",
    "accuracy.validation@best",
    "epochs",
    "flag_dead",
    "edge_error",
    "epochs_to(loss, 1e-3)",
    "epochs_to(accuracy.test, 0.95)",
    "final(loss)",
    "best(accuracy)",
    "mean(loss[100:200])",
    "mean(loss[0.5:])",
    "slope(loss[:1.0])",
    "roughness(gradient_norm[0.9:])",
    "argmin(loss.test)",
    "where(loss, flag_dead == 0)",
    "where(loss@last, loss@last < 0.01)",
]


@pytest.mark.parametrize("text", NORMAL)
def test_reads_and_writes_the_same_text(text: str) -> None:
    assert str(parse_quantity(text)) == text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("epochs_to( loss,0.001 )", "epochs_to(loss, 1e-3)"),
        ("loss @ last", "loss@last"),
        ("mean(loss[ 100 : 200 ])", "mean(loss[100:200])"),
        ("where(loss,flag_dead==0.0)", "where(loss, flag_dead == 0)"),
    ],
)
def test_has_one_normal_spelling(text: str, normal: str) -> None:
    assert str(parse_quantity(text)) == normal


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("los", "unknown quantity", "loss"),
        ("gradientnorm", "unknown quantity", "gradient_norm"),
        ("loss.tset", "not measured that way", "loss.test"),
        ("gradient_norm.test", "not measured that way", "gradient_norm"),
        ("meen(loss)", "unknown reducer", "mean"),
        ("loss@lats", "after @ stands an epoch", "last"),
        ("loss@-1", "after @ stands an epoch", None),
        ("loss@1.5", "after @ stands an epoch", None),
        ("epochs_to(loss)", "epochs_to takes a quantity and a threshold", None),
        ("epochs_to(loss, x)", "a number belongs here", None),
        ("mean(loss@last)", "give an epoch or a reducer", None),
        ("mean(max(loss))", "one reducer, not two", None),
        ("loss[1:2]@best", "a window goes with a reducer", None),
        ("mean(loss[0.5:2.5])", "in epochs (100:200) or in shares", None),
        ("flag_dead@last", "is one number a run", None),
        ("predictions@3", "is recorded but is not one number", None),
        ("loss if loss else loss", "this is not a quantity", None),
        ("loss@", "this is not a quantity", None),
        ("", "this is not a quantity", None),
        ("(" * 5000, "this is not a quantity", None),
        ("__import__('os').system('true')", "this is not a quantity", None),
    ],
)
def test_refuses_what_it_does_not_know_and_names_the_nearest(
    text: str, message: str, suggestion: str | None
) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_quantity(text)
    problem = caught.value.problem
    assert message in problem.message
    assert problem.suggestion == suggestion


def test_knows_what_has_to_be_recorded() -> None:
    assert parse_quantity("epochs_to(loss.test, 1e-3)").recorded() == {"loss.test"}
    assert parse_quantity("where(gradient_norm@last, loss@last < 1)").recorded() == {"gradient_norm", "loss"}
    assert parse_quantity("edge_error").recorded() == {"predictions"}
    assert parse_quantity("flag_dead").recorded() == set()
    assert parse_quantity("epochs").recorded() == set()


def test_knows_which_end_is_bad_and_how_values_compare() -> None:
    assert (parse_quantity("loss").worst, parse_quantity("loss").scale) == ("high", "ratio")
    assert (parse_quantity("accuracy").worst, parse_quantity("accuracy").scale) == ("low", "difference")
    assert parse_quantity("epochs_to(accuracy, 0.9)").worst == "high"
    assert parse_quantity("slope(loss)").scale == "difference"
    assert parse_quantity("epochs_to(accuracy, 0.9)").scale == "ratio"
    assert parse_quantity("argmin(loss)").is_epoch
    assert not parse_quantity("loss").is_epoch


def test_an_event_is_a_comparison_or_a_flag() -> None:
    event = parse_event("loss@last<0.010")
    assert (str(event.quantity), event.operator, event.value) == ("loss@last", "<", 0.01)
    assert str(parse_event("flag_dead")) == "flag_dead"
    assert str(parse_event("gradient_norm@last == 0")) == "gradient_norm@last == 0"
    assert str(parse_event("epochs_to(loss, 1e-3) <= 2000")) == "epochs_to(loss, 1e-3) <= 2000"
    for wrong in ("0 < loss < 1", "loss in accuracy", "loss < accuracy"):
        with pytest.raises(GrammarError):
            parse_event(wrong)


def test_fields_take_text_and_report_like_all_others() -> None:
    class Page(Component):
        quantity: Quantity
        event: Event

    page = Page.model_validate({"quantity": "loss.test", "event": "flag_dead"})
    assert page.quantity == parse_quantity("loss.test")
    assert page.model_dump() == {"quantity": "loss.test", "event": "flag_dead"}
    with pytest.raises(ValidationError) as caught:
        Page.model_validate({"quantity": "los", "event": "loss <"})
    first, second = caught.value.errors()
    assert (first["loc"], first["ctx"]["found"]) == (("quantity",), "los")
    assert "loss" in first["ctx"]["choices"]
    assert second["loc"] == ("event",)
    schema = Page.model_json_schema()
    assert schema["$defs"]["Quantity"]["type"] == "string"


def test_construction_checks_what_parsing_checks() -> None:
    with pytest.raises(ValidationError, match="not measured that way"):
        Quantity(name="loss", split="train")


@given(
    name=st.sampled_from([name for name, known in KNOWN.items() if known.shape == "series"]),
    ending=st.one_of(st.none(), st.integers(1, 10**6), st.sampled_from(["last", "best"])),
)
def test_every_series_has_a_value_at_every_epoch_of_training(name: str, ending: object) -> None:
    text = name if ending is None else f"{name}@{ending}"
    assert str(parse_quantity(text)) == text


@pytest.mark.parametrize(
    "name", ["gradient_norm_batch", "loss.running", "accuracy.running", "loss.last_batch"]
)
def test_before_the_first_epoch_nothing_has_been_seen_in_training(name: str) -> None:
    with pytest.raises(GrammarError, match="from epoch 1 on"):
        parse_quantity(f"{name}@0")


def test_splits_say_how_a_quantity_is_taken() -> None:
    for text in ("loss.running", "accuracy.augmented@last", "mean(loss.last_batch[0.5:])", "loss_gap@best"):
        assert str(parse_quantity(text)) == text
    for name in ("loss", "accuracy"):
        assert set(KNOWN[name].splits) <= set(SPLITS)
    assert parse_quantity("loss_gap").scale == parse_quantity("accuracy_gap").scale == "difference"
    for text in ("loss.running@0", "loss.batch_sum@0", "gradient_norm_batch@0"):
        with pytest.raises(GrammarError, match="from epoch 1 on"):
            parse_quantity(text)
