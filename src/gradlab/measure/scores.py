"""Loss and accuracy of one architecture at many weights, on training and test data."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal

import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.batch_norm import POLICIES, Policy, batch_norms, recompute, subset
from gradlab.measure.objective import Loss, Objective
from gradlab.measure.perturbed import wrong
from gradlab.measure.pieces import pieces
from gradlab.measure.plain import KernelScores, plain

__all__ = ["Backend", "Scorer", "State", "private_state", "put"]

State = Mapping[str, torch.Tensor]
"""Parameters and buffers by name."""
Backend = Literal["auto", "torch", "kernel"]

_WORTH: Final = 2e9
"""Multiplications from which loading the fused kernel pays."""
_IMAGES_AT_ONCE: Final = 128
"""Images whose activations stay in the processor's cache."""

_STATISTICS: Final = ("running_mean", "running_var")

Change = Callable[[nn.Module, torch.Tensor], None]


class Scorer:
    """Evaluates weights of one architecture on fixed data, without touching the network that is given.

    Plain networks of convolutions, maxima and fully connected layers that classify by the cross-entropy are
    evaluated by the fused kernel where there is enough to do, everything else by PyTorch, in chunks that stay in
    the cache. Which one does not depend on the weights, so that equal weights give equal bits.

    Args:
        network: One of the architecture, in the type in which it is evaluated.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Training inputs `[n, ...]`.
        y: Training targets.
        test: Inputs and targets of the test set.
        batch_norm: Where batch-norm statistics come from, see `gradlab.measure.batch_norm`.
        statistics: Training examples over which they are recomputed.
        seed: Of the choice of these.
        at_once: Examples in memory together; the batch of the policy "batch".
        backend: "auto", "torch" or "kernel".
        weights: How many weights will be evaluated, about; decides whether the kernel is worth it.

    Attributes:
        network: The private copy.
        normalised: Whether it has batch normalisation.
        backend: Which one it is, "torch" or "kernel".
        gradients: Cost so far in full-batch gradients; a forward pass counts as a third.
        sample: The training inputs that statistics are taken over.

    Raises:
        MeasureError: The network, loss or policy cannot be measured.
    """

    def __init__(
        self, network: nn.Module, loss: Loss, x: Any, y: Any, *, test: tuple[Any, Any] | None = None,
        batch_norm: Policy = "recompute", statistics: int = 2048, seed: int = 0, at_once: int | None = None,
        backend: Backend = "auto", weights: int = 1,
    ) -> None:  # fmt: skip
        if backend not in {"auto", "torch", "kernel"}:
            raise MeasureError(f"no backend is called {backend!r}; allowed: auto, torch, kernel")
        if batch_norm not in POLICIES:
            raise MeasureError(f"no policy is called {batch_norm!r}; allowed: {', '.join(POLICIES)}")
        dtype = next(
            (each.dtype for each in network.parameters()), torch.float64
        )  # without any it is refused
        self._splits: dict[str, Objective] = {"": Objective(network, loss, x, y, dtype=dtype)}
        if test is not None:
            self._splits[".test"] = Objective(network, loss, *test, dtype=dtype)
        first = self._splits[""]
        self.network, self.batch_norm = first.network, batch_norm
        self.normalised = bool(batch_norms(self.network))
        self.sample = first.x[torch.from_numpy(subset(first.examples, statistics, seed))]
        self._first = {n: b.clone() for n, b in self.network.named_buffers() if n.endswith(_STATISTICS)}
        self.gradients = 0.0
        self._images = first.x.dim() == 4
        self._at_once = at_once or (_IMAGES_AT_ONCE if self._images else 4096)
        self._kernel = self._chosen(backend, loss, weights)
        self.backend = "torch" if self._kernel is None else "kernel"
        if self._images and self._kernel is None:
            self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def __call__(self, state: State, change: Change | None = None) -> dict[str, float]:
        """Losses and accuracies at weights.

        Args:
            state: Parameters and buffers.
            change: Changes the private network at these weights before it is evaluated, from the sample.

        Returns:
            `loss`, `accuracy` (where targets are labels), and both with `.test` where there are test data.
        """
        put(self.network, {**state, **self._first} if self.batch_norm == "first" else state)
        if change is not None:
            change(self.network, self.sample)
            self.gradients += len(self.sample) / self._splits[""].examples / 3
        if self.normalised and self.batch_norm == "recompute":
            passes = recompute(self.network, self.sample)
            self.gradients += passes * len(self.sample) / self._splits[""].examples / 3
        found: dict[str, float] = {}
        for split, objective in self._splits.items():
            loss, accuracy = self._pass(objective)
            found[f"loss{split}"] = loss
            if not math.isnan(accuracy):
                found[f"accuracy{split}"] = accuracy
            self.gradients += objective.examples / self._splits[""].examples / 3
        return found

    def given(self, state: State) -> dict[str, float]:
        """Losses and accuracies at weights with the batch-norm statistics that they bring along."""
        policy, self.batch_norm = self.batch_norm, "interpolate"
        try:
            return self(state)
        finally:
            self.batch_norm = policy

    def _pass(self, objective: Objective) -> tuple[float, float]:
        y = objective.y
        if self._kernel is not None:
            return self._kernel(dict(self.network.named_parameters()), objective.x, y)
        labels = not y.is_floating_point() and (y.dim() == 1 or y.shape[1:] == (1,))
        total, right = 0.0, 0
        layers = list(batch_norms(self.network).values()) if self.batch_norm == "batch" else []
        momenta = [layer.momentum for layer in layers]
        with torch.no_grad():
            for layer in layers:
                layer.train().momentum = 0.0  # takes the batch's own statistics and keeps none
            for part in pieces(objective.examples, self._at_once):
                x, target = objective.x[part], y[part]
                if self._images:
                    x = x.contiguous(memory_format=torch.channels_last)
                outputs = self.network(x)
                total += float(objective.criterion(outputs, target)) * len(target)
                if labels:
                    outputs = outputs[:, None] if outputs.dim() == 1 else outputs
                    right += len(target) - int(wrong(outputs, target).sum())
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.eval().momentum = momentum
        return total / objective.examples, right / objective.examples if labels else math.nan

    def _chosen(self, backend: Backend, loss: Loss, weights: int) -> KernelScores | None:
        first = self._splits[""]
        usable = loss == "cross_entropy" and first.x.device.type == "cpu"
        usable = usable and first.dtype in {torch.float32, torch.float64} and first.x.is_floating_point()
        row = None
        with suppress(MeasureError):  # it cannot be followed operation by operation
            row = plain(self.network, first.x[:2]) if usable and backend != "torch" else None
        if backend == "kernel" and row is None:
            raise MeasureError(
                "the fused kernel has not all of this network, loss or type; use backend='torch'"
            )
        if row is None:
            return None
        work = row.multiplications * weights * sum(each.examples for each in self._splits.values())
        return KernelScores(row, first.dtype) if backend == "kernel" or work > _WORTH else None


def put(network: nn.Module, state: State) -> None:
    """Copy parameters and buffers into a network, bit for bit."""
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            tensor.copy_(state[name])


def private_state(network: nn.Module, names: Sequence[str] = ()) -> dict[str, torch.Tensor]:
    """Copies of a network's parameters and buffers by name; of some only where names are given."""
    every = [*network.named_parameters(), *network.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in every if not names or name in names}
