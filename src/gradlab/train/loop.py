"""The PyTorch loop as a backend: any module, trained by the real `torch.optim` classes."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gradlab.component import digest_of
from gradlab.model.initial import TorchStream
from gradlab.model.mlp import MLP
from gradlab.model.module import Module
from gradlab.randomness import generator
from gradlab.study.recipe import SGD, AdamW, RMSprop
from gradlab.study.spec import Spec
from gradlab.task.data import Data
from gradlab.train.fleet import Member
from gradlab.train.learner import BATCH_GRADIENT, GRADIENT, LOSS, Measured
from gradlab.train.random import order, torch_seed
from gradlab.train.start import first_state, slot_names, warm_state
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LoopLearner"]

_CHUNK = 8192
"""Examples in one pass when nothing is trained."""


class LoopLearner:
    """Trains any network by PyTorch, step by step, on one thread; see `Learner`.

    Every trainable parameter takes part in every update: one that the loss does not reach has a zero
    gradient. What is measured is measured in evaluation mode.
    """

    def __init__(self, spec: Spec, data: Data) -> None:
        self._spec = spec
        self._dtype = torch.float32 if spec.dtype == "float32" else torch.float64
        self._x, self._y = self._inputs(data.x), self._targets(data.y)
        self._network: nn.Module | None = None
        if isinstance(spec.model, MLP):
            with _quiet():
                self._network = _mlp(spec)

    def start(self, member: Member) -> State:
        """The state before the first epoch."""
        model = self._spec.model
        if isinstance(model, MLP):
            return first_state(self._spec, member)
        if member.start is not None:
            return warm_state(self._spec, member.start)
        network = self._first_module(model, member.seeds["init"]).to(self._dtype)
        weights = _flat(_trainable(network))
        slots = {name: np.zeros_like(weights) for name in slot_names(self._spec.optimizer)}
        return State(epoch=0, updates=0, weights=weights, slots=slots, buffers=_buffers(network))

    def train(
        self, state: State, member: Member, rates: NDArray[np.float64], measure: NDArray[np.uint8]
    ) -> Measured:
        """Train for `len(rates)` epochs and change `state` in place."""
        network = self._loaded(state.weights, state.buffers)
        parameters = _trainable(network)
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        layers = _Layers(network)
        optimizer = self._optimizer(parameters, state)
        loss = np.full(len(rates), np.nan)
        squares, batch_squares = np.full((2, len(rates), layers.count, 2), np.nan)
        finite = True
        with _quiet():
            for row, rate in enumerate(rates):
                if self._spec.reset_optimizer == "epoch" and state.updates:
                    state.updates = 0
                    optimizer = self._optimizer(parameters, state)
                for group in optimizer.param_groups:
                    group["lr"] = float(rate)
                bits = int(measure[row])
                if bits & (LOSS | GRADIENT):
                    loss[row], squares[row] = self._full_pass(network, layers, gradient=bool(bits & GRADIENT))
                torch.manual_seed(torch_seed(member.seeds["dropout"], state.epoch))
                network.train()
                for examples in self._batches(member, state.epoch):
                    finite &= self._step(network, optimizer, examples)
                    state.updates += 1
                state.epoch += 1
                if bits & BATCH_GRADIENT:
                    batch_squares[row] = layers.squares([parameter.grad for parameter in parameters])
                if not finite or not all(bool(p.isfinite().all()) for p in parameters):
                    finite = False
                    break
        state.weights = _flat(parameters)
        best = {name: value for name, value in state.buffers.items() if name.startswith("best.")}
        state.buffers = _buffers(network) | best
        state.slots = {name: _slot(optimizer, parameters, name) for name in state.slots}
        return Measured(loss, squares, batch_squares, finite)

    def evaluate(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]], x: NDArray[Any], y: NDArray[Any] | None
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss (NaN without targets) and the outputs `[n, out]` on examples of the task."""
        network = self._loaded(weights, buffers).eval()
        inputs = self._inputs(x)
        with _quiet(), torch.no_grad():
            parts = [_rows(network(part)) for part in inputs.split(_CHUNK)]
            outputs = torch.cat(parts)
            loss = float("nan") if y is None else float(self._loss(outputs, self._targets(y)))
        return loss, outputs.numpy().astype(np.float64)

    def rectified(
        self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]
    ) -> tuple[list[NDArray[Any]], int]:
        """Activations `[n, width]` of each `nn.ReLU` on the training inputs; number of hidden units.

        A rectifier that a module calls as a function is not seen.
        """
        network = self._loaded(weights, buffers).eval()
        seen: list[NDArray[Any]] = []

        def keep(module: nn.Module, given: Any, result: torch.Tensor) -> None:
            seen.append(_rows(result).numpy().copy())

        hooks = [m.register_forward_hook(keep) for m in network.modules() if isinstance(m, nn.ReLU)]
        try:
            with _quiet(), torch.no_grad():
                network(self._x)
        finally:
            for hook in hooks:
                hook.remove()
        model = self._spec.model
        units = sum(model.hidden) if isinstance(model, MLP) else sum(layer.shape[1] for layer in seen)
        return seen, units

    def _batches(self, member: Member, epoch: int) -> Iterator[torch.Tensor | slice]:
        size, batch = len(self._x), self._spec.batch_size
        if batch == "full" or batch >= size:
            yield slice(None)
            return
        if not self._spec.shuffle:
            yield from (slice(first, first + batch) for first in range(0, size, batch))
            return
        yield from torch.from_numpy(order(member.seeds["order"], epoch, size)).long().split(batch)

    def _step(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, examples: torch.Tensor | slice
    ) -> bool:
        """One update; whether the loss of the batch was finite."""
        outputs = _rows(network(self._x[examples]))
        loss = self._loss(outputs, self._y[examples])
        optimizer.zero_grad(set_to_none=False)
        (outputs.sum() if self._spec.objective == "sum_of_outputs" else loss).backward()
        optimizer.step()
        return bool(loss.isfinite())

    def _full_pass(
        self, network: nn.Module, layers: _Layers, *, gradient: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """The mean loss over the training set, and the squared norms of its gradient's parts if asked for."""
        network.eval()
        parameters = _trainable(network)
        total, size = 0.0, len(self._x)
        sums = [torch.zeros_like(parameter) for parameter in parameters] if size > _CHUNK else None
        found: tuple[torch.Tensor, ...] | list[torch.Tensor] = ()
        for x, y in zip(self._x.split(_CHUNK), self._y.split(_CHUNK), strict=True):
            share = len(x) / size
            with torch.set_grad_enabled(gradient):
                loss = self._loss(_rows(network(x)), y)
            total += share * float(loss.detach())
            if gradient:
                found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
                if sums is not None:
                    for mine, new in zip(sums, found, strict=True):
                        mine.add_(new, alpha=share)
                    found = sums
        return total, layers.squares(found) if gradient else np.full((layers.count, 2), np.nan)

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self._spec.loss == "cross_entropy":
            return functional.cross_entropy(outputs, targets)
        return functional.mse_loss(outputs, targets)

    def _inputs(self, x: NDArray[Any]) -> torch.Tensor:
        flat = x.reshape(len(x), -1) if isinstance(self._spec.model, MLP) else x
        return torch.tensor(flat, dtype=self._dtype)

    def _targets(self, y: NDArray[Any]) -> torch.Tensor:
        return torch.tensor(y, dtype=torch.int64 if self._spec.loss == "cross_entropy" else self._dtype)

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

    def _loaded(self, weights: NDArray[Any], buffers: dict[str, NDArray[Any]]) -> nn.Module:
        """The network with these weights and buffers; one object, which every call loads anew."""
        network = self._network
        if network is None:
            assert isinstance(self._spec.model, Module)
            network = self._network = cast(nn.Module, self._spec.model.built_at(0).to(self._dtype))
        with torch.no_grad():
            first = 0
            for parameter in _trainable(network):
                part = weights[first : first + parameter.numel()]
                parameter.copy_(torch.from_numpy(part.copy()).reshape(parameter.shape))
                first += parameter.numel()
            for name, tensor in _untrained(network):
                if name in buffers:
                    tensor.copy_(torch.from_numpy(buffers[name].copy()).reshape(tensor.shape))
        return network

    def _optimizer(self, parameters: list[nn.Parameter], state: State) -> torch.optim.Optimizer:
        rule = self._spec.optimizer
        shared: dict[str, Any] = {"lr": rule.lr, "weight_decay": rule.weight_decay, "foreach": False}
        if isinstance(rule, SGD):
            made: torch.optim.Optimizer = torch.optim.SGD(
                parameters, momentum=rule.momentum, nesterov=rule.nesterov, **shared
            )
        elif isinstance(rule, RMSprop):
            made = torch.optim.RMSprop(
                parameters, alpha=rule.alpha, eps=rule.eps, momentum=rule.momentum, **shared
            )
        else:
            kind = torch.optim.AdamW if isinstance(rule, AdamW) else torch.optim.Adam
            made = kind(parameters, betas=(rule.beta1, rule.beta2), eps=rule.eps, **shared)
        if state.updates:  # an optimizer that has taken no step makes its own zeros
            _restore(made, parameters, state)
        return made


class _Layers:
    """Which parameters make up a layer: those of one module, its `weight` apart from the rest."""

    def __init__(self, network: nn.Module) -> None:
        owners: dict[str, int] = {}
        self._places: list[tuple[int, int]] = []
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                owner, _, own = name.rpartition(".")
                self._places.append((
                    owners.setdefault(owner, len(owners)),
                    int(not own.startswith("weight")),
                ))
        self.count = len(owners)

    def squares(self, gradients: Any) -> NDArray[np.float64]:
        """`[L, 2]`, squared norms of the weight's and of the other gradients of each layer."""
        table = np.zeros((self.count, 2))
        for place, gradient in zip(self._places, gradients, strict=True):
            table[place] += float(gradient.double().square().sum())
        return table


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


def _mlp(spec: Spec) -> nn.Module:
    model = spec.model
    assert isinstance(model, MLP)
    widths = model.widths(spec.task.inputs, spec.task.outputs)
    layers: list[nn.Module] = []
    for k in range(len(widths) - 1):
        layers.append(nn.Linear(widths[k], widths[k + 1]))
        if k < len(widths) - 2:
            layers.append(_activation(model))
    dtype = torch.float32 if spec.dtype == "float32" else torch.float64
    return nn.Sequential(*layers).to(dtype)


def _activation(model: MLP) -> nn.Module:
    match model.activation:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(model.slope)
        case "tanh":
            return nn.Tanh()
        case "identity":
            return nn.Identity()


def _trainable(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _untrained(network: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Buffers and frozen parameters by name."""
    frozen = [(name, p.detach()) for name, p in network.named_parameters() if not p.requires_grad]
    return [*network.named_buffers(), *frozen]


def _buffers(network: nn.Module) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().numpy().copy() for name, tensor in _untrained(network)}


def _flat(parameters: list[nn.Parameter]) -> NDArray[Any]:
    return torch.cat([parameter.detach().reshape(-1) for parameter in parameters]).numpy().copy()


def _rows(outputs: torch.Tensor) -> torch.Tensor:
    return outputs.reshape(len(outputs), -1)


def _restore(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], state: State) -> None:
    """Give an optimizer the state that another had after `state.updates` steps."""
    first = 0
    for parameter in parameters:
        own = optimizer.state[parameter]
        if not isinstance(optimizer, torch.optim.SGD):
            own["step"] = torch.tensor(float(state.updates), dtype=torch.float32)
        for name, slot in state.slots.items():
            part = slot[first : first + parameter.numel()].copy()
            own[name] = torch.from_numpy(part).reshape(parameter.shape)
        first += parameter.numel()


def _slot(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], name: str) -> NDArray[Any]:
    zero = [torch.zeros_like(parameter) for parameter in parameters]
    found = [optimizer.state[p].get(name, z) for p, z in zip(parameters, zero, strict=True)]
    return torch.cat([tensor.reshape(-1) for tensor in found]).numpy().copy()
