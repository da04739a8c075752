from __future__ import annotations

import numpy as np
import pytest
from judged_runs import Runs

from gradlab.judge.data import Data, NoRuns, paired
from gradlab.study.quantity import parse_event, parse_quantity

LOSS = parse_quantity("loss")


def test_bad_runs_stand_at_the_bad_end_and_are_counted() -> None:
    runs = Runs({
        "a": {
            "loss": [0.1, 0.2, np.nan, 0.3],
            "accuracy": [0.9, 0.8, np.nan, 0.7],
            "gradient_norm": [1.0, 2.0, np.nan, 0.0],
            "states": ["done", "stopped", "diverged", "done"],
            "flagged": [False, False, True, True],
        }
    })
    data = Data(runs)
    loss = data.values(LOSS, "a")
    assert loss.values.tolist() == [0.1, 0.2, np.inf, np.inf]
    assert {key: n for key, n in loss.counts.items() if n} == {"constant or dead": 1, "diverged": 1}
    assert data.values(parse_quantity("accuracy"), "a").values.tolist() == [0.9, 0.8, -np.inf, -np.inf]
    # The norm of a dead network is 0, which is its value and not a matter of performance.
    assert data.values(parse_quantity("gradient_norm@last"), "a").values.tolist() == [1.0, 2.0, np.inf, 0.0]


def test_failed_runs_have_no_value_and_are_counted() -> None:
    runs = Runs({"a": {"loss": [0.1, 0.2, 0.3], "states": ["done", "failed", "done"]}})
    found = Data(runs).values(LOSS, "a")
    assert (found.replicates.tolist(), found.counts["failed"]) == ([0, 2], 1)


def test_runs_that_never_reach_a_threshold_are_counted() -> None:
    runs = Runs({"a": {"loss": [1.0, 1.0], "epochs_to(loss, 1e-3)": [120, np.inf]}})
    found = Data(runs).values(parse_quantity("epochs_to(loss, 1e-3)"), "a")
    assert (found.values.tolist(), found.counts["never"]) == ([120.0, np.inf], 1)


def test_where_leaves_runs_out_and_says_how_many() -> None:
    runs = Runs({"a": {"loss": [0.1, 0.2, 0.3], "flag_dead": [0, 1, 0], "flagged": [False, True, False]}})
    found = Data(runs).values(parse_quantity("where(loss, flag_dead == 0)"), "a")
    assert (found.values.tolist(), found.counts["left out"]) == ([0.1, 0.3], 1)


def test_events_look_at_runs_as_they_are() -> None:
    runs = Runs({"a": {"loss": [0.001, 0.5], "flagged": [False, True]}})
    true, values = Data(runs).event(parse_event("loss < 0.6"), "a")
    assert true.tolist() == [True, True]
    assert len(values) == 2


def test_a_run_that_passed_a_threshold_and_then_diverged_did_not_succeed() -> None:
    runs = Runs({"a": {"loss": [0.001, 0.001], "states": ["done", "diverged"]}})
    assert Data(runs).event(parse_event("loss@last < 0.01"), "a")[0].tolist() == [True, False]


def test_nothing_left_is_told() -> None:
    runs = Runs({"a": {"loss": [0.1, 0.2], "states": ["failed", "failed"]}, "b": {"loss": [0.1]}})
    with pytest.raises(NoRuns, match="a has no run to judge"):
        Data(runs).values(LOSS, "a")
    with pytest.raises(NoRuns):
        Data(runs).values(parse_quantity("where(loss, loss > 5)"), "b")


def test_divergence_is_an_event_of_its_own() -> None:
    runs = Runs({"a": {"loss": [0.1, np.nan], "states": ["done", "diverged"]}})
    assert Data(runs).event(parse_event("flag_diverged"), "a")[0].tolist() == [False, True]


def test_errors_at_the_edge_come_from_the_predictions() -> None:
    outputs = np.full((2, 101, 1), 2.0)
    runs = Runs({"a": {"loss": [0.1, 0.2], "predictions": outputs}})
    assert Data(runs).values(parse_quantity("edge_error"), "a").values.tolist() == [2.0, 2.0]


def test_partners_have_the_same_replicate() -> None:
    runs = Runs({
        "a": {"loss": [1.0, 2.0, 3.0], "replicates": [2, 0, 1]},
        "b": {"loss": [10.0, 30.0], "replicates": [0, 2]},
    })
    data = Data(runs)
    a, b = paired(data.values(LOSS, "a"), data.values(LOSS, "b"))
    assert (a.values.tolist(), b.values.tolist()) == ([2.0, 1.0], [10.0, 30.0])


def test_only_the_conditions_of_one_setting_are_seen() -> None:
    runs = Runs(
        {"a": {"loss": [1.0]}, "a @ lr=1": {"loss": [5.0]}},
        settings={"a @ lr=1": "lr=1"},
    )
    assert Data(runs, "as declared").values(LOSS, "a").values.tolist() == [1.0]
    assert Data(runs, "lr=1").values(LOSS, "a").values.tolist() == [5.0]


def test_a_series_is_cut_to_its_window_run_by_run() -> None:
    long, short = np.arange(11.0), np.where(np.arange(11) <= 6, np.arange(11.0), np.nan)
    runs = Runs({"a": {"loss": [1.0, 1.0]}}, curves={"a": {"loss": np.stack([long, short])}})
    _, values, _ = Data(runs).series(parse_quantity("loss[0.5:]"), "a")
    assert [np.flatnonzero(~np.isnan(row)).tolist() for row in values] == [[5, 6, 7, 8, 9, 10], [3, 4, 5, 6]]
