"""Fleets for tests, with as little said as possible."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.model import MLP
from gradlab.study.recipe import Adam
from gradlab.study.record import Record
from gradlab.study.spec import Spec
from gradlab.task import Function
from gradlab.train.advance import advance, pick_backend
from gradlab.train.fleet import Fleet, Member, build_data

PURPOSES = ("data", "labels", "init", "order", "dropout", "probe")


def spec_of(**fields: Any) -> Spec:
    """Adam on 20 points of sin, a small ReLU network."""
    default = {
        "task": Function("sin", low=-2, high=2, points=20, heldout=7),
        "model": MLP(6, 5),
        "optimizer": Adam(lr=1e-2),
    }
    given = default | fields
    return Spec(**{"loss": given["task"].default_loss} | given)


def fleet_of(
    spec: Spec, epochs: int, replicates: Any = (0,), backend: str | None = None, **record: Any
) -> Fleet:
    """One run a replicate; seeds that vary are the replicate's index."""
    seeds = [dict.fromkeys(PURPOSES, 0) | dict.fromkeys(("init", "order", "dropout"), r) for r in replicates]
    data = build_data(spec.task, seeds[0], spec.validation)
    members = tuple(Member(f"run-{r}", s) for r, s in zip(replicates, seeds, strict=True))
    return Fleet(spec, epochs, Record(**record), backend or pick_backend(spec), (data,), members)


def whole(fleet: Fleet) -> Any:
    """States and traces of a fleet in one slice."""
    return advance(fleet, None, fleet.epochs)


def sliced(fleet: Fleet, ends: Any) -> Any:
    """States and joined traces of a fleet that is advanced to each of `ends` in turn."""
    states, parts = None, []
    for end in [*ends, fleet.epochs]:
        states, traces = advance(fleet, states, end)
        parts.append(traces)
    return states, tuple(joined([traces[k] for traces in parts]) for k in range(len(fleet.members)))


def joined(traces: Any) -> dict[str, Any]:
    """Slices of one run behind each other."""
    names = {name for trace in traces for name in trace.series}
    found = {}
    for name in names:
        own = [trace.series[name] for trace in traces if name in trace.series]
        found[name] = tuple(np.concatenate(column) for column in zip(*own, strict=True))
    return found


def same_state(one: Any, two: Any) -> None:
    """Assert that two states are equal to the bit."""
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.slots.keys() == two.slots.keys()
    for name in one.slots:
        np.testing.assert_array_equal(one.slots[name], two.slots[name])
    assert one.buffers.keys() == two.buffers.keys()
    for name in one.buffers:
        np.testing.assert_array_equal(one.buffers[name], two.buffers[name])
    fields = ("epoch", "updates", "status", "status_epoch", "passages")
    assert [getattr(one, f) for f in fields] == [getattr(two, f) for f in fields]
    np.testing.assert_array_equal(one.recent, two.recent)
    assert (one.best is None) == (two.best is None)
    if one.best is not None:
        assert one.best[:2] == two.best[:2]
        np.testing.assert_array_equal(one.best[2], two.best[2])


def same_series(one: Any, two: Any) -> None:
    """Assert that two traces are equal to the bit."""
    assert one.keys() == two.keys()
    for name in one:
        for a, b in zip(one[name], two[name], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
