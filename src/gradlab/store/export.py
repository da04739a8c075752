"""All runs and all series of a lab at full resolution, for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from gradlab.errors import Problem, StudyError
from gradlab.store.codec import plain
from gradlab.store.files import disk_problem

if TYPE_CHECKING:
    import polars as pl

    from gradlab.store.reader import Reader

__all__ = ["FORMS", "export", "runs_table", "traces_table"]

Form = Literal["parquet", "csv", "json"]
FORMS = ("parquet", "csv", "json")

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins like this for a formula; a quote before it makes it text."""


def export(lab: Reader, folder: Path, form: str = "parquet") -> list[Path]:
    """Write `runs.FORM` and `traces.FORM`.

    Runs have one row each. Traces have one row for each run, quantity, epoch and, where a quantity has several
    numbers an epoch, `index`. NaN and infinities stay what they are; JSON, which has none, spells them as the
    words "nan", "inf" and "-inf".

    Args:
        lab: An open lab.
        folder: Where to write; made if it is not there.
        form: "parquet", "csv" or "json".

    Returns:
        The files.

    Raises:
        StudyError: There is no such form.
    """
    if form not in FORMS:
        raise StudyError([Problem("format", form, "is not a format", ", ".join(FORMS))])
    files = [folder / f"runs.{form}", folder / f"traces.{form}"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form == "json":
            files[0].write_text(json.dumps(plain(_runs(lab)), indent=1, allow_nan=False), encoding="utf-8")
            with files[1].open("w", encoding="utf-8") as stream:
                for piece in _json_traces(lab):
                    stream.write(piece)
        else:
            for file, table in zip(files, (runs_table(lab), traces_table(lab)), strict=True):
                if form == "parquet":
                    table.write_parquet(file)
                else:
                    _guarded(table).write_csv(file)
    except OSError as error:
        raise disk_problem(error, folder) from error
    return files


def runs_table(lab: Reader) -> pl.DataFrame:
    """One row for each run: what it is, who asked for it, how it stands; nested settings as `spec.KEY.KEY`."""
    import polars as pl

    return pl.DataFrame([_flat(row) for row in _runs(lab)], infer_schema_length=None)


def traces_table(lab: Reader) -> pl.DataFrame:
    """One row for each recorded number: run, quantity, epoch, index, value."""
    import polars as pl

    schema = {
        "run": pl.Categorical(),
        "quantity": pl.Categorical(),
        "epoch": pl.Int64(),
        "index": pl.Int32(),
        "value": pl.Float64(),
    }
    parts: list[pl.DataFrame] = []
    for run, quantity, (epochs, values) in lab.series(lab.ids()):
        width = values.shape[1] if values.ndim == 2 else 1
        columns = {
            "run": pl.Series([run], dtype=pl.Categorical()).new_from_index(0, values.size),
            "quantity": pl.Series([quantity], dtype=pl.Categorical()).new_from_index(0, values.size),
            "epoch": np.repeat(epochs, width),
            "index": np.tile(np.arange(width, dtype=np.int32), len(epochs)),
            "value": values.reshape(-1),
        }
        parts.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def _runs(lab: Reader) -> list[dict[str, Any]]:
    """Runs as trees: `describe` with ends and passages."""
    rows = lab.describe()
    known = lab.known()
    passages = lab.passages(known)
    for row in rows:
        ends = known[row["id"]].endings
        row["ends"] = [
            {"epoch": end.epoch, "reason": end.reason, "updates": end.updates, "weights": end.weights}
            for end in sorted(ends.values(), key=lambda end: end.epoch)
        ]
        row["epochs_to"] = {
            f"loss<{threshold:g}": epoch for threshold, epoch in passages.get(row["id"], {}).items()
        }
    return rows


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A tree as one row; lists, and a study's many askers, become text."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= _flat(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        elif isinstance(value, list):
            flat[prefix + key] = json.dumps(plain(value), ensure_ascii=False)
        else:
            flat[prefix + key] = value
    return flat


def _json_traces(lab: Reader) -> Iterator[str]:
    """A JSON array of series, piece by piece: a lab may be larger than memory."""
    before = "[\n"
    for run, quantity, (epochs, values) in lab.series(lab.ids()):
        tree = {"run": run, "quantity": quantity, "epochs": epochs.tolist(), "values": plain(values)}
        yield before + json.dumps(tree, allow_nan=False)
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def _guarded(table: pl.DataFrame) -> pl.DataFrame:
    """Texts that a spreadsheet would take for formulas, with a quote before them."""
    import polars as pl

    columns: list[pl.Series] = []
    for column in table.get_columns():
        if isinstance(column.dtype, pl.String | pl.Categorical):
            texts = column.cast(pl.String)
            risky = texts.str.slice(0, 1).is_in(list(DANGEROUS)).fill_null(value=False)
            columns.append(
                pl.select(pl.when(risky).then("'" + texts).otherwise(texts)).to_series().alias(column.name)
            )
        else:
            columns.append(column)
    return pl.DataFrame(columns)
