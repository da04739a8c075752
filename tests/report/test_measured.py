from __future__ import annotations

import fake_measured
import fake_results
import numpy as np
import pytest
from fake_measured import TWO, Found, line, number, path, refused

from gradlab.report import measured, source
from gradlab.report.claim_figures import claim_figures
from gradlab.report.scales import scale_of
from gradlab.report.tables import refused as refusals
from gradlab.report.words import event_words, quantity_words
from gradlab.study.claim_text import parse_claim
from gradlab.study.claims import Claim
from gradlab.study.instruments import INSTRUMENTS
from gradlab.study.instruments.spoken import VALUES
from gradlab.study.quantity import parse_event


def test_every_value_of_every_instrument_has_words() -> None:
    judged = {
        f"{kind}.{name}"
        for kind, cls in INSTRUMENTS.items()
        for name, known in cls.gives.items()
        if known.shape != "array"
    }
    assert not judged - set(VALUES)
    assert not any("_" in words for words in VALUES.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trajectory.explained_two", "share of the first two components"),
        ("interpolation.accuracy.test@0", "test accuracy on the line at α 0"),
        ("interpolation.accuracy.test@-0.53", "test accuracy on the line at α −0.53"),
        ("max(interpolation.loss.test[0:1])", "largest test loss on the line for α from 0 to 1"),
        ("interpolation.loss.test[1.5:]", "test loss on the line for α from 1.5"),
        ("argmax(interpolation.accuracy.test)", "α of the largest test accuracy on the line"),
        (
            "at_loss(sensitivity.jacobian, 0.3)",
            "Jacobian of the outputs by the input at training loss 0.3",
        ),
        ("at_updates(gradient_norm, 2000)", "gradient norm after 2,000 updates"),
        ("sensitivity.jacobian@last", "Jacobian of the outputs by the input"),
        ("sensitivity_batch@3", "sensitivity as reported (last minibatch) at epoch 3"),
        ("hessian.positive@3", "share of positive Hessian eigenvalues at epoch 3"),
    ],
)
def test_quantities_of_instruments_are_called_by_words(text: str, words: str) -> None:
    assert quantity_words(text) == words


def test_shares_are_told_in_per_cent_and_barriers_of_errors_in_points() -> None:
    assert scale_of("trajectory.explained_two").write(0.3811) == "38.1 %"
    assert scale_of("interpolation.barrier_error.test").write(0.296) == "29.60 points"
    assert scale_of("interpolation.accuracy.test@1").write(0.98) == "98.00 %"
    assert scale_of("argmax(interpolation.accuracy.test)").write(0.5) == "0.5"
    assert (
        event_words(parse_event("minimal_ratio.layers == 0")) == "minimal ratio (layer by layer) equal to 0 %"
    )


def test_a_study_that_only_trains_has_nothing_measured() -> None:
    result = fake_results.make(n=2, epochs=10)
    assert not measured.declared(result)
    assert measured.groups(result, "hessian") == {}
    assert measured.last(result, "hessian", "deep") == []
    assert measured.along(result, "hessian.eigenvalues", "deep") is None
    assert refusals(result) is None


def test_only_the_last_epoch_that_succeeded_of_each_unit_is_drawn() -> None:
    found = [
        Found("deep", 1, {"trace": number(3)}, epoch=30),
        Found("deep", 0, {"trace": number(1)}, epoch=10),
        Found("deep", 0, {"trace": number(2)}, epoch=30),
        refused("deep", 2),
    ]
    result = fake_measured.make({"trace": found})
    taken = measured.last(result, "trace", "deep")
    assert [each.unit for each in taken] == [0, 1]
    assert measured.scalars(taken, "trace").tolist() == [2, 3]
    assert np.isnan(measured.scalars(taken, "mean")).all()


def test_groups_of_pairs_have_colours_of_their_own() -> None:
    result = fake_measured.make({"interpolation": [line("a to b", 0)]}, names=TWO, labels=["a to b"])
    looks = source.looks(result)
    assert list(looks) == ["deep", "shallow", "a to b"]
    assert len({style.line for style in looks.values()}) == 3


def test_refusals_are_counted_with_their_cause() -> None:
    result = fake_measured.make({"trace": [refused("deep", k) for k in range(3)]})
    table = refusals(result)
    assert table is not None
    assert table.rows == (("trace", "deep", "3", "the network has 20,001 weights"),)


def figure(result: fake_measured.Measuring, text: str) -> list:
    return claim_figures(result, Claim(says="so", test=parse_claim(text)), "claim")


def test_a_claim_on_sets_is_drawn_with_a_dot_for_each_set() -> None:
    result = fake_measured.make({"trajectory": [path("deep", k, 0.3 + 0.1 * k) for k in range(3)]})
    (drawn,) = figure(result, "more(trajectory.explained_two, than=0.5)")
    assert drawn.title == "Median share of the first two components: 40 %"
    assert drawn.subtitle.startswith("one dot per set; bar: 95 % interval of the median; dashed: 50 %")


def test_a_claim_on_pairs_is_drawn_over_the_groups_of_pairs() -> None:
    result = fake_measured.make(
        {"interpolation": [line("a to b", k) for k in range(3)]}, names=TWO, labels=["a to b"]
    )
    (drawn,) = figure(result, "more(interpolation.barrier_error.test, than=0.02)")
    assert drawn.title == "Median test error barrier: 30.00 points"
    assert "one dot per pair" in drawn.subtitle
    assert "a to b, replicate 0: 30.00 points" in drawn.narrow


def test_a_claim_along_alpha_is_drawn_as_correlations_inside_its_window() -> None:
    result = fake_measured.make({"interpolation": [line("deep", k) for k in range(3)]})
    (drawn,) = figure(result, "rises(interpolation.loss.test[1:], along=alpha)")
    assert drawn.title == "Median Kendall's τ of test loss on the line for α from 1 and α: 1"
    assert drawn.subtitle.startswith("over the places on α;")


def test_two_values_of_the_same_sets_are_told_by_how_often_one_is_higher() -> None:
    result = fake_measured.make({"trajectory": [path("deep", k, 0.4 + 0.15 * k) for k in range(3)]})
    (drawn,) = figure(result, "more(trajectory.explained_two, than=trajectory.null_two)")
    words = (
        "Share of the first two components is higher than share of the first two components in random walks"
    )
    assert drawn.title == f"{words} in 1 of 3 sets"


def test_values_that_some_runs_lack_are_counted_not_dropped() -> None:
    found = [
        Found("deep", 0, {"trace": number(3)}),
        refused("deep", 1),
        Found("deep", 2, {"trace": number(2)}),
    ]
    (drawn,) = figure(fake_measured.make({"trace": found}), "more(trace.trace, than=1)")
    assert "1 run has no value and is not drawn" in drawn.subtitle
    (empty,) = figure(fake_measured.make({"trace": [refused("deep", 1)]}), "more(trace.trace, than=1)")
    assert empty.draw is None
    assert empty.missing == "No value to draw: Hessian trace (estimated) is not defined in any of 1 runs."
