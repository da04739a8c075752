"""Fleets as one computation: every member's weights stacked, and `torch.func.vmap` over them.

Made for a GPU, where a step of one small network is hardly more than the time to launch its kernels. There, steps
are recorded as a CUDA graph once they have run a few times. On a CPU the same code runs step by step, which is how
it is tested; the CUDA path is exercised only where there is such a device.

Results agree with those of the loop within rounding. How sums are ordered depends on how many members there are, so
that unlike on the other backends the last bits of a run depend on its fleet.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch

from gradlab.model.cnn import CNN
from gradlab.model.layers import hidden_units
from gradlab.model.mlp import MLP
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train.batches import as_tensor
from gradlab.train.dropout import EVALUATION_STEP
from gradlab.train.fleet import Member
from gradlab.train.learner import Measured, Request
from gradlab.train.pure import PureNetwork, loss_of, mask_bases, mask_keys
from gradlab.train.stack import Stack, cut, exact
from gradlab.train.start import first_state
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST_MEMBERS", "VmapLearner"]

MOST_MEMBERS: Final = 64
"""Members beyond which a fleet of small networks gains little more from a GPU."""


class VmapLearner:
    """Trains declared networks, many at a time; see `FleetLearner`.

    Args:
        spec: What is trained.
        data: What it learns from.
        device: As torch names it.
        shelf: Arrays that are on the device already, by their `id`; learners that share one share memory.
    """

    def __init__(
        self, spec: Spec, data: Data, device: str = "cpu", shelf: dict[int, torch.Tensor] | None = None
    ) -> None:
        self.spec = spec
        self.data = data
        self.device = torch.device(device)
        self.dtype = torch.float32 if spec.dtype == "float32" else torch.float64
        self.network = PureNetwork(cast("MLP | CNN", spec.model), spec.task.shape, spec.task.outputs)
        shelf = {} if shelf is None else shelf
        if id(data.x) not in shelf:
            shelf[id(data.x)] = as_tensor(data.x, self.dtype).to(self.device)
        self.x = shelf[id(data.x)]
        self.y = self._targets(data.y)

    def start(self, member: Member) -> State:
        """The state before the first epoch."""
        return first_state(self.spec, member)

    def train(
        self, state: State, member: Member, rates: NDArray[np.float64], measure: NDArray[np.uint8]
    ) -> Measured:
        """Train one network alone for `len(rates)` epochs and change `state` in place."""
        return self.train_together([Request(self, state, member, rates, measure)])[0]

    def train_together(self, requests: Sequence[Request]) -> list[Measured]:
        """Train many networks side by side, those with the same inputs that stand at the same epoch."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, request in enumerate(requests):
            own, state = cast(VmapLearner, request.learner), request.state
            key = (id(own.x), state.epoch, state.updates, len(request.rates), request.measure.tobytes())
            groups.setdefault(key, []).append(place)
        found: dict[int, Measured] = {}
        for places in groups.values():
            chosen = [requests[place] for place in places]
            with exact(self.device):
                stack = self._stack(chosen)
                measured = stack.train(chosen)
            found |= zip(places, measured, strict=True)
        return [found[place] for place in range(len(requests))]

    def full_pass(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], *, gradient: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss over the training set, and the squared norms `[L, 2]` of its gradient's parts."""
        with exact(self.device):
            stack = Stack(self, [self.y], [weights], {}, [buffers])
            loss, squares = stack.full_pass(gradient=gradient)
        return float(loss[0]), squares[0]

    def evaluate(
        self,
        weights: NDArray[Any],
        buffers: dict[str, NDArray[Any]],
        x: NDArray[Any],
        y: NDArray[Any] | None,
        training: tuple[int, int] | None = None,
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss (NaN without targets) and the outputs `[n, out]` on examples of the task."""
        given, statistics = self._loaded(weights, buffers)
        targets = None if y is None else self._targets(y)
        total, parts, size = 0.0, list[torch.Tensor](), len(x)
        nominal = size if self.spec.batch_size == "full" else self.spec.batch_size
        steps = cut(size, self.chunk(1) if training is None else nominal)
        bases: list[torch.Tensor | None] = [None] * len(steps)
        if training is not None:
            seed, epoch = training
            table = mask_bases(
                mask_keys([seed], self.device), epoch, EVALUATION_STEP, len(steps), self.network.drops
            )
            bases = list(table[:, 0].unbind(0))
        with torch.no_grad(), exact(self.device):
            for rows, own in zip(steps, bases, strict=True):
                part = as_tensor(x[rows], self.dtype).to(self.device)
                outputs, _ = self.network(given, part, statistics, own, training=training is not None)
                parts.append(outputs.cpu())
                if targets is not None:
                    total += len(outputs) / size * float(loss_of(self.spec, outputs, targets[rows]))
        return float("nan") if y is None else total, torch.cat(parts).numpy().astype(np.float64)

    def alive(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], x: NDArray[Any]
    ) -> tuple[list[NDArray[np.bool_]], int]:
        """Which rectified units are above zero on some of the inputs; number of hidden units."""
        model, task = cast("MLP | CNN", self.spec.model), self.spec.task
        units = hidden_units(model.resolved(task.shape, task.outputs))
        if model.activation != "relu":
            return [], units
        given, statistics = self._loaded(weights, buffers)
        masks: list[torch.Tensor] = []
        with torch.no_grad(), exact(self.device):
            for rows in cut(len(x), self.chunk(1)):
                layers: list[torch.Tensor] = []
                part = as_tensor(x[rows], self.dtype).to(self.device)
                self.network(given, part, statistics, seen=layers.append)
                fires = [(layer.flatten(1) > 0).any(dim=0) for layer in layers]
                masks = [old | new for old, new in zip(masks, fires, strict=True)] if masks else fires
                if all(bool(mask.all()) for mask in masks):
                    break
        return [mask.cpu().numpy() for mask in masks], units

    def chunk(self, members: int) -> int:
        """How many examples may go through so many networks at once."""
        room = 2**25 if self.device.type == "cpu" else 2**31
        return max(1, min(8192, room // (members * self.network.numbers * self.dtype.itemsize)))

    def _stack(self, requests: Sequence[Request]) -> Stack:
        states = [request.state for request in requests]
        slots = {name: [state.slots[name] for state in states] for name in states[0].slots}
        targets = [cast(VmapLearner, request.learner).y for request in requests]
        weights, buffers = [state.weights for state in states], [state.buffers for state in states]
        return Stack(self, targets, weights, slots, buffers)

    def _loaded(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        statistics = {name: torch.from_numpy(value.copy()).to(self.device) for name, value in buffers.items()}
        return torch.from_numpy(weights.copy()).to(self.device), statistics

    def _targets(self, y: NDArray[Any]) -> torch.Tensor:
        kind = torch.int64 if self.spec.loss == "cross_entropy" else self.dtype
        return as_tensor(y, kind).to(self.device)
