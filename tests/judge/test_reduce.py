from __future__ import annotations

import numpy as np
import pytest

from gradlab.judge.reduce import edge_errors, passages, reduce
from gradlab.study.quantity import parse_quantity

EPOCHS = np.arange(0, 201)
LOSS = 10.0 ** (-EPOCHS / 100)


def value(text: str, values: np.ndarray = LOSS, epochs: np.ndarray = EPOCHS) -> float:
    return float(reduce(parse_quantity(text), epochs, values[None])[0])


def test_without_more_it_is_the_geometric_mean_over_the_last_percent() -> None:
    assert value("loss") == pytest.approx(10.0 ** -((1.98 + 1.99 + 2.0) / 3))
    assert value("accuracy", LOSS) == pytest.approx(LOSS[-3:].mean())


def test_a_zero_loss_has_no_geometric_mean_and_needs_none() -> None:
    assert value("loss", np.zeros(201)) == 0


def test_epochs_and_ends() -> None:
    assert value("loss@0") == 1
    assert value("loss@100") == pytest.approx(0.1)
    assert value("loss@last") == pytest.approx(0.01)
    assert value("loss@best", LOSS[::-1]) == pytest.approx(0.01)
    assert value("accuracy@best", LOSS[::-1]) == 1
    assert value("final(loss)") == value("loss@last")


def test_a_run_that_stopped_keeps_its_last_value_and_its_own_length() -> None:
    stopped = np.where(EPOCHS <= 100, LOSS, np.nan)
    assert value("loss@150", stopped) == pytest.approx(0.1)
    assert value("loss@last", stopped) == pytest.approx(0.1)
    assert value("mean(accuracy[0.5:])", np.where(EPOCHS <= 100, EPOCHS, np.nan)) == pytest.approx(75)


def test_reducers_by_their_closed_forms() -> None:
    assert value("slope(loss)") == pytest.approx(-10)  # decades per 1,000 epochs
    assert value("slope(accuracy)", EPOCHS / 100) == pytest.approx(10)
    assert value("roughness(loss)") == pytest.approx(0, abs=1e-12)
    zigzag = 10.0 ** np.where(EPOCHS % 2, 0.5, -0.5)
    assert value("roughness(loss)", zigzag) == pytest.approx(1, rel=0.02)
    assert value("argmin(loss)") == 200
    assert value("argmax(loss)") == 0
    assert value("max(loss)") == 1
    assert value("min(loss)") == pytest.approx(0.01)
    assert value("mean(accuracy)", EPOCHS.astype(float)) == 100


def test_the_mean_does_not_depend_on_the_recording_schedule() -> None:
    dense, sparse = np.arange(0, 1001), np.array([0, 1, 2, 5, 10, 100, 500, 1000])
    assert value("mean(accuracy)", dense * 1.0, dense) == pytest.approx(
        value("mean(accuracy)", sparse * 1.0, sparse)
    )


def test_windows_in_epochs_and_in_shares_of_the_run() -> None:
    assert value("mean(accuracy[100:200])", EPOCHS * 1.0) == 150
    assert value("mean(accuracy[0.5:1.0])", EPOCHS * 1.0) == 150
    assert value("mean(accuracy[:100])", EPOCHS * 1.0) == 50
    assert value("mean(accuracy[0:1])", EPOCHS * 1.0) == 0.5


def test_nothing_recorded_is_not_a_number() -> None:
    assert np.isnan(value("loss", np.full(201, np.nan)))
    assert np.isnan(value("mean(loss[300:400])"))
    assert np.isnan(value("roughness(loss[200:])"))
    assert np.isnan(value("slope(loss[200:])"))


def test_a_threshold_is_passed_once_or_never() -> None:
    # not 0.1 itself, which the loss at epoch 100 may miss by a rounding error either way
    assert value("epochs_to(loss, 0.0999)") == 101
    assert value("epochs_to(loss, 1e-9)") == np.inf
    assert passages(EPOCHS, (EPOCHS / 200)[None], 0.5, falling=False).tolist() == [100]


def test_errors_at_the_edges_and_in_the_centre() -> None:
    x = np.linspace(-1, 1, 101)
    off = np.where(np.abs(x) > 0.8, 3.0, 1.0)
    outputs = np.stack([off, np.zeros(101)])[:, :, None]
    centre, edge = edge_errors(x[:, None], np.zeros((101, 1)), outputs)
    assert centre.tolist() == pytest.approx([1, 0], abs=1e-12)
    assert edge.tolist() == pytest.approx([3, 0], abs=1e-12)
    with pytest.raises(ValueError, match="one input"):
        edge_errors(np.zeros((5, 2)), np.zeros((5, 1)), np.zeros((1, 5, 1)))
