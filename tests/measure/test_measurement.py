"""How measurements show themselves."""

from __future__ import annotations

import json

import numpy as np

from gradlab.measure.measurement import COLUMNS, Measurement, Value, spread

MADE = Measurement(
    "trace",
    {
        "trace": Value(1234.5678, "sum of <eigenvalues>", 0.456, "standard error"),
        "top": Value(np.arange(9.0), "the largest", np.full(9, 1e-7), "residual", "rank", np.arange(1.0, 10)),
        "none": Value(float("nan"), "nothing"),
    },
    {"parameters": 571, "mode": "evaluation"},
    gradients=200.0,
    warnings=("look twice",),
)


def test_as_a_table() -> None:
    assert str(MADE).splitlines() == [
        "trace  (200 gradients)",
        "  trace       1.23e+03  +/- 0.456  sum of <eigenvalues>",
        "  top    9 from 0 to 8  +/- 1e-07  the largest",
        "  none             nan             nothing",
        "  parameters: 571, mode: evaluation",
        "  warning: look twice",
    ]
    assert repr(MADE) == str(MADE)


def test_as_html_it_is_escaped() -> None:
    shown = MADE._repr_html_()
    assert "sum of &lt;eigenvalues&gt;" in shown
    assert "look twice" in shown


def test_as_data_it_is_json() -> None:
    found = json.loads(json.dumps(MADE.to_dict(), allow_nan=False))
    assert found["values"]["trace"] == {
        "value": 1234.5678, "means": "sum of <eigenvalues>", "uncertainty": "standard error", "error": 0.456
    }  # fmt: skip
    assert found["values"]["none"]["value"] == "nan"
    assert found["values"]["top"]["places"][-1] == 9


def test_values_are_numbers() -> None:
    assert float(MADE["trace"]) == 1234.5678
    assert np.asarray(MADE["top"]).sum() == 36
    assert list(MADE) == ["trace", "top", "none"]


def test_every_number_is_a_row_with_its_place_and_what_it_may_be() -> None:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in spread(MADE)]
    assert len(rows) == 1 + 9 + 1
    assert (rows[0]["number"], rows[0]["place"], rows[0]["low"]) == (1234.5678, None, 1234.5678 - 0.456)
    assert [row["place"] for row in rows[1:10]] == list(range(1, 10))
    assert (rows[9]["axis"], rows[9]["index"], rows[9]["high"]) == ("rank", None, 8 + 1e-7)
    assert np.isnan(rows[10]["number"] or 0.0)
    assert rows[10]["low"] is rows[10]["high"] is None


def test_of_an_array_every_place_has_its_numbers_row_by_row() -> None:
    grid = Value(np.arange(12.0).reshape(2, 3, 2), "a grid", axis="pair", places=np.array([0.5, 1.5]))
    rows = list(spread({"grid": grid}))
    assert [row[2:5] for row in rows[5:8]] == [(0.5, 5, 5.0), (1.5, 0, 6.0), (1.5, 1, 7.0)]
    assert list(spread({"none": Value(np.zeros((0, 2)), "nothing")})) == []


def test_a_band_has_its_own_ends_also_for_one_number() -> None:
    ((*_, low, high),) = spread({"one": Value(2.0, "a number", np.array([1.0, 5.0]), "band")})
    assert (low, high) == (1.0, 5.0)


def test_nothing_is_one_row_without_a_number() -> None:
    (row,) = spread({})
    assert row == ("", "", None, None, None, None, None)
