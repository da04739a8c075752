"""The stacked state of networks that are trained side by side, and the steps that they take together."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.func import grad, vmap

from gradlab.measure.gradient_norm import mean_tensor_norm
from gradlab.task.augment import moves
from gradlab.task.images import CropFlip
from gradlab.train.crop import cropped
from gradlab.train.learner import BATCH_GRADIENT, GRADIENT, LOSS, RUNNING, Measured, Request
from gradlab.train.pure import loss_of, mask_bases, mask_keys
from gradlab.train.random import order
from gradlab.train.stacked import factors, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradlab.train.vmapped import VmapLearner

__all__ = ["Stack", "cut", "exact"]

_WARM: Final = 3
"""Steps of one shape that are taken before they are recorded as a graph, so that libraries have chosen what to do."""


class Stack:
    """Networks of one architecture and their optimizers, as stacked tensors.

    Args:
        learner: One of theirs, for what they have in common.
        targets: Each one's training targets.
        weights: Each one's weights.
        slots: What each one's optimizer keeps, by name.
        buffers: Each one's buffers; those that go with a best epoch are left alone.
    """

    def __init__(
        self,
        learner: VmapLearner,
        targets: Sequence[torch.Tensor],
        weights: Sequence[NDArray[Any]],
        slots: dict[str, list[NDArray[Any]]],
        buffers: Sequence[dict[str, NDArray[Any]]],
    ) -> None:
        self._learner = learner
        self._spec, self._network, self._device = learner.spec, learner.network, learner.device
        self._x = learner.x
        self._members = len(weights)
        self._weights = self._put(weights)
        self._slots = {name: self._put(values) for name, values in slots.items()}
        names = [name for name in buffers[0] if not name.startswith("best.")]
        self._buffers = {name: self._put([own[name] for own in buffers]) for name in names}
        if all(own is targets[0] for own in targets):
            self._y = targets[0].expand(self._members, *targets[0].shape)
        else:
            self._y = torch.stack(list(targets))
        self._gradient = torch.zeros_like(self._weights)
        self._met = torch.zeros(4, self._members, dtype=torch.float64, device=self._device)
        self._all = torch.arange(self._members, device=self._device)[:, None]
        slope = grad(self._objective, has_aux=True)
        self._slopes = vmap(slope, in_dims=(0, 0, 0, 0, 0))
        self._shared_slopes = vmap(slope, in_dims=(0, None, 0, 0, 0))
        self._losses = vmap(self._evaluated, in_dims=(0, None, 0, 0))
        self._loss_slopes = vmap(grad(self._evaluated), in_dims=(0, None, 0, 0))
        self._recorded: dict[tuple[int, ...] | None, _Recorded] = {}

    def train(self, requests: Sequence[Request]) -> list[Measured]:
        """Train every member as far as its request says, and change the requests' states in place."""
        count = len(requests[0].rates)
        layers = len(self._network.parts)
        loss, running = np.full((self._members, count), np.nan), np.full((self._members, count, 4), np.nan)
        squares, batch_squares = np.full((2, self._members, count, layers, 2), np.nan)
        finite = np.ones(self._members, np.bool_)
        rates = np.stack([request.rates for request in requests])
        epoch, updates = requests[0].state.epoch, requests[0].state.updates
        for row in range(count):
            if self._spec.reset_optimizer == "epoch" and updates:
                updates = 0
                for slot in self._slots.values():
                    slot.zero_()
            bits = int(requests[0].measure[row])
            if bits & (LOSS | GRADIENT):
                loss[finite, row], squares[finite, row] = (
                    found[finite] for found in self.full_pass(gradient=bool(bits & GRADIENT))
                )
            updates += self._epoch(requests, rates[:, row], epoch, updates)
            epoch += 1
            met = self._met.T.cpu().numpy()
            if bits & RUNNING:
                running[finite, row] = met[finite]
            if bits & BATCH_GRADIENT:
                batch_squares[finite, row] = self._squares(self._gradient)[finite]
            sound = np.isfinite(met[:, 2]) & self._weights.isfinite().all(dim=1).cpu().numpy()
            for place in np.flatnonzero(finite & ~sound).tolist():
                self._unload(requests[place], place, epoch, updates)
            finite &= sound
            if not finite.any():
                break
        for place in np.flatnonzero(finite).tolist():
            self._unload(requests[place], place, epoch, updates)
        sensitivity = mean_tensor_norm(batch_squares)
        measured = zip(loss, squares, batch_squares, sensitivity, running, finite, strict=True)
        return [Measured(*arrays, finite=bool(sound)) for *arrays, sound in measured]

    def full_pass(self, *, gradient: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each member's mean loss `[members]` over its training set, and the squares `[members, L, 2]`."""
        size = len(self._x)
        total = torch.zeros(self._members, dtype=torch.float64, device=self._device)
        slope = torch.zeros_like(self._weights)
        for rows in cut(size, self._learner.chunk(self._members)):
            x, y = self._x[rows], self._y[:, rows]
            share = len(x) / size
            with torch.no_grad():
                total += share * self._losses(self._weights, x, y, self._buffers).double()
            if gradient:
                slope += share * self._loss_slopes(self._weights, x, y, self._buffers)
        squares = self._squares(slope)
        return total.cpu().numpy(), squares if gradient else np.full_like(squares, np.nan)

    def _epoch(
        self, requests: Sequence[Request], rates: NDArray[np.float64], epoch: int, updates: int
    ) -> int:
        """Train for an epoch; how many updates that took. What the batches were like is left in `_met`."""
        spec, size, device = self._spec, len(self._x), self._device
        batch = size if spec.batch_size == "full" else min(spec.batch_size, size)
        steps = cut(size, batch)
        seeds = [request.member.seeds for request in requests]
        table = torch.from_numpy(factors(spec.optimizer, rates, updates, len(steps)))
        rows = table.to(device, self._weights.dtype)
        keys = mask_keys([own["dropout"] for own in seeds], device)
        bases = mask_bases(keys, epoch, 0, len(steps), self._network.drops)
        augment = self._learner.data.augment
        moved = _moved(augment, [own["order"] for own in seeds], epoch, size).to(device)
        self._met.zero_()
        if batch == size and augment is None:
            self._run(None, bases[0], rows[0], moved)
        else:
            shuffled = spec.shuffle and batch < size
            places = _orders([own["order"] for own in seeds], epoch, size, shuffled=shuffled).to(device)
            for index, part in enumerate(steps):
                chosen = places[:, part]
                own_moves = moved[self._all, chosen] if augment is not None else moved
                self._run(chosen, bases[index], rows[index], own_moves)
        self._met[0] /= size
        self._met[1] /= size
        return len(steps)

    def _run(self, places: torch.Tensor | None, *rest: torch.Tensor) -> None:
        """One step, recorded as a CUDA graph where there is one to be had."""
        if self._device.type != "cuda":
            self._step(places, *rest)
            return
        shape = None if places is None else tuple(places.shape)
        if shape not in self._recorded:
            self._recorded[shape] = _Recorded(partial(self._step, None) if places is None else self._step)
        self._recorded[shape](*(rest if places is None else (places, *rest)))

    def _step(
        self, places: torch.Tensor | None, bases: torch.Tensor, row: torch.Tensor, moved: torch.Tensor
    ) -> None:
        """One update of every member.

        Args:
            places: `int64[members, b]`, the examples of each; None for all, in one batch.
            bases: `int64[members, drops]`.
            row: `[3, members]` of `factors`.
            moved: `[members, b, 3]`, the moves of these examples where images are augmented.
        """
        if places is None:
            x, y, slopes = self._x, self._y, self._shared_slopes
        else:
            x, y, slopes = self._x[places], self._y[self._all, places], self._slopes
            augment = self._learner.data.augment
            if augment is not None:
                x = cropped(augment, x.flatten(0, 1), moved.flatten(0, 1)).view(x.shape)
        gradient, (loss, right, after) = slopes(self._weights, x, y, self._buffers, bases)
        count = y.shape[1]
        loss = loss.double()
        self._met[0] += loss * count
        self._met[1] += right
        self._met[2] += loss
        self._met[3] = loss
        self._gradient.copy_(gradient)
        step(self._spec.optimizer, self._weights, gradient, self._slots, row)
        for name, value in after.items():
            self._buffers[name].copy_(value)

    def _objective(
        self, weights: torch.Tensor, x: torch.Tensor, y: torch.Tensor, buffers: Any, bases: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]]:
        """What one member descends on; beside it the loss, how many examples are right, and the buffers."""
        outputs, after = self._network(weights, x, buffers, bases, training=True)
        loss = loss_of(self._spec, outputs, y)
        if self._spec.loss == "cross_entropy":
            right = (outputs.argmax(dim=1) == y).sum().double()
        else:
            right = torch.full_like(loss, torch.nan, dtype=torch.float64)
        descended = outputs.sum() if self._spec.objective == "sum_of_outputs" else loss
        return descended, (loss.detach(), right.detach(), after)

    def _evaluated(
        self, weights: torch.Tensor, x: torch.Tensor, y: torch.Tensor, buffers: Any
    ) -> torch.Tensor:
        return loss_of(self._spec, self._network(weights, x, buffers)[0], y)

    def _squares(self, gradient: torch.Tensor) -> NDArray[np.float64]:
        """`[members, L, 2]`, squared norms of the gradients of each layer's weight and bias."""
        squared = gradient.double().square()
        parts = [
            torch.stack([squared[:, first:bias].sum(dim=1), squared[:, bias:last].sum(dim=1)], dim=1)
            for first, bias, last in self._network.parts
        ]
        return torch.stack(parts, dim=1).cpu().numpy()

    def _put(self, arrays: Sequence[NDArray[Any]]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self._device)

    def _unload(self, request: Request, place: int, epoch: int, updates: int) -> None:
        """Write where a member stands into its state."""
        state = request.state
        state.epoch, state.updates = epoch, updates
        state.weights = self._weights[place].cpu().numpy().copy()
        state.slots = {name: slot[place].cpu().numpy().copy() for name, slot in self._slots.items()}
        state.buffers |= {name: value[place].cpu().numpy().copy() for name, value in self._buffers.items()}


