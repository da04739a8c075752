"""What a worker is given to measure: subjects of one specification with their weights, and the data."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.errors import MeasureError
from gradlab.randomness import generator
from gradlab.study.spec import Spec
from gradlab.task.arrays import Arrays
from gradlab.task.data import Data

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from gradlab.measure.objective import Objective
    from gradlab.study.instruments import Instrument

__all__ = ["Sitter", "Sitting", "Weights"]

SMALL = 20_000
"""Networks with fewer parameters than this are measured in float64."""

CHUNK_BYTES = 2**28
"""How large the activations of the examples that are looked at together may become."""

MOST_AT_ONCE = 4096


@dataclass(frozen=True)
class Weights:
    """A network at one epoch.

    Attributes:
        epoch: The epoch asked for.
        weights: `[D]`, flat.
        buffers: What else the network holds, by name.
    """

    epoch: int
    weights: NDArray[Any]
    buffers: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Sitter:
    """One subject.

    Attributes:
        key: What it is known by.
        members: For each of its runs the weights at each epoch.
        same_start: Whether a pair began at the same initial weights.
    """

    key: str
    members: tuple[tuple[Weights, ...], ...]
    same_start: bool | None = None

    @property
    def only(self) -> Weights:
        """The weights of a subject that is one run at one epoch."""
        return self.members[0][0]


@dataclass(frozen=True)
class Sitting:
    """Subjects that are measured together, on the same data, with the same seed.

    Attributes:
        kind: The kind of instrument.
        instrument: Its declaration.
        spec: What was trained.
        data: What it was trained on; large arrays may be on the shelf.
        seed: Of everything that the instrument draws.
        sitters: The subjects.
        slots: The place of each among those that are measured together.
        width: How many are measured together; the same for a specification whoever else is there, so that the bits
            of one subject do not depend on the others.
        dtype: "float32" or "float64", in which objectives compute; `None` chooses by the size of the network.
    """

    kind: str
    instrument: Instrument
    spec: Spec
    data: Data
    seed: int
    sitters: tuple[Sitter, ...]
    slots: tuple[int, ...]
    width: int = 1
    dtype: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the arrays that the task holds, which are in `data` already."""
        task = self.spec.task
        if not isinstance(task, Arrays):
            return dict(vars(self))
        return vars(self) | {"spec": self.spec.model_copy(update={"task": task.outline()})}

    def one(self, place: int) -> Sitting:
        """One of the subjects by itself, at its own place."""
        return replace(self, sitters=(self.sitters[place],), slots=(self.slots[place],))

    def network(self, weights: Weights) -> nn.Module:
        """A network in evaluation mode, in the type in which it was trained."""
        import torch

        from gradlab.model import Module
        from gradlab.train.network import build_network, load

        model = self.spec.model
        dtype = torch.float32 if self.spec.dtype == "float32" else torch.float64
        if isinstance(model, Module):
            network = model.built_at(0).to(dtype)
        else:
            network = build_network(model, self.spec.task.shape, self.spec.task.outputs, dtype)
        return load(network, weights.weights, weights.buffers).eval()

    def examples(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs and targets that the instrument looks at: all, or a fixed choice by the seed for probes.

        Raises:
            MeasureError: There are none.
        """
        if self.instrument.data == "test":
            x, y = self.data.test_x, self.data.test_y
        else:
            x, y = self.data.x, self.data.y
        if x is None or y is None or not len(x):
            raise MeasureError(f"the task has no {self.instrument.data} data to measure on")
        count = self.instrument.examples
        if count is None or count >= len(x):
            return x, y
        chosen = np.sort(generator(self.seed, "probe", "examples").permutation(len(x))[:count])
        return x[chosen], y[chosen]

    def objective(self, sitters: Iterable[Sitter] | None = None) -> Objective:
        """The loss of the networks together: `width` of them, empty places filled; of one where the width is 1.

        Args:
            sitters: In place of the subjects that are measured; one then.
        """
        import torch

        from gradlab.measure.objective import Objective

        given = list(self.sitters if sitters is None else sitters)
        networks = [self.network(sitter.only) for sitter in given]
        placed = [networks[0]] * self.width
        for slot, network in zip(self.slots, networks, strict=False):
            placed[slot] = network
        x, y = self.examples()
        small = given[0].only.weights.size < SMALL or self.spec.dtype == "float64"
        chosen = self.dtype or ("float64" if small else "float32")
        dtype = torch.float64 if chosen == "float64" else torch.float32
        at_once = _at_once(networks[0], x, self.width * dtype.itemsize)
        found = Objective(
            placed if self.width > 1 else placed[0], self.spec.loss, x, y, dtype=dtype, at_once=at_once
        )
        if self.dtype == "float32" and found.x.dim() == 4:  # a fifth faster, and no study's bits depend on it
            found.x = found.x.to(memory_format=torch.channels_last)
        return found


def _at_once(network: nn.Module, x: NDArray[Any], size: int) -> int:
    """How many examples may be looked at together, given the bytes of one number of all networks."""
    import torch

    numbers = int(x[:1].size)

    def add(_: nn.Module, __: Any, result: Any) -> None:
        nonlocal numbers
        numbers += result.numel() if isinstance(result, torch.Tensor) else 0

    parts = [module for module in network.modules() if not list(module.children())]
    hooks = [part.register_forward_hook(add) for part in parts]
    try:
        with torch.no_grad():
            network(torch.from_numpy(np.ascontiguousarray(x[:1])).to(next(network.parameters()).dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return max(1, min(MOST_AT_ONCE, CHUNK_BYTES // (numbers * size)))
