"""The PyTorch loop as a backend: any module, trained by the real `torch.optim` classes."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gradlab.component import digest_of
from gradlab.model.initial import TorchStream
from gradlab.model.layers import hidden_units
from gradlab.model.module import Module
from gradlab.randomness import generator
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train.batches import Batches, as_tensor
from gradlab.train.dropout import EVALUATION_STEP
from gradlab.train.flat import FlatNetwork, FlatOptimizer
from gradlab.train.fleet import Member
from gradlab.train.learner import BATCH_GRADIENT, GRADIENT, LOSS, RUNNING, Measured
from gradlab.train.network import AddressedDropout, build_network, set_address
from gradlab.train.random import torch_seed
from gradlab.train.start import first_state, slot_names, warm_state
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LoopLearner"]

_CHUNK = 8192
"""Examples in one pass when nothing is trained, where their activations allow as many."""
_CHUNK_BYTES = 2**25
"""How large the activations of the examples in one pass may become; more of them run slower, out of cache."""


class LoopLearner:
    """Trains any network by PyTorch, step by step, on one thread; see `Learner`.

    Every trainable parameter takes part in every update: one that the loss does not reach has a zero
    gradient. What is measured is measured in evaluation mode and full precision, but for what batches are like
    as they are trained on.

    With `precision = "bfloat16"` the forward pass of training runs under `torch.autocast`. It halves the traffic
    of activations and is faster on processors that multiply in bfloat16 (AMX, AVX512-BF16); on others it is
    slower, as every product is converted both ways.
    """

    def __init__(self, spec: Spec, data: Data) -> None:
        self._spec = spec
        self._dtype = torch.float32 if spec.dtype == "float32" else torch.float64
        self._batches = Batches(spec, data, self._dtype)
        model = spec.model
        with _quiet():
            if isinstance(model, Module):
                network: nn.Module = model.built_at(0).to(self._dtype)
            else:
                network = build_network(model, spec.task.shape, spec.task.outputs, self._dtype)
            # Two thirds of the time of convolutions, but a foreign module may rely on the other layout.
            convolves = any(isinstance(module, nn.Conv2d) for module in network.modules())
            self._channels_last = convolves and not isinstance(model, Module)
            self._flat = FlatNetwork(network, channels_last=self._channels_last)
            kinds = {type(module) for module in network.modules()}
            self._draws = AddressedDropout in kinds
            together = {AddressedDropout, nn.BatchNorm1d, nn.BatchNorm2d}
            self._separable = not kinds & together and not isinstance(model, Module)
            self._chunk = _chunk(network, self._batches.x[:1])

    def start(self, member: Member) -> State:
        """The state before the first epoch."""
        model = self._spec.model
        if not isinstance(model, Module):
            return first_state(self._spec, member)
        if member.start is not None:
            return warm_state(self._spec, member.start)
        first = FlatNetwork(self._first_module(model, member.seeds["init"]).to(self._dtype))
        weights = first.as_state(first.weights)
        slots = {name: np.zeros_like(weights) for name in slot_names(self._spec.optimizer)}
        return State(epoch=0, updates=0, weights=weights, slots=slots, buffers=first.buffers())

    def train(
        self, state: State, member: Member, rates: NDArray[np.float64], measure: NDArray[np.uint8]
    ) -> Measured:
        """Train for `len(rates)` epochs and change `state` in place."""
        flat = self._loaded(state.weights, state.buffers)
        optimizer = FlatOptimizer(self._spec.optimizer, flat, state)
        count = len(rates)
        loss, running = np.full(count, np.nan), np.full((count, 4), np.nan)
        squares, batch_squares = np.full((2, count, flat.layers, 2), np.nan)
        sensitivity = np.full(count, np.nan)
        finite = True
        with _quiet():
            for row, rate in enumerate(rates):
                if self._spec.reset_optimizer == "epoch" and state.updates:
                    state.updates = 0
                    optimizer = FlatOptimizer(self._spec.optimizer, flat, state)
                optimizer.rate(float(rate))
                bits = int(measure[row])
                if bits & (LOSS | GRADIENT):
                    loss[row], squares[row] = self._pass(gradient=bool(bits & GRADIENT))
                met = self._epoch(optimizer, state, member, right=bool(bits & RUNNING))
                if bits & RUNNING:
                    running[row] = met
                if bits & BATCH_GRADIENT:
                    batch_squares[row], sensitivity[row] = flat.squares(), flat.mean_tensor_norm()
                finite = math.isfinite(met[2]) and flat.finite()
                if not finite:
                    break
        state.weights = flat.as_state(flat.weights)
        best = {name: value for name, value in state.buffers.items() if name.startswith("best.")}
        state.buffers = flat.buffers() | best
        state.slots = {name: optimizer.slot(name) for name in state.slots}
        return Measured(loss, squares, batch_squares, sensitivity, running, finite)

    def full_pass(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], *, gradient: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss over the training set, and the squared norms `[L, 2]` of its gradient's parts."""
        self._loaded(weights, buffers)
        with _quiet():
            return self._pass(gradient=gradient)

    def evaluate(
        self,
        weights: NDArray[Any],
        buffers: dict[str, NDArray[Any]],
        x: NDArray[Any],
        y: NDArray[Any] | None,
        training: tuple[int, int] | None = None,
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss (NaN without targets) and the outputs `[n, out]` on examples of the task."""
        flat = self._loaded(weights, buffers)
        inputs = as_tensor(x, self._dtype)
        targets = None if y is None else as_tensor(y, self._batches.y.dtype)
        total, parts, size = 0.0, list[torch.Tensor](), len(inputs)
        nominal = size if self._spec.batch_size == "full" else self._spec.batch_size
        with _quiet(), torch.no_grad():
            flat.network.train(training is not None)
            if training is not None:
                torch.manual_seed(torch_seed(*training))
            for index, rows in enumerate(_cut(size, self._chunk if training is None else nominal)):
                if training is not None and self._draws:
                    set_address(flat.network, *training, EVALUATION_STEP + index)
                outputs = self._outputs(inputs[rows])
                parts.append(outputs)
                if targets is not None:
                    total += len(outputs) / size * float(self._loss(outputs, targets[rows]))
        return float("nan") if y is None else total, torch.cat(parts).numpy().astype(np.float64)

    def alive(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], x: NDArray[Any]
    ) -> tuple[list[NDArray[np.bool_]], int]:
        """Which units of each `nn.ReLU` are above zero on some of the inputs; number of hidden units.

        A rectifier that a module calls as a function is not seen.
        """
        network = self._loaded(weights, buffers).network.eval()
        inputs, seen = as_tensor(x, self._dtype), dict[int, torch.Tensor]()
        calls = 0

        def look(module: nn.Module, given: Any, result: torch.Tensor) -> None:
            nonlocal calls
            fires = (_rows(result) > 0).any(dim=0)
            seen[calls] = seen[calls] | fires if calls in seen else fires
            calls += 1

        hooks = [m.register_forward_hook(look) for m in network.modules() if isinstance(m, nn.ReLU)]
        try:
            with _quiet(), torch.no_grad():
                for rows in _cut(len(inputs), self._chunk):
                    calls = 0
                    self._outputs(inputs[rows])
                    if all(bool(mask.all()) for mask in seen.values()):
                        break
        finally:
            for hook in hooks:
                hook.remove()
        masks = [mask.numpy() for mask in seen.values()]
        model, task = self._spec.model, self._spec.task
        if isinstance(model, Module):
            return masks, sum(len(mask) for mask in masks)
        return masks, hidden_units(model.resolved(task.shape, task.outputs))

    def _epoch(
        self, optimizer: FlatOptimizer, state: State, member: Member, *, right: bool
    ) -> tuple[float, float, float, float]:
        """Train for an epoch.

        Returns:
            What its batches were like, as a row of `Measured.running`; the share of examples classified
            correctly only if asked for.
        """
        network, seed = self._flat.network, member.seeds["dropout"]
        network.train()
        if isinstance(self._spec.model, Module):
            torch.manual_seed(torch_seed(seed, state.epoch))
        total = batch_sum = value = 0.0
        correct = examples = 0
        for step, (x, y) in enumerate(self._batches.epoch(member, state.epoch)):
            if self._draws:
                set_address(network, seed, state.epoch, step)
            value, outputs = self._step(x, y)
            optimizer.step()
            state.updates += 1
            total += value * len(x)
            batch_sum += value
            examples += len(x)
            if right and self._spec.loss == "cross_entropy":
                correct += int((outputs.argmax(dim=1) == y).sum())
        state.epoch += 1
        share = correct / examples if self._spec.loss == "cross_entropy" else math.nan
        return total / examples, share, batch_sum, value

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[float, torch.Tensor]:
        """The gradient of the objective on a batch, left in the flat network; its mean loss, and the outputs."""
        self._flat.gradient.zero_()
        parts, total, size = list[torch.Tensor](), 0.0, len(x)
        for rows in _cut(size, self._chunk if self._separable else size):
            with torch.autocast("cpu", torch.bfloat16, enabled=self._spec.precision == "bfloat16"):
                outputs = self._outputs(x[rows])
            outputs = outputs.to(self._dtype)
            loss, share = self._loss(outputs, y[rows]), len(outputs) / size
            (outputs.sum() if self._spec.objective == "sum_of_outputs" else loss * share).backward()
            total += share * float(loss.detach())
            parts.append(outputs.detach())
        return total, parts[0] if len(parts) == 1 else torch.cat(parts)

    def _pass(self, *, gradient: bool) -> tuple[float, NDArray[np.float64]]:
        """A full pass of the loaded network over the training set; see `full_pass`."""
        flat, x, y = self._flat, self._batches.x, self._batches.y
        flat.network.eval()
        flat.gradient.zero_()
        total, size = 0.0, len(x)
        for rows in _cut(size, self._chunk):
            with torch.set_grad_enabled(gradient):
                outputs = self._outputs(x[rows])
                loss = self._loss(outputs, y[rows])
            share = len(outputs) / size
            total += share * float(loss.detach())
            if gradient:
                (loss * share).backward()
        return total, flat.squares() if gradient else np.full((flat.layers, 2), np.nan)

    def _outputs(self, x: torch.Tensor) -> torch.Tensor:
        """The network's outputs `[n, out]`; its inputs are left as they are."""
        if self._channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        elif isinstance(self._spec.model, Module):
            x = x.clone()  # a module may work in place
        return _rows(self._flat.network(x))

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self._spec.loss == "cross_entropy":
            return functional.cross_entropy(outputs, targets)
        return functional.mse_loss(outputs, targets)

    def _first_module(self, model: Module, seed: int) -> nn.Module:
        """A module drawn from the run's seed; modules of different source or arguments share nothing."""
        initial = self._spec.initial
        if not isinstance(initial, TorchStream):
            name = digest_of(model.canonical())
            return model.built_at(int(generator(seed, "init", name).integers(2**63)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(initial.seed + seed)
            torch.rand(initial.position)
            return model.build()

    def _loaded(self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]) -> FlatNetwork:
        """The network with these weights and buffers; one object, which every call loads anew."""
        self._flat.load(weights, buffers)
        return self._flat


@contextmanager
def _quiet() -> Generator[None]:
    """One thread, which is fastest on small tensors, and torch's own generator left as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def _cut(size: int, step: int) -> Iterator[slice]:
    """The places from 0 to before `size`, `step` at a time."""
    return (slice(first, min(first + step, size)) for first in range(0, size, step))


def _chunk(network: nn.Module, x: torch.Tensor) -> int:
    """How many examples may go through a network at once, given one."""
    numbers = x.numel()

    def add(module: nn.Module, given: Any, result: Any) -> None:
        nonlocal numbers
        numbers += result.numel() if isinstance(result, torch.Tensor) else 0

    parts = [module for module in network.modules() if not list(module.children())]
    hooks: list[Callable[[], None]] = [part.register_forward_hook(add).remove for part in parts]
    try:
        with torch.no_grad():
            network.eval()(x.clone())
    finally:
        for remove in hooks:
            remove()
    return max(1, min(_CHUNK, _CHUNK_BYTES // (numbers * x.element_size())))


def _rows(outputs: torch.Tensor) -> torch.Tensor:
    return outputs.reshape(len(outputs), -1)
