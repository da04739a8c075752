import csv
import json
import math

import numpy as np
import polars as pl
import pytest
from labs import RECORD, asked, run_id, state

from gradlab.errors import StudyError
from gradlab.measure.measurement import Value
from gradlab.store import NewMeasurement, Stored
from gradlab.store.export import export, measurements_table
from gradlab.store.lab import Lab
from gradlab.store.rows import NewRun, Progress

VALUES = np.array([1.5, np.nan, np.inf, -np.inf, 1 / 3])
EVIL = '=HYPERLINK("http://example.org")'


MEASURED = {
    "positive": Value(0.25, "a share"),
    "trace": Value(3.0, "an estimate", 0.5, "standard error"),
    "loss": Value(
        np.array([1.0, np.nan, np.inf]), "with a band", np.array([[0.5, 1, 1], [2, 3, 3]]), "band", "alpha",
        np.array([0.0, 0.5, 1.0]),
    ),
    "path": Value(np.arange(6.0).reshape(3, 2), "points", axis="row", places=np.array([1.0, 2.0, 3.0])),
    "none": Value(np.zeros((0, 2)), "nothing", axis="row", places=np.zeros(0)),
}  # fmt: skip
ROWS = [
    ("positive", "", None, None, 0.25, None, None),
    ("trace", "", None, None, 3.0, 2.5, 3.5),
    ("loss", "alpha", 0.0, None, 1.0, 0.5, 2.0),
    ("loss", "alpha", 0.5, None, math.nan, 1.0, 3.0),
    ("loss", "alpha", 1.0, None, math.inf, 1.0, 3.0),
    ("path", "row", 1.0, 0, 0.0, None, None),
    ("path", "row", 1.0, 1, 1.0, None, None),
    ("path", "row", 2.0, 0, 2.0, None, None),
    ("path", "row", 2.0, 1, 3.0, None, None),
    ("path", "row", 3.0, 0, 4.0, None, None),
    ("path", "row", 3.0, 1, 5.0, None, None),
]
CAUSE = '=1+1, it is "dead"\nand says so'


def same(found, expected):
    """Whether rows hold the same; NaN is itself, and not a missing number."""
    return [*map(repr, found)] == [*map(repr, expected)]


@pytest.fixture
def measured(tmp_path):
    """A lab in which two instruments looked at what they could, and could not."""
    with Lab.open(tmp_path / "lab", write=True) as lab:
        first, second = asked(lab, 2)
        used = {"points": 3, "momentum": math.inf}
        pair = (first, 0), (first, 4), (second, 0), (second, 4)
        entries = [
            NewMeasurement(
                "a", pair, Stored(values=MEASURED, settings=used, gradients=7.5, warnings=("mind",))
            ),
            NewMeasurement("b", ((first, 4),), Stored("refused", failure=CAUSE, gradients=1.0)),
            NewMeasurement("c", ((second, 4),), Stored("failed", failure="Traceback")),
        ]
        lab.store_measurements("d1", {"kind": "interpolation", "points": 5, "align": "none"}, entries)
        one = Stored(values={"largest": Value(1 / 3, "the largest")})
        lab.store_measurements("d2", {"kind": "hessian"}, [NewMeasurement("a", ((first, 4),), one)])
        yield lab


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        ids = asked(lab, 1)
        lab.ask("evil", EVIL, {}, [NewRun(ids[0], "{}", {"init": 0}, "+cmd", 0)])
        lab.begin({ids[0]: 0}, "kernel")
        series = {
            "loss": (np.arange(5), VALUES),
            "gradient_norm_layers": (np.array([0, 4]), np.array([[1.0, 2.0], [np.nan, 4.0]])),
        }
        lab.store_slice([Progress(ids[0], state(4), series, {}, "epochs", 4, 12, (0.5, 0.1))], RECORD)
        yield lab


def test_parquet_keeps_every_number(lab, tmp_path):
    runs, traces, _ = export(lab, tmp_path / "out", "parquet")
    table = pl.read_parquet(traces)
    loss = table.filter(pl.col("quantity") == "loss")
    assert np.array_equal(loss["value"].to_numpy(), VALUES, equal_nan=True)
    wide = table.filter(pl.col("quantity") == "gradient_norm_layers")
    assert wide.select("epoch", "index").rows() == [(0, 0), (0, 1), (4, 0), (4, 1)]
    row = pl.read_parquet(runs).row(0, named=True)
    assert (row["id"], row["state"], row["epoch"], row["seeds.init"]) == (run_id(0), "done", 4, 0)
    assert row["epochs_to.loss<0.5"] == math.inf


def test_csv_keeps_numbers_and_makes_formulas_text(lab, tmp_path):
    runs, traces, _ = export(lab, tmp_path / "out", "csv")
    with traces.open(newline="") as stream:
        values = [float(row["value"]) for row in csv.DictReader(stream) if row["quantity"] == "loss"]
    assert np.array_equal(values, VALUES, equal_nan=True)
    with runs.open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not any(
        cell[:1] in "=+-@" for cell in cells if cell and not cell.lstrip("-").replace(".", "").isdigit()
    )


def test_json_spells_what_it_cannot_hold(lab, tmp_path):
    runs, traces, _ = export(lab, tmp_path / "out", "json")
    series = {row["quantity"]: row for row in json.loads(traces.read_text())}
    assert series["loss"]["values"] == [1.5, "nan", "inf", "-inf", 1 / 3]
    assert series["gradient_norm_layers"]["values"] == [[1.0, 2.0], ["nan", 4.0]]
    (run,) = json.loads(runs.read_text())
    assert run["ends"][0]["epoch"] == 4
    assert {asker["title"] for asker in run["asked"]} == {"A study", EVIL}
    assert run["epochs_to"] == {"loss<0.1": "inf", "loss<0.5": "inf"}


