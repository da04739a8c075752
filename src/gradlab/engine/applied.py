"""An instrument on networks that anybody trained: their weights come from files."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gradlab.errors import Problem, UsageError, nearest
from gradlab.study.instruments import INSTRUMENTS, Instrument

if TYPE_CHECKING:
    from torch import nn

    from gradlab.measure.measurement import Measurement
    from gradlab.study.spec import Spec

__all__ = ["applied", "instrument_of"]

_DTYPES: Final = ("float32", "float64")
_EXACT: Final = frozenset({"hessian", "critical_point", "minimal_ratio"})
"""Instruments that count signs of small eigenvalues or search for zeros: never in less than the usual type."""

_FILES = {"run": "one file or more", "pair": "two files", "set": "the files of one run, in their order"}


def applied(
    kind: str,
    weights: Sequence[str | Path],
    model: Any,
    task: Any,
    *,
    settings: Mapping[str, Any] | Sequence[str] = (),
    loss: str | None = None,
    dtype: str | None = None,
    same_start: bool | None = None,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> list[tuple[str, Measurement]]:
    """What an instrument says of given weights, whoever trained them.

    Arrays are matched to the model as by `gradlab.evaluate`; nothing in a file is run.

    Args:
        kind: An instrument, such as `hessian`, `sensitivity` or `interpolation`.
        weights: Files: each is measured by itself; `interpolation` takes two, `trajectory` the points of a run.
        model: As for `gradlab.evaluate`.
        task: As for `gradlab.evaluate`: the data to measure on.
        settings: The instrument's settings, as a mapping or as texts `key=value` in TOML.
        loss: "cross_entropy" or "mse"; the task's own if not given.
        dtype: "float32" or "float64". If not given: float64 for networks with fewer than 20,000 parameters, but
            float32 for convolutional ones, whose float64 products take several times as long, except where small
            eigenvalues are counted (`hessian`, `critical_point`, `minimal_ratio`). Weights of float64 stay so.
            `interpolation` and `landscape` compute in the type of the weights.
        same_start: Whether the two networks of a pair began at the same initial weights: no file says so.
        seed: Of what the task and the instrument draw.
        tell: Called with a line before each network is measured.

    Returns:
        Each measurement with what it is of.

    Raises:
        UsageError: Kind, settings, model or task make no sense together.
        WeightsError: A file cannot be read or does not fit the model.
        MeasureError: The instrument cannot be right here, and says why.
    """
    from gradlab.engine.arguments import here_importable, model_of, task_of
    from gradlab.engine.readers import Sitter, Sitting, read
    from gradlab.study.seeds import PURPOSES
    from gradlab.task.data import build_data

    instrument = instrument_of(kind, settings)
    with here_importable():
        declared, meant = model_of(model), task_of(task)
        _check(instrument, weights, meant, loss, dtype)
        networks = [_network(path, declared, meant) for path in weights]
        points = [_point(network, epoch) for epoch, network in enumerate(networks)]
        names = [str(path) for path in weights]
        if instrument.scope == "run":
            sitters = [Sitter(name, ((point,),)) for name, point in zip(names, points, strict=True)]
        elif instrument.scope == "pair":
            sitters = [Sitter(" to ".join(names), tuple((point,) for point in points), same_start)]
        else:
            sitters = [Sitter(f"{names[0]} to {names[-1]}", (tuple(points),))]
        data = build_data(meant, dict.fromkeys(PURPOSES, seed))
        spec = _spec(declared, meant, loss, networks[0])
        sitting = Sitting(
            kind, instrument, spec, data, seed, tuple(sitters), tuple(range(len(sitters))),
            dtype=dtype or _dtype(kind, networks[0]),
        )  # fmt: skip
        found: list[tuple[str, Measurement]] = []
        for place, sitter in enumerate(sitters):
            if tell is not None:
                examples = len(sitting.examples()[0])
                tell(f"{kind} of {sitter.key}: {points[0].weights.size:,} parameters, {examples:,} examples")
            one = replace(sitting.one(place), slots=(0,))
            found += [(sitter.key, measurement) for measurement in read(one)]
        return found


def instrument_of(kind: str, settings: Mapping[str, Any] | Sequence[str] = ()) -> Instrument:
    """An instrument by its name and settings.

    Args:
        kind: A name of `INSTRUMENTS`.
        settings: Values by name, or texts `key=value`, the value in TOML.

    Returns:
        The declaration.

    Raises:
        UsageError: No instrument has that name, or a setting is not one of its own.

    Example:
        >>> instrument_of("eigenvalues", ["top=3"]).top
        3
    """
    from pydantic import ValidationError

    from gradlab.study.problems import problems_of

    if kind not in INSTRUMENTS:
        allowed = ", ".join(INSTRUMENTS)
        raise UsageError([Problem("instrument", kind, "is not known", allowed, nearest(kind, INSTRUMENTS))])
    given = settings if isinstance(settings, Mapping) else dict(_setting(text) for text in settings)
    cls = INSTRUMENTS[kind]
    idle = [name for name in given if name in cls.choosing]
    if idle:
        told = f"chooses among the runs of a study; here {kind} takes {_FILES[cls.scope]}"
        raise UsageError([Problem(name, str(given[name]), told) for name in idle])
    try:
        return cls.model_validate(dict(given))
    except ValidationError as error:
        raise UsageError(problems_of(error, cls)) from None


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise UsageError([Problem("set", text, "is no setting", "KEY=VALUE, as in examples=1000")])
    try:
        return name.strip(), tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()  # a bare word is text


def _check(
    instrument: Instrument, weights: Sequence[str | Path], task: Any, loss: str | None, dtype: str | None
) -> None:
    problems: list[Problem] = []
    if dtype is not None and dtype not in _DTYPES:
        told = "is not one of the allowed values"
        problems.append(Problem("dtype", dtype, told, ", ".join(_DTYPES), nearest(dtype, _DTYPES)))
    if loss is not None and loss not in task.losses:
        problems.append(
            Problem(
                "loss",
                loss,
                "is not one of the allowed values",
                ", ".join(task.losses),
                nearest(loss, task.losses),
            )
        )
    wanted = {"run": 1, "pair": 2, "set": 3}[instrument.scope]
    if len(weights) < wanted or (instrument.scope == "pair" and len(weights) > 2):
        told = f"{instrument.kind} takes {_FILES[instrument.scope]}"
        problems.append(
            Problem("weights", f"{len(weights)} files", told, f"{wanted} or more" if wanted != 2 else "2")
        )
    if instrument.data == "test" and not task.has_test:
        problems.append(Problem("data", "test", "is not there: the task has no held-out data", "train"))
    if problems:
        raise UsageError(problems)


def _network(path: str | Path, model: Any, task: Any) -> nn.Module:
    from gradlab.engine.scoring import built, loaded
    from gradlab.store.foreign import read_weights

    network, _ = built(model, task)
    loaded(network, read_weights(path))
    return network


def _point(network: nn.Module, epoch: int) -> Any:
    from gradlab.engine.readers import Weights
    from gradlab.train.network import trainable, untrained

    flat = np.concatenate([p.detach().numpy().reshape(-1) for p in trainable(network)])
    return Weights(epoch, flat, {name: tensor.numpy() for name, tensor in untrained(network)})


def _dtype(kind: str, network: nn.Module) -> str | None:
    """float32 where float64 would be slow and is not needed; `None` leaves it to the size of the network."""
    import torch
    from torch import nn

    convolves = any(isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) for module in network.modules())
    narrow = all(p.dtype == torch.float32 for p in network.parameters())
    return "float32" if convolves and narrow and kind not in _EXACT else None


def _spec(model: Any, task: Any, loss: str | None, network: nn.Module) -> Spec:
    """What an instrument wants to know; how the weights were trained is not known and not asked."""
    import torch

    from gradlab.study.recipe import SGD
    from gradlab.study.spec import Spec

    wide = any(p.dtype == torch.float64 for p in network.parameters())
    chosen: Any = loss or task.default_loss
    return Spec(
        task=task,
        model=model,
        optimizer=SGD(lr=1.0),
        loss=chosen,
        dtype="float64" if wide else "float32",
    )