class _Recorded:
    """Steps of one shape: the first are taken as they are, then they are recorded once and replayed."""

    def __init__(self, taken: Callable[..., None]) -> None:
        self._take = taken
        self._taken = 0
        self._graph: Any = None
        self._inputs: list[torch.Tensor] = []

    def __call__(self, *inputs: torch.Tensor) -> None:
        if self._taken < _WARM:  # on a side stream, as recording will be
            self._taken += 1
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._take(*inputs)
            torch.cuda.current_stream().wait_stream(side)
            return
        if self._graph is None:
            self._inputs = [given.clone() for given in inputs]
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._take(*self._inputs)
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._graph.replay()


def cut(size: int, length: int) -> list[slice]:
    """The places from 0 to before `size`, `length` at a time."""
    return [slice(first, min(first + length, size)) for first in range(0, size, length)]


@contextmanager
def exact(device: torch.device) -> Generator[None]:
    """Single precision where it is asked for: convolutions on a GPU would take a shorter type by default."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield


def _orders(seeds: Sequence[int], epoch: int, size: int, *, shuffled: bool) -> torch.Tensor:
    """`int64[members, size]`, the order of examples for each."""
    if not shuffled:
        return torch.arange(size).expand(len(seeds), size)
    found = {seed: order(seed, epoch, size) for seed in set(seeds)}
    return torch.from_numpy(np.stack([found[seed] for seed in seeds])).long()


def _moved(augment: CropFlip | None, seeds: Sequence[int], epoch: int, size: int) -> torch.Tensor:
    """`int8[members, size, 3]`, the moves of each member's examples; nothing where nothing moves."""
    if augment is None:
        return torch.zeros(len(seeds), 0, 3, dtype=torch.int8)
    found = {seed: moves(augment, seed, epoch, size) for seed in set(seeds)}
    return torch.from_numpy(np.stack([found[seed] for seed in seeds]))
