"""All runs, series and measurements of a lab at full resolution, for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from gradlab.errors import Problem, StudyError
from gradlab.measure.measurement import COLUMNS, Row, spread
from gradlab.store.codec import plain, to_json
from gradlab.store.files import disk_problem

if TYPE_CHECKING:
    import polars as pl

    from gradlab.store.measurements import Entry
    from gradlab.store.reader import Reader

__all__ = ["FORMS", "export", "measurements_table", "runs_table", "traces_table"]

Form = Literal["parquet", "csv", "json"]
FORMS = ("parquet", "csv", "json")

ROWS_AT_ONCE = 100_000
"""Measured numbers that become a piece of their table: as rows they take several times the memory."""

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins like this for a formula; a quote before it makes it text."""


def export(lab: Reader, folder: Path, form: str = "parquet") -> list[Path]:
    """Write `runs.FORM`, `traces.FORM` and `measurements.FORM`.

    Runs have one row each. Traces have one row for each run, quantity, epoch and, where a quantity has several
    numbers an epoch, `index`. Measurements have one row for each number that an instrument gave, and one with the
    cause where it gave none; see `measurements_table`. In JSON a series is one object, and so is a measurement
    with all its values. NaN and infinities stay what they are; JSON, which has none, spells them as the words
    "nan", "inf" and "-inf".

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
    tables = {"runs": runs_table, "traces": traces_table, "measurements": measurements_table}
    files = [folder / f"{name}.{form}" for name in tables]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form == "json":
            files[0].write_text(json.dumps(plain(_runs(lab)), indent=1, allow_nan=False), encoding="utf-8")
            for file, trees in zip(files[1:], (_series(lab), _measurements(lab)), strict=True):
                with file.open("w", encoding="utf-8") as stream:
                    stream.writelines(_array(trees))
        else:
            for file, table in zip(files, tables.values(), strict=True):
                if form == "parquet":
                    table(lab).write_parquet(file)
                else:
                    _guarded(table(lab)).write_csv(file)
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


def measurements_table(lab: Reader) -> pl.DataFrame:
    """One row for each number that instruments gave, and one with the cause where they gave none.

    Columns: `kind` and `instrument` (the digest of kind and settings); `settings`, those declared and those it was
    done with, as JSON; `subject`, the key of what was measured; `members`, its runs and their epochs, as in
    `RUN@0,3 RUN@0,3`; `outcome`; of the number `value` (the name), `axis`, `place` on it, `index` where there are
    several at a place, `number`, and the ends `low` and `high` that its error leaves; `failure`, the cause of a
    refusal or an error; `gradients`, the cost of the whole measurement.
    """
    import polars as pl

    parts: list[pl.DataFrame] = []
    heads: list[dict[str, Any]] = []
    rows: list[tuple[int, Row]] = []  # which head, and the number
    for entry in lab.measurements():
        rows += [(len(heads), row) for row in spread(entry.found.values)]
        heads.append(_head(entry))
        if len(rows) >= ROWS_AT_ONCE:
            parts.append(_frame(heads, rows))
            heads, rows = [], []
    return pl.concat([*parts, _frame(heads, rows)])


def _frame(heads: Sequence[Mapping[str, Any]], rows: Sequence[tuple[int, Row]]) -> pl.DataFrame:
    """A piece of the table of measurements."""
    import polars as pl

    texts = pl.Categorical()
    of_head = {
        "kind": texts,
        "instrument": texts,
        "settings": texts,
        "subject": texts,
        "members": texts,
        "outcome": texts,
        "failure": texts,
        "gradients": pl.Float64(),
    }
    of_row = {"value": texts, "axis": texts, "index": pl.Int32()}
    wide = pl.DataFrame(heads, schema=of_head)[[head for head, _ in rows]]
    long = pl.DataFrame(
        [row for _, row in rows],
        schema={name: of_row.get(name, pl.Float64()) for name in COLUMNS},
        orient="row",
    )
    order = [*list(of_head)[:6], *COLUMNS, "failure", "gradients"]
    return pl.concat([wide, long], how="horizontal").select(order)


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


def _settings(entry: Entry) -> dict[str, Any]:
    """What an instrument was declared with and what it was done with."""
    declared = {name: value for name, value in entry.declaration.items() if name != "kind"}
    return declared | dict(entry.found.settings)


def _head(entry: Entry) -> dict[str, Any]:
    """What the rows of one measurement have in common."""
    epochs: dict[str, list[str]] = {}
    for run, epoch in entry.members:
        epochs.setdefault(run, []).append(str(epoch))
    return {
        "kind": entry.declaration.get("kind", ""),
        "instrument": entry.instrument,
        "settings": to_json(_settings(entry)),
        "subject": entry.subject,
        "members": " ".join(f"{run}@{','.join(own)}" for run, own in epochs.items()),
        "outcome": entry.found.outcome,
        "failure": entry.found.failure,
        "gradients": entry.found.gradients,
    }


def _series(lab: Reader) -> Iterator[dict[str, Any]]:
    """Series as trees."""
    for run, quantity, (epochs, values) in lab.series(lab.ids()):
        yield {"run": run, "quantity": quantity, "epochs": epochs.tolist(), "values": plain(values)}


def _measurements(lab: Reader) -> Iterator[dict[str, Any]]:
    """Measurements as trees."""
    for entry in lab.measurements():
        yield _head(entry) | {
            "settings": plain(_settings(entry)),
            "members": [list(member) for member in entry.members],
            "warnings": list(entry.found.warnings),
            "values": {name: value.to_dict() for name, value in entry.found.values.items()},
        }


def _array(trees: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A JSON array, piece by piece: a lab may be larger than memory."""
    before = "[\n"
    for tree in trees:
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
