"""What a result gives of instruments: samples, series, curves, measurements, failures and tables."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from planted import ALPHAS, Lab, result, study

from gradlab import Every, Hessian, Interpolation
from gradlab.engine.result import Result
from gradlab.measure.measurement import Value
from gradlab.store.measurements import Stored
from gradlab.study.subjects import Subject

MEASURE = [Hessian(at=Every(6)), Interpolation(between=("b8", "b32"))]


def found(kind: str, subject: Subject) -> Any:
    if kind == "hessian":
        ranks = np.array([3.0, 1.0, -1.0])
        return {"positive": 0.1 * subject.epoch + subject.unit, "eigenvalues": ranks + subject.epoch}
    if subject.group == "slow" and subject.unit == 1:
        return "the ends differ in their running statistics"
    return {"barrier": 0.1 * subject.unit, "loss": ALPHAS**2}


@pytest.fixture(scope="module")
def made() -> Result:
    return result(study(measure=MEASURE, claims=["less(interpolation.barrier, slow, than=1)"]), found)


def test_a_number_of_a_run_is_that_of_its_last_epoch_unless_another_is_asked_for(made: Result) -> None:
    last = made.values("hessian.positive", "slow, b8")
    assert last.values == pytest.approx(1.2 + np.arange(8))
    assert last.replicates.tolist() == list(range(8))
    assert made.values("hessian.positive@6", "slow, b8").values == pytest.approx(0.6 + np.arange(8))
    assert made.values("max(hessian.positive)", "slow, b8").values == pytest.approx(1.2 + np.arange(8))


def test_numbers_over_epochs_are_a_series(made: Result) -> None:
    series = made.series("hessian.positive", "slow, b8")
    assert series.epochs.tolist() == [0, 6, 12]
    assert series.values[2] == pytest.approx([2.0, 2.6, 3.2])
    with pytest.raises(KeyError):
        made.series("interpolation.loss", "slow")


def test_values_along_another_axis_are_curves(made: Result) -> None:
    curves = made.curves("interpolation.loss", "slow")
    assert (curves.axis, curves.units.tolist()) == ("alpha", list(range(8)))
    assert curves.places == pytest.approx(ALPHAS)
    assert np.isnan(curves.values[1]).all()
    assert curves.values[0] == pytest.approx(ALPHAS**2)
    ranks = made.curves("hessian.eigenvalues", "slow, b8")
    assert ranks.places.tolist() == [1, 2, 3]
    assert ranks.values[0].tolist() == [15, 13, 11]  # of the last epoch
    with pytest.raises(KeyError):
        made.curves("hessian.positive", "slow, b8")


def test_what_was_refused_has_no_value_and_its_cause_is_told(made: Result) -> None:
    values = made.values("interpolation.barrier", "slow").values
    assert np.isnan(values).tolist() == [False, True] + [False] * 6
    (failure,) = made.failures
    assert (failure.kind, failure.group, failure.unit, failure.epoch) == ("interpolation", "slow", 1, 12)
    assert failure.text == "the ends differ in their running statistics"


def test_measurements_are_mappings_that_know_where_they_were_taken(made: Result) -> None:
    pairs = made.measured("interpolation", "fast")
    assert [one.unit for one in pairs] == list(range(8))
    assert (pairs[2]["barrier"].value, pairs[2].number("barrier"), len(pairs[2].runs)) == (0.2, 0.2, 2)
    assert (pairs[2].epoch, pairs[2].same_start, pairs[2].gradients) == (12, True, 3.0)
    assert np.isnan(pairs[2].number("distance"))
    assert len(made.measured("interpolation")) == 16
    assert [one.epoch for one in made.measured("hessian", "slow, b8")[:3]] == [0, 6, 12]
    for kind, group in (("trace", None), ("hessian", "slow")):
        with pytest.raises(KeyError):
            made.measured(kind, group)


def test_tables_hold_what_was_measured(made: Result) -> None:
    runs = made.table()
    assert runs.filter(condition="slow, b8", replicate=3)["hessian.positive"].item() == pytest.approx(4.2)
    assert "hessian.largest" not in runs.columns
    long = made.measurements("interpolation")
    curve = long.filter(group="fast", unit=0, value="loss")
    assert curve["place"].to_list() == pytest.approx(ALPHAS.tolist())
    assert set(curve["axis"]) == {"alpha"}
    refused = long.filter(group="slow", unit=1)
    assert refused["failure"].to_list() == ["the ends differ in their running statistics"]
    assert refused["number"].to_list() == [None]
    assert set(made.measurements()["kind"]) == {"hessian", "interpolation"}


def test_errors_and_bands_are_ends_in_the_table() -> None:
    def with_errors(kind: str, subject: Subject) -> Stored:
        band = Value(
            np.array([1.0, 2.0]),
            "a band",
            error=np.array([[0.5, 1.5], [1.5, 3.0]]),
            uncertainty="band",
            axis="rank",
            places=np.array([1.0, 2.0]),
        )
        grid = Value(np.arange(4.0).reshape(2, 2), "a grid")
        one = Value(3.0, "an estimate", error=0.25, uncertainty="standard error")
        return Stored(values={"eigenvalues": band, "largest": one, "grid": grid})

    table = result(study(measure=[Hessian()]), with_errors).measurements().filter(unit=0, group="slow, b8")
    rows = {(row["value"], row["place"], row["index"]): (row["low"], row["high"]) for row in table.to_dicts()}
    assert rows["eigenvalues", 2.0, None] == (1.5, 3.0)
    assert rows["largest", None, None] == (2.75, 3.25)
    assert rows["grid", None, 1] == (None, None)


def test_a_result_is_plain_data(made: Result) -> None:
    tree = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    first = tree["measured"]["interpolation"][0]
    assert first["values"] == {"barrier": 0.0}
    assert tree["measured"]["interpolation"][9]["failure"]
    assert tree["verdicts"][0]["counted"] == "pairs"


def test_the_digest_covers_every_subject(made: Result) -> None:
    assert made.digest == f"32 runs, {3 * 32 + 16} subjects"


def test_the_lab_is_asked_once_for_each_instrument() -> None:
    made = result(study(measure=MEASURE), found)
    for _ in range(2):
        made.values("hessian.positive", "slow, b8")
        made.measured("interpolation")
        made.at("as declared").measured("hessian")
    lab: Lab = vars(vars(made)["_recorded"])["lab"]
    assert sorted(lab.asked) == [("hessian", 96), ("interpolation", 16)]


def test_a_unit_counts_once_its_runs_have_ended_and_are_measured() -> None:
    own = study(measure=MEASURE)
    running = {own.plan().cells["slow, b8"][0]: "running"}
    made = result(own, found, states=running)
    assert made.values("interpolation.barrier", "slow").replicates.tolist() == list(range(1, 8))
    assert made.values("hessian.positive", "slow, b8").replicates.tolist() == list(range(1, 8))
    assert len(made.values("hessian.positive", "slow, b32").values) == 8


def test_an_error_is_tried_again_and_is_no_result() -> None:
    def broken(kind: str, subject: Subject) -> Any:
        return Stored("failed", failure="out of memory") if subject.unit == 0 else found(kind, subject)

    sample = result(study(measure=MEASURE), broken).values("interpolation.barrier", "fast")
    assert sample.states[0] == "failed"
    assert sample.states[1] == "done"


def test_a_unit_with_a_diverged_run_has_diverged() -> None:
    own = study(measure=MEASURE)
    states = {own.plan().cells["slow, b32"][4]: "diverged"}
    sample = result(own, found, states=states).values("interpolation.barrier", "slow")
    assert (sample.states[4], bool(sample.flagged[4])) == ("diverged", True)
    assert sample.flagged.sum() == 1


def test_other_settings_have_their_own_measurements() -> None:
    own = study(measure=MEASURE, assumed={"dtype": {"levels": {"double": "float64"}}})
    made = result(own, lambda kind, subject: {"barrier": float("double" in subject.group)})
    assert made.values("interpolation.barrier", "slow").values[0] == 0.0
    assert made.at("dtype=double").values("interpolation.barrier", "slow").values[0] == 1.0
    assert len(made.at("dtype=double").measured("interpolation")) == 16