def test_every_measured_number_is_a_row_with_its_place_and_error(measured, tmp_path):
    *_, file = export(measured, tmp_path / "out", "parquet")
    table = pl.read_parquet(file)
    assert table.columns == [
        "kind", "instrument", "settings", "subject", "members", "outcome", "value", "axis", "place", "index",
        "number", "low", "high", "failure", "gradients",
    ]  # fmt: skip
    whole = table.filter(pl.col("instrument") == "d1", pl.col("subject") == "a")
    columns = ("value", "axis", "place", "index", "number", "low", "high")
    assert same(whole.select(columns).rows(), ROWS)
    assert set(whole["gradients"]) == {7.5}
    assert set(whole["members"]) == {f"{run_id(0)}@0,4 {run_id(1)}@0,4"}
    assert set(whole["kind"]) == {"interpolation"}
    (other,) = table.filter(pl.col("kind") == "hessian").to_dicts()
    assert (other["instrument"], other["subject"], other["number"]) == ("d2", "a", 1 / 3)
    assert (other["members"], other["settings"]) == (f"{run_id(0)}@4", "{}")


def test_a_table_made_of_pieces_is_the_same(measured, monkeypatch):
    whole = measurements_table(measured)
    monkeypatch.setattr("gradlab.store.export.ROWS_AT_ONCE", 1)
    assert whole.height == len(ROWS) + 3
    assert whole.equals(measurements_table(measured))


def test_what_was_refused_or_failed_is_a_row_with_its_cause(measured, tmp_path):
    *_, file = export(measured, tmp_path / "out", "parquet")
    rows = pl.read_parquet(file).filter(pl.col("outcome") != "measured").to_dicts()
    told = [(row["subject"], row["outcome"], row["failure"], row["value"], row["number"]) for row in rows]
    assert told == [("b", "refused", CAUSE, "", None), ("c", "failed", "Traceback", "", None)]
    assert [row["gradients"] for row in rows] == [1.0, 0.0]


def test_settings_are_those_declared_and_those_it_was_done_with(measured):
    rows = measurements_table(measured).filter(pl.col("instrument") == "d1").to_dicts()
    settings = {row["subject"]: json.loads(row["settings"]) for row in rows}
    assert settings["a"] == {"align": "none", "points": 3, "momentum": "inf"}
    assert settings["b"] == {"align": "none", "points": 5}


def test_measurements_as_csv_keep_numbers_and_hold_no_formulas(measured, tmp_path):
    *_, file = export(measured, tmp_path / "out", "csv")
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = [row for row in rows if (row["instrument"], row["subject"]) == ("d1", "a")]
    for row, (name, axis, *numbers) in zip(found, ROWS, strict=True):
        cells = (row["place"], row["index"], row["number"], row["low"], row["high"])
        assert (row["value"], row["axis"]) == (name, axis)
        assert same(
            [float(cell) if cell else None for cell in cells], [n if n is None else float(n) for n in numbers]
        )
    assert [row["failure"] for row in rows if row["outcome"] == "refused"] == ["'" + CAUSE]
    assert [row["number"] for row in rows if row["outcome"] != "measured"] == ["", ""]


def test_measurements_as_json_are_one_object_each(measured, tmp_path):
    *_, file = export(measured, tmp_path / "out", "json")
    trees = {(tree["instrument"], tree["subject"]): tree for tree in json.loads(file.read_text())}
    assert [*trees] == [("d1", "a"), ("d1", "b"), ("d1", "c"), ("d2", "a")]
    whole, refused = trees["d1", "a"], trees["d1", "b"]
    assert whole["members"] == [[run_id(0), 0], [run_id(0), 4], [run_id(1), 0], [run_id(1), 4]]
    assert whole["settings"] == {"align": "none", "points": 3, "momentum": "inf"}
    assert whole["warnings"] == ["mind"]
    assert [*whole["values"]] == [*MEASURED]
    assert whole["values"]["loss"]["value"] == [1.0, "nan", "inf"]
    assert whole["values"]["loss"]["error"] == [[0.5, 1, 1], [2, 3, 3]]
    assert (refused["outcome"], refused["failure"], refused["values"]) == ("refused", CAUSE, {})


def test_json_is_written_while_measurements_are_read(measured, tmp_path):
    many = [NewMeasurement(f"m{i:03}", (), Stored(values={"one": Value(i, "a number")})) for i in range(200)]
    measured.store_measurements("d3", {"kind": "trace"}, many)
    asked_for = []
    query = measured._in

    def counted(text, ids, extra=()):
        asked_for.append(len(ids))
        return query(text, ids, extra)

    measured._in = counted
    entries = measured.measurements()
    next(entries)
    assert sum(asked_for) < 20
    assert len(list(entries)) == 203
    assert max(asked_for) <= 64


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_an_empty_lab_can_be_exported(tmp_path, form):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        files = export(lab, tmp_path / "out", form)
    assert [file.name for file in files] == [f"{name}.{form}" for name in ("runs", "traces", "measurements")]
    assert all(file.exists() for file in files)
    if form == "json":
        assert all(json.loads(file.read_text()) == [] for file in files)


def test_an_unknown_form_is_refused_and_makes_nothing(lab, tmp_path):
    with pytest.raises(StudyError, match="parquet, csv, json"):
        export(lab, tmp_path / "out", "xlsx")
    assert not (tmp_path / "out").exists()
