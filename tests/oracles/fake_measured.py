"""Results with instruments that nothing was measured by: made-up values of every kind, and results that lack them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import fake_results
import numpy as np
from fake_results import FakeResult

from gradlab.measure.measurement import Value
from gradlab.study.instruments import INSTRUMENTS
from gradlab.study.quantity import parse_quantity

TWO = ("deep", "shallow")


@dataclass
class Found:
    """One measurement."""

    group: str
    unit: int
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    failure: str = ""
    epoch: int = 30
    warnings: tuple[str, ...] = ()

    def get(self, name: str) -> Value | None:
        return self.values.get(name)


@dataclass
class Measuring(FakeResult):
    """A fake result whose instruments have `found`, by kind."""

    found: dict[str, list[Found]] = field(default_factory=dict[str, list[Found]])

    def measured(self, kind: str, group: str | None = None) -> list[Found]:
        return [each for each in self.found[kind] if group in {None, each.group}]

    @property
    def failures(self) -> list[Any]:
        return [
            SimpleNamespace(kind=kind, group=each.group, unit=each.unit, epoch=each.epoch, text=each.failure)
            for kind, found in self.found.items()
            for each in found
            if each.failure
        ]

    def curves(self, quantity: str, group: str) -> Any:
        kind, _, name = quantity.partition(".")
        taken = [
            each for each in self.measured(kind, group) if not each.failure and each.get(name) is not None
        ]
        if not taken:
            raise KeyError(quantity)
        value = taken[0].values[name]
        return SimpleNamespace(
            places=np.asarray(value.places),
            values=np.array([np.asarray(each.values[name].value) for each in taken]),
            units=np.array([each.unit for each in taken]),
        )

    def values(self, quantity: Any, condition: str) -> Any:
        asked = parse_quantity(quantity) if isinstance(quantity, str) else quantity
        if not asked.instrument:
            return super().values(quantity, condition)
        taken = self.measured(asked.instrument, condition)
        numbers = [each.get(asked.split) for each in taken]
        values = np.array([np.nan if each is None else float(np.asarray(each.value)) for each in numbers])
        units = np.array([each.unit for each in taken])
        return fake_results.Sample(values, units, np.zeros(len(units), bool), ["done"] * len(units))


def make(
    found: dict[str, list[Found]],
    *,
    names: Sequence[str] = ("deep",),
    labels: Sequence[str] | None = None,
    n: int = 4,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    **study: Any,
) -> Measuring:
    """A result of a few short runs that these measurements were made of.

    Args:
        found: Measurements by kind of instrument.
        names: Conditions.
        labels: Groups, if they are not the conditions.
        n: Runs of each.
        settings: Settings of the instruments by kind.
        study: Further fields of the study.
    """
    measure = {kind: INSTRUMENTS[kind](**(settings or {}).get(kind, {})) for kind in found}
    base = fake_results.make(n=n, epochs=30, names=names, measure=measure, **study)
    groups = {
        label: SimpleNamespace(label=label, setting=None, levels={"model": label})
        for label in labels or names
    }
    base.plan.groups = lambda kind: groups
    return Measuring(**vars(base), found=found)


def number(value: float) -> Value:
    return Value(value, "a number")


def along(axis: str, places: Any, values: Any, error: Any = None) -> Value:
    places, values = np.asarray(places, float), np.asarray(values, float)
    return Value(values, "a series", error, "none" if error is None else "band", axis, places)


def path(group: str, unit: int, share: float = 0.4, null: float = 0.6) -> Found:
    """A set of two runs of three points each, with a share of two components and that of random walks."""
    shares, walks = (
        np.array([share * 0.6, share * 0.4, 1 - share]),
        np.array([null * 0.6, null * 0.4, 1 - null]),
    )
    values = {
        "path": Value(np.array([[0.0, 0], [1, 1], [2, 1], [0, 0], [-1, 1], [-2, 3]]), "", axis="row"),
        "path_run": along("row", range(6), [0, 0, 0, 1, 1, 1]),
        "path_epoch": along("row", range(6), [0, 3, 6, 0, 3, 6]),
    }
    for prefix, other in (("explained", "null"), ("own", "null_own")):
        values[prefix] = along("component", [1, 2, 3], shares)
        values[other] = along("component", [1, 2, 3], walks, np.stack([walks - 0.05, walks + 0.05]))
    for prefix in ("", "own_"):
        values[f"{prefix}explained_two"], values[f"{prefix}null_two"] = number(share), number(null)
        values[f"{prefix}above_null"] = number(float(share > null + 0.05))
    return Found(group, unit, values)


def line(group: str, unit: int, barrier: float = 0.3, *, classes: bool = True) -> Found:
    """A pair of networks with losses (and accuracies) at five alphas."""
    alphas = [-1, 0, 0.5, 1, 2]
    values = {f"loss{end}": along("alpha", alphas, [2, 0.1, 0.1 + barrier, 0.2, 3]) for end in ("", ".test")}
    values |= {f"barrier{end}": number(barrier) for end in ("", ".test")}
    if classes:
        for end in ("", ".test"):
            values[f"accuracy{end}"] = along("alpha", alphas, [0.6, 0.98, 0.98 - barrier, 0.97, 0.4])
            values[f"barrier_error{end}"] = number(barrier)
    return Found(group, unit, values)


def ratios(group: str, unit: int, **given: float) -> Found:
    """The four ratios of a run."""
    four = {"hessian": 0.43, "layers": 0.8, "small_weights": 0.0, "inertia": 0.15} | given
    return Found(group, unit, {name: number(value) for name, value in four.items()})


def point(group: str, unit: int, kind: str) -> Found:
    """Where a search ended; of no class if `kind` is none of them."""
    classes = ("minimum", "saddle", "degenerate", "flat", "kink", "dead", "constant")
    return Found(group, unit, {name: number(float(name == kind)) for name in classes})


def sensitive(group: str, unit: int, size: float) -> Found:
    """Sensitivities that fall with a size, and the norm on three sizes of minibatches."""
    names = ("fixed", "gradient", "input_gradient", "jacobian", "jacobian_logits")
    values = {name: number((1 + 0.1 * unit) / size) for name in names}
    values["minibatch"] = along("batch", [8, 64, 512], (1 + 0.1 * unit) * np.array([4.0, 2.0, 1.0]))
    return Found(group, unit, values)


def spectrum(group: str, unit: int) -> Found:
    """Five eigenvalues, one of them zero and one negative."""
    values = {"eigenvalues": along("rank", range(1, 6), np.array([10, 1, 0.1, 1e-12, -0.5]) * (1 + unit))}
    shares = {"positive": 0.6, "zero": 0.2, "negative": 0.2, "tolerance": 1e-9}
    return Found(group, unit, values | {name: number(value) for name, value in shares.items()})


def density(group: str, unit: int) -> Found:
    """A density on a grid, with its cumulative share."""
    grid = np.linspace(-1, 9, 60)
    bell = np.exp(-((grid - 1) ** 2)) + 1e-9
    share = np.cumsum(bell) / bell.sum()
    return Found(
        group,
        unit,
        {
            "density": along("value", grid, bell, np.stack([bell * 0.8, bell * 1.2])),
            "cumulative": along("value", grid, share, np.stack([share * 0.95, np.minimum(share * 1.05, 1)])),
        },
    )


def refused(group: str, unit: int, why: str = "the network has 20,001 weights") -> Found:
    """A measurement that was refused."""
    return Found(group, unit, failure=why)
