"""Quadratic Bezier paths of low loss between two networks (Garipov 2018)."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.batch_norm import batch_norms
from gradlab.measure.objective import Loss, Objective
from gradlab.measure.scores import State, private_state, put
from gradlab.randomness import generator

if TYPE_CHECKING:
    from gradlab.measure.measurement import Measurement

__all__ = ["Curve", "bent", "bezier", "train_bend"]


class Curve:
    """The curve (1 - t)^2 theta_0 + 2 t (1 - t) bend + t^2 theta_1, in float64 and rounded once.

    Batch-norm statistics are those of the nearer end: recompute them.

    Args:
        state_0: Parameters and buffers at 0.
        state_1: The same at 1.
        bend: Parameters of the control point.

    Example:
        >>> curve = Curve({"w": torch.tensor([0.0])}, {"w": torch.tensor([0.0])}, {"w": torch.tensor([2.0])})
        >>> curve.at(0.5)["w"]
        tensor([1.])
    """

    def __init__(self, state_0: State, state_1: State, bend: State) -> None:
        self.ends = (dict(state_0), dict(state_1))
        self.bend = dict(bend)

    def at(self, alpha: float) -> dict[str, torch.Tensor]:
        """Parameters and buffers at t; at 0 and 1 those of the ends, bit for bit."""
        if alpha in {0, 1}:
            return dict(self.ends[int(alpha)])
        one, two = self.ends
        found = dict(self.ends[round(alpha)])
        for name, middle in self.bend.items():
            outer = (1 - alpha) ** 2 * one[name].double() + alpha**2 * two[name].double()
            found[name] = (outer + 2 * alpha * (1 - alpha) * middle.double()).to(one[name].dtype)
        return found


def train_bend(
    network_0: nn.Module, network_1: nn.Module, loss: Loss, x: Any, y: Any, *, updates: int = 2000, lr: float = 1e-2,
    batch_size: int = 128, seed: int = 0,
) -> Curve:  # fmt: skip
    """Train the control point of a quadratic Bezier curve for low loss all along it.

    Starts from the middle of the straight line. Every update draws t uniformly and a batch, and follows the gradient
    of the loss at the curve's point by Adam (betas 0.9 and 0.999), with a rate that falls to 0 along half a cosine.
    Batch normalisation takes the batch's statistics meanwhile, dropout is off.

    Args:
        network_0: The end at 0, which stays.
        network_1: The end at 1, which stays.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Training inputs `[n, ...]`.
        y: Training targets.
        updates: Of the control point.
        lr: The first rate.
        batch_size: Examples an update; all if that is more.
        seed: Of the draws.

    Returns:
        The curve.

    Raises:
        MeasureError: The loss became infinite or undefined on the way.
    """
    return _trained(
        network_0, network_1, loss, x, y, updates=updates, lr=lr, batch_size=batch_size, seed=seed
    )[0]


def bent(
    network_0: nn.Module, network_1: nn.Module, loss: Loss, x: Any, y: Any, *, seed: int = 0, **settings: Any
) -> tuple[Curve, float, Mapping[str, float]]:
    """The curve, what it cost in full-batch gradients, and how it was trained; see `train_bend`."""
    curve, cost = _trained(network_0, network_1, loss, x, y, seed=seed, **settings)
    used = {"bend_updates": 2000, "bend_lr": 1e-2, "bend_batch_size": 128}
    used |= {f"bend_{name}": value for name, value in settings.items()}
    return curve, cost, used


def bezier(network_0: Any, network_1: Any, loss: Loss, x: Any, y: Any, **settings: Any) -> Measurement:
    """Losses and barriers along a curve of low loss instead of the straight line.

    Args:
        network_0: The end at 0.
        network_1: The end at 1, or its state dict.
        loss: As of `interpolation`.
        x: Training inputs.
        y: Training targets.
        **settings: As of `gradlab.measure.interpolation.interpolation`; `updates`, `lr` and `batch_size` are those of
            `train_bend`.

    Returns:
        The measurement of `interpolation` along the curve, its training in the cost.
    """
    from gradlab.measure.interpolation import interpolation

    bend = {name: settings.pop(name) for name in ("updates", "lr", "batch_size") if name in settings}
    return interpolation(network_0, network_1, loss, x, y, path="bezier", bend=bend, **settings)


def _trained(
    network_0: nn.Module, network_1: nn.Module, loss: Loss, x: Any, y: Any, *, updates: int = 2000, lr: float = 1e-2,
    batch_size: int = 128, seed: int = 0,
) -> tuple[Curve, float]:  # fmt: skip
    objective = Objective(network_0, loss, x, y, dtype=next(network_0.parameters()).dtype)
    network, count = objective.network, objective.examples
    size = min(batch_size, count)
    names = [part.name for part in objective.parts]
    curve = Curve(private_state(network_0), private_state(network_1), {})
    bend = {n: ((curve.ends[0][n] + curve.ends[1][n]) / 2).requires_grad_() for n in names}
    curve.bend = bend
    optimizer = torch.optim.Adam(list(bend.values()), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, updates))
    parameters = {n: p for n, p in network.named_parameters() if n in bend}
    for layer in batch_norms(network).values():
        layer.train()
    random = generator(seed, "probe", "bezier")
    places, t = torch.arange(count), 0.0
    for _ in range(updates):
        t = float(random.random())
        if size < count:
            places = torch.from_numpy(random.integers(0, count, size))
        with torch.no_grad():
            put(network, curve.at(t))
        value = objective.criterion(network(objective.x[places]), objective.y[places])
        gradients = torch.autograd.grad(value, list(parameters.values()))
        for name, gradient in zip(parameters, gradients, strict=True):
            bend[name].grad = 2 * t * (1 - t) * gradient  # the chain rule
        optimizer.step()
        schedule.step()
    curve.bend = {n: b.detach() for n, b in bend.items()}
    if not all(bool(torch.isfinite(b).all()) for b in curve.bend.values()):
        raise MeasureError("the bend's training diverged: lower its rate")
    return curve, updates * size / count
