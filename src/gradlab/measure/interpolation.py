"""Losses along a path of weights between two networks."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.alignment import align as aligned
from gradlab.measure.barrier import DEFINITIONS, height
from gradlab.measure.batch_norm import Policy
from gradlab.measure.bezier import bent
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss
from gradlab.measure.path import FEW, Line, Path, grid
from gradlab.measure.repair import Repair
from gradlab.measure.scores import Backend, Scorer, private_state, put

__all__ = ["interpolation"]

Floats = NDArray[np.float64]
Network = nn.Module | Mapping[str, torch.Tensor]

_MOVED: Final = 0.01
"""Change of accuracy by recomputed statistics at an end that is worth a warning."""


def interpolation(
    network_0: Network, network_1: Network, loss: Loss, x: Any, y: Any, *, x_test: Any = None, y_test: Any = None,
    module: nn.Module | None = None, same_start: bool | None = None, low: float = -1.0, high: float = 2.0,
    points: int = 31, within: int = FEW, batch_norm: Policy = "recompute", statistics: int = 2048,
    align: Literal["none", "weights", "activations"] = "none", path: Literal["line", "bezier"] = "line",
    repair: bool = False, bend: Mapping[str, Any] | None = None, seed: int = 0, at_once: int | None = None,
    backend: Backend = "auto",
) -> Measurement:  # fmt: skip
    """Loss and accuracy along theta(a) = (1 - a) theta_0 + a theta_1, and the barriers between its ends.

    Both ends are on the grid with exactly the weights given, in their own type. In a network with batch
    normalisation the running statistics belong to weights that were trained with them, so that they are recomputed
    at every place, the ends included, on a fixed part of the training data (Izmailov 2018). Beyond [0, 1] nothing
    is claimed: barriers are over [0, 1]. (Goodfellow 2015; Frankle 2020; Entezari 2022; reports 000 to 004.)

    Args:
        network_0: The network at 0, or its state dict.
        network_1: The network at 1, of the same architecture, or its state dict.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Training inputs `[n, ...]`.
        y: Training targets.
        x_test: Test inputs.
        y_test: Test targets.
        module: What gives the architecture, where both ends are state dicts.
        same_start: Whether the two began from the same initial weights: only the caller knows.
        low: First alpha.
        high: Last alpha.
        points: Alphas at even spacing.
        within: Least number of alphas in [0, 1].
        batch_norm: "recompute", "interpolate" (statistics mixed as weights are), "first" (those of network_0) or
            "batch" (of each batch).
        statistics: Training examples over which statistics are recomputed.
        align: Permute hidden units of network_1 first: by "weights" or by "activations".
        path: "line", or "bezier": a quadratic curve whose bend is trained (then only [0, 1]).
        repair: Restore means and deviations of hidden units on the way (Jordan 2023; only [0, 1]).
        bend: Settings of `gradlab.measure.bezier.train_bend`.
        seed: Of the choice of examples, of alignment and of the bend.
        at_once: Examples in memory together.
        backend: "auto", "torch" or "kernel"; see `Scorer`.

    Returns:
        Along "alpha": `loss`, `accuracy` and both with `.test`. One number each: `barrier` (loss) and `barrier_error`
        (error rate), above the straight line between the ends; with `_mean` and `_worse` after `barrier` above the
        mean and the worse of the ends; `distance`, `cosine` (of the two vectors of all parameters), `same_start`,
        `loss_0`, `loss_1`, `accuracy_0`, `accuracy_1`; with `.test` where there are test data. Accuracies and error
        rates only where targets are labels.

    Raises:
        MeasureError: The networks are of two architectures, not finite, or cannot be evaluated or aligned.

    Example:
        >>> one, two = nn.Linear(1, 1, bias=False), {"weight": torch.tensor([[3.0]])}
        >>> _ = one.weight.data.fill_(1.0)
        >>> found = interpolation(one, two, "mse", torch.ones(4, 1), torch.zeros(4, 1), points=4, within=0)
        >>> found["loss"].places.tolist(), found["loss"].value.tolist()  # (1 + 2 a)^2
        ([-1.0, 0.0, 1.0, 2.0], [1.0, 1.0, 9.0, 25.0])
    """
    if path not in {"line", "bezier"}:
        raise MeasureError(f"no path is called {path!r}; allowed: line, bezier")
    ends = _networks(network_0, network_1, module)
    test = None if x_test is None else (x_test, y_test)
    curved = path == "bezier" or repair
    alphas = grid(0.0 if curved else low, 1.0 if curved else high, points, within)
    warnings: list[str] = []
    settings: dict[str, str | int | float] = {
        "path": path,
        "align": align,
        "repair": int(repair),
        "initialisation": {True: "same", False: "different", None: "not stated"}[same_start],
    }
    if align != "none":
        alignment = aligned(*ends, x, method=align, seed=seed)
        ends = (ends[0], alignment.network)
        settings |= {"moved_units": alignment.moved, "identity_error": alignment.identity_error}
    scorer = Scorer(
        ends[0], loss, x, y, test=test, batch_norm=batch_norm, statistics=statistics, seed=seed, at_once=at_once,
        backend=backend, weights=len(alphas),
    )  # fmt: skip
    parameters = {name for name, _ in ends[0].named_parameters()}
    line = Line(private_state(ends[0]), private_state(ends[1]), parameters)
    way: Path = line
    if path == "bezier":
        way, cost, chosen = bent(ends[0], ends[1], loss, x, y, seed=seed, **dict(bend or {}))
        scorer.gradients += cost
        settings |= chosen
    change = Repair(ends[0], ends[1], scorer.sample) if repair else None
    rows = [scorer(way.at(float(a)), None if change is None else change.at(float(a))) for a in alphas]
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    if scorer.normalised and batch_norm == "recompute":
        warnings += _moved(scorer, line, rows, alphas)
    if same_start is None:
        warnings.append("whether the two networks share their initial weights is not stated (same_start)")
    settings |= {
        "batch_norm": batch_norm if scorer.normalised else "none in the network",
        "statistics": len(scorer.sample) if scorer.normalised and batch_norm == "recompute" else 0,
        "dtype": str(next(ends[0].parameters()).dtype).removeprefix("torch."),
        "backend": scorer.backend,
        "examples": len(x),
        "points": len(alphas),
    }
    values = _curves(table, alphas) | _barriers(table, alphas) | _ends(line, parameters)
    for end in (0, 1):
        for name, curve in table.items():
            kind, _, split = name.partition(".")
            values[f"{kind}_{end}{'.' * bool(split)}{split}"] = Value(
                float(curve[alphas == end][0]), f"{name} at alpha {end}"
            )
    if same_start is not None:
        values["same_start"] = Value(
            float(same_start), "1 if both began from the same weights, as the caller states"
        )
    return Measurement("interpolation", values, settings, scorer.gradients, tuple(warnings))


def _networks(zero: Network, one: Network, module: nn.Module | None) -> tuple[nn.Module, nn.Module]:
    base = zero if isinstance(zero, nn.Module) else one if isinstance(one, nn.Module) else module
    if base is None:
        raise MeasureError("two state dicts say nothing of the architecture: give module= as well")
    made = [each if isinstance(each, nn.Module) else _filled(base, each) for each in (zero, one)]
    return made[0], made[1]


def _filled(base: nn.Module, state: Mapping[str, torch.Tensor]) -> nn.Module:
    network = copy.deepcopy(base)
    own = {name for name, _ in [*network.named_parameters(), *network.named_buffers()]}
    saved = set(network.state_dict())  # a shared weight under each of its names; not every buffer
    state = {**{name: b for name, b in network.named_buffers() if name not in saved}, **state}
    if own - set(state) or set(state) - own - saved:
        odd = sorted((own - set(state)) | (set(state) - own - saved))[:4]
        raise MeasureError(f"the state dict does not fit the network: {', '.join(odd)} in only one of them")
    try:
        put(network, state)
    except RuntimeError as error:
        raise MeasureError(f"the state dict does not fit the network: {error}") from error
    return network


def _curves(table: Mapping[str, Floats], alphas: Floats) -> dict[str, Value]:
    means = {"loss": "mean loss", "accuracy": "share classified correctly"}
    where = {"": "training", "test": "test"}
    return {
        name: Value(
            curve, f"{means[name.partition('.')[0]]} over the {where[name.partition('.')[2]]} examples at alpha",
            axis="alpha", places=alphas,
        )
        for name, curve in table.items()
    }  # fmt: skip


def _barriers(table: Mapping[str, Floats], alphas: Floats) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, curve in table.items():
        kind, _, split = name.partition(".")
        values, unit = (curve, "") if kind == "loss" else (1 - curve, "_error")
        of = "loss" if kind == "loss" else "error rate"
        for definition, means in DEFINITIONS.items():
            stem = "barrier" if definition == "line" else f"barrier_{definition}"
            high, _ = height(alphas, values, definition)  # pyright: ignore[reportArgumentType]
            found[f"{stem}{unit}{'.' * bool(split)}{split}"] = Value(
                high, f"largest {of} on [0, 1] {means}, {'test' if split else 'training'} examples"
            )
    return found


def _ends(line: Line, parameters: set[str]) -> dict[str, Value]:
    one, two = (torch.cat([end[n].reshape(-1).double() for n in end if n in parameters]) for end in line.ends)
    norms = float(one.norm()) * float(two.norm())
    cosine = float(one @ two) / norms if norms else math.nan
    return {
        "distance": Value(float((one - two).norm()), "Euclidean distance of the ends, all parameters"),
        "cosine": Value(cosine, "cosine of the angle between the two vectors of parameters"),
    }


def _moved(scorer: Scorer, line: Line, rows: list[dict[str, float]], alphas: Floats) -> list[str]:
    """What recomputed statistics change at the ends themselves."""
    found: list[str] = []
    for end in (0, 1):
        row, given = rows[int(np.flatnonzero(alphas == end)[0])], scorer.given(line.ends[end])
        if "accuracy" in row and abs(row["accuracy"] - given["accuracy"]) > _MOVED:
            found.append(
                f"network {end} has training accuracy {given['accuracy']:.4f} with the batch-norm statistics that it "
                f"brings and {row['accuracy']:.4f} with recomputed ones"
            )
    return found
