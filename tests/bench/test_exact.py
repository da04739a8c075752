"""The table of instruments against exact answers: what it takes for right, and that a wrong instrument would show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradlab import commands
from gradlab.bench import exact, exact_curvature, exact_paths, exact_sharpness
from gradlab.bench.exact import Case, Row


def small(updates: int = 0) -> Case:
    torch.manual_seed(updates)
    network = nn.Sequential(
        nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 5), nn.Tanh(), nn.Linear(5, 1), nn.Tanh(), nn.Linear(1, 1)
    ).double()
    x = torch.linspace(-2, 2, 30, dtype=torch.float64)[:, None]
    return Case("small", network, nn.MSELoss(), "mse", x, torch.sin(x))


def broken(rows: Any) -> list[str]:
    return [row.name for row in rows if not row.holds]


def test_errors_are_relative_to_the_exact_answer_or_to_a_size() -> None:
    assert Row("trace", "bowl", 4.0, 5.0, limit=None).error == 0.25
    assert Row("trace", "bowl", 0.0, 1e-12).error == 1e-12
    assert Row("eigenvalue", "bowl", 1e-9, 2e-9, size=10.0).error == pytest.approx(1e-10)


def test_a_row_holds_where_the_error_is_rounding_and_the_interval_covers() -> None:
    assert Row("trace", "bowl", 1.0, 1.0 + 1e-10).holds
    assert not Row("trace", "bowl", 1.0, 1.0 + 1e-8).holds
    assert Row("trace", "bowl", 1.0, 1.4, limit=None, covered=0.9, repeats=100).holds
    assert not Row("trace", "bowl", 1.0, 1.0, limit=None, covered=0.89, repeats=100).holds
    assert not Row("trace", "bowl", 1.0, float("nan")).holds


def test_lines_planes_paths_and_ranks_are_exact() -> None:
    assert broken(exact_paths.rows()) == []


def test_statistics_that_are_not_recomputed_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradlab.measure.batch_norm.with_statistics", lambda network, x, at_once: network)
    assert broken(exact_paths.rows()) == [
        f"{layer} layer's {what}, recomputed"
        for layer in ("first", "second")
        for what in ("mean", "variance")
    ]


def test_sensitivity_and_sharpness_have_their_closed_forms() -> None:
    rows = list(exact_sharpness.rows(3))  # too few for coverage
    assert broken(row for row in rows if row.covered is None) == []
    assert {row.repeats for row in rows if row.covered is not None} == {3}
    network, x, y = exact_sharpness.bowl(np.array([4.0, 1.0]), np.zeros(2), np.array([1.0, 2.0]))
    loss = nn.functional.mse_loss(network(torch.from_numpy(x)), torch.from_numpy(y))
    assert loss.item() == pytest.approx(4 / 2 + 4 / 2)


def test_curvature_is_that_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_curvature, "_PRODUCTS", 30)
    rows = list(exact_curvature.rows(small(), 4))
    assert broken(row for row in rows if row.covered is None) == []
    assert sum(row.covered is not None for row in rows) == 8
    assert {row.network for row in rows} >= {"small, 153 parameters", "least squares", "linear 2-2-2 at zero"}


def test_the_table_counts_what_holds_and_marks_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    monkeypatch.setattr(exact, "regression", small)
    for part in (exact_curvature, exact_sharpness, exact_paths):
        monkeypatch.setattr(part, "rows", lambda *_: [Row("trace", "bowl", 1.0, 2.0)])
    found = exact.measure(repeats=3)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert exact.table(found).splitlines()[-1] == "0 of 3 hold"
    assert "FAILS" in exact.table(found)


def test_the_command_prints_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = Row("trace", "bowl", 5.5, 5.5)
    monkeypatch.setattr(exact, "measure", lambda: [vars(row) | {"error": row.error, "holds": row.holds}])
    found = commands.bench("exact")
    assert found[0]["bench"] == "exact"
    commands.print_bench(found)
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 hold"
