"""A result as tables: a row for each run, and a row for each number that instruments gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from gradlab.engine.result import Result
    from gradlab.study import Condition

__all__ = ["measurements_table", "runs_table"]


def runs_table(result: Result) -> pl.DataFrame:
    """One row for each run that has ended, at every setting; see `Result.table`."""
    import polars as pl

    rows: list[dict[str, Any]] = []
    for condition in result.plan.conditions:
        sample = result.values("loss@last", condition.name)
        loss = dict(zip(sample.replicates.tolist(), sample.values.tolist(), strict=True))
        measured = _numbers_of_runs(result, condition)
        for row in result.rows(condition):
            about = {"condition": condition.label, "setting": condition.setting}
            head = {name: row.pop(name) for name in ("replicate", "run", "state", "epochs", "updates")}
            tail = {"parameters": condition.parameters, "loss": loss.get(head["replicate"], float("nan"))}
            numbers = {name: values.get(head["replicate"]) for name, values in measured.items()}
            rows.append(about | head | tail | row | numbers)
    return pl.DataFrame(rows, infer_schema_length=None)


def measurements_table(result: Result, kind: str | None = None) -> pl.DataFrame:
    """One row for each number that instruments gave, at every setting; see `Result.measurements`."""
    import polars as pl

    kinds = list(result.study.measure) if kind is None else [kind]
    rows = [
        {"kind": one.kind, "setting": setting, "group": one.group, "unit": one.unit, "epoch": one.epoch} | row
        for setting in result.settings
        for each in kinds
        for one in result.at(setting).measured(each)
        for row in one.rows()
    ]
    texts, counts = ("kind", "setting", "group", "value", "axis", "failure"), ("unit", "epoch", "index")
    order = (
        "kind",
        "setting",
        "group",
        "unit",
        "epoch",
        "value",
        "axis",
        "place",
        "index",
        "number",
        "low",
        "high",
    )
    schema = {
        name: pl.String if name in texts else pl.Int64 if name in counts else pl.Float64
        for name in (*order, "failure")
    }
    return pl.DataFrame(rows, schema=schema)


def _numbers_of_runs(result: Result, condition: Condition) -> dict[str, dict[int, float]]:
    """What instruments of single runs give of a condition, one number each: values by replicate."""
    found: dict[str, dict[int, float]] = {}
    own = result.at(condition.setting)
    for kind, instrument in result.study.measure.items():
        if instrument.scope != "run":
            continue
        last = {one.unit: one for one in own.measured(kind, condition.label)}  # of several epochs the last
        for name, known in instrument.gives.items():
            if known.shape == "scalar" and any(name in one for one in last.values()):
                found[f"{kind}.{name}"] = {unit: one.number(name) for unit, one in last.items()}
    return found
