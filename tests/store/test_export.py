import csv
import json
import math

import numpy as np
import polars as pl
import pytest
from labs import RECORD, asked, run_id, state

from gradlab.errors import StudyError
from gradlab.store.export import export
from gradlab.store.lab import Lab
from gradlab.store.rows import NewRun, Progress

VALUES = np.array([1.5, np.nan, np.inf, -np.inf, 1 / 3])
EVIL = '=HYPERLINK("http://example.org")'


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
    runs, traces = export(lab, tmp_path / "out", "parquet")
    table = pl.read_parquet(traces)
    loss = table.filter(pl.col("quantity") == "loss")
    assert np.array_equal(loss["value"].to_numpy(), VALUES, equal_nan=True)
    wide = table.filter(pl.col("quantity") == "gradient_norm_layers")
    assert wide.select("epoch", "index").rows() == [(0, 0), (0, 1), (4, 0), (4, 1)]
    row = pl.read_parquet(runs).row(0, named=True)
    assert (row["id"], row["state"], row["epoch"], row["seeds.init"]) == (run_id(0), "done", 4, 0)
    assert row["epochs_to.loss<0.5"] == math.inf


def test_csv_keeps_numbers_and_makes_formulas_text(lab, tmp_path):
    runs, traces = export(lab, tmp_path / "out", "csv")
    with traces.open(newline="") as stream:
        values = [float(row["value"]) for row in csv.DictReader(stream) if row["quantity"] == "loss"]
    assert np.array_equal(values, VALUES, equal_nan=True)
    with runs.open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not any(
        cell[:1] in "=+-@" for cell in cells if cell and not cell.lstrip("-").replace(".", "").isdigit()
    )


def test_json_spells_what_it_cannot_hold(lab, tmp_path):
    runs, traces = export(lab, tmp_path / "out", "json")
    series = {row["quantity"]: row for row in json.loads(traces.read_text())}
    assert series["loss"]["values"] == [1.5, "nan", "inf", "-inf", 1 / 3]
    assert series["gradient_norm_layers"]["values"] == [[1.0, 2.0], ["nan", 4.0]]
    (run,) = json.loads(runs.read_text())
    assert run["ends"][0]["epoch"] == 4
    assert {asker["title"] for asker in run["asked"]} == {"A study", EVIL}
    assert run["epochs_to"] == {"loss<0.1": "inf", "loss<0.5": "inf"}


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_an_empty_lab_can_be_exported(tmp_path, form):
    with Lab.open(tmp_path / "lab", write=True) as lab:
        assert all(file.exists() for file in export(lab, tmp_path / "out", form))


def test_an_unknown_form_is_refused_and_makes_nothing(lab, tmp_path):
    with pytest.raises(StudyError, match="parquet, csv, json"):
        export(lab, tmp_path / "out", "xlsx")
    assert not (tmp_path / "out").exists()
