"""A result over plain arrays, as the judge sees one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradlab.judge import Verdict, judge
from gradlab.study.claims import Claim
from gradlab.study.quantity import Quantity


@dataclass
class Sample:
    values: np.ndarray
    replicates: np.ndarray
    flagged: np.ndarray
    states: list[str]


@dataclass
class Series:
    epochs: np.ndarray
    values: np.ndarray
    replicates: np.ndarray


@dataclass
class Runs:
    """`data[condition][quantity]` holds one number per run, or a series `[n, k]` under `curves`.

    `data[condition]` may also hold `flagged`, `states` and `replicates`.
    """

    data: Mapping[str, Mapping[str, Any]]
    paired: bool = False
    declared: int | None = None
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    spec: Any = field(default_factory=lambda: SimpleNamespace(stop=None))
    preliminary: bool = False
    smallest_effect: float | None = None

    def n(self, condition: str) -> int:
        return len(self.data[condition]["loss"])

    @property
    def plan(self) -> Any:
        conditions = [
            SimpleNamespace(
                name=name,
                label=name.partition(" @ ")[0],
                setting=self.settings.get(name, "as declared"),
                levels=self.levels.get(name, {"model": name.partition(" @ ")[0]}),
                spec=self.spec,
                epochs=100,
                parameters=571,
            )
            for name in self.data
        ]
        return SimpleNamespace(
            conditions=conditions,
            settings=tuple(dict.fromkeys(c.setting for c in conditions)),
            study=SimpleNamespace(
                replicates=self.declared or max(map(self.n, self.data)), smallest_effect=self.smallest_effect
            ),
            pairs=lambda a, b: self.paired,
            preliminary=self.preliminary,
        )

    def values(self, quantity: Quantity, condition: str) -> Sample:
        cell = self.data[condition]
        n = self.n(condition)
        found = cell.get(str(quantity), cell.get(quantity.name, np.full(n, 100.0)))
        return Sample(
            np.asarray(found, dtype=float),
            np.asarray(cell.get("replicates", np.arange(n))),
            np.asarray(cell.get("flagged", np.zeros(n, dtype=bool))),
            list(cell.get("states", ["done"] * n)),
        )

    def series(self, quantity: str, condition: str) -> Series:
        values = np.asarray(self.curves[condition][quantity], dtype=float)
        return Series(np.arange(values.shape[1]), values, np.arange(len(values)))

    def predictions(self, condition: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = np.linspace(-1, 1, 101)[:, None]
        return x, np.zeros_like(x), np.asarray(self.data[condition]["predictions"], dtype=float)


def verdict_on(claim: str, runs: Runs, **options: Any) -> Verdict:
    """The verdict on one claim, written as text."""
    return verdicts_on([claim], runs, **options)[0]


def verdicts_on(claims: Sequence[str], runs: Runs, **options: Any) -> list[Verdict]:
    return judge([Claim.model_validate(claim) for claim in claims], runs, **options)
