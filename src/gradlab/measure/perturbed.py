"""The loss of one network at many weights at once: what every measure of sharpness asks for."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch.func import grad_and_value

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.pieces import pieces
from gradlab.measure.rowwise import rowwise
from gradlab.randomness import generator

__all__ = [
    "Counter",
    "at_weights",
    "by_examples",
    "classes",
    "groups",
    "normal_rows",
    "refuse_infinite",
    "wrong",
    "wrong_share",
]

_NUMBERS: Final = 2**17
"""Weights of networks that are looked at together; larger networks keep the machine busy one by one."""
_BYTES: Final = 2**23
"""Memory for gradients that are formed together; more of them run slower, out of cache."""


class Counter:
    """Counts what passes over examples cost, in full-batch gradients of one objective.

    A forward pass counts as a third of a gradient, which is its share of the multiplications.

    Args:
        examples: n.

    Attributes:
        gradients: The sum so far.
    """

    def __init__(self, examples: int) -> None:
        self._examples = examples
        self.gradients = 0.0

    def forward(self, examples: float) -> None:
        """Note a forward pass."""
        self.gradients += examples / (3 * self._examples)

    def backward(self, examples: float, passes: float = 1) -> None:
        """Note a forward pass with so many backward passes, each of which is two thirds of a gradient."""
        self.gradients += examples / self._examples * (1 + 2 * passes) / 3


def refuse_infinite(objective: Objective) -> None:
    """See that there is a loss that can rise.

    Raises:
        MeasureError: It is not finite at the network's weights.
    """
    if not bool(torch.isfinite(objective.value(objective.weights)).all()):
        raise MeasureError(
            "the loss is not finite: weights or data hold infinities or NaN, or the network diverged"
        )


def groups(count: int, size: int) -> Iterator[slice]:
    """Places of networks of so many weights, as many together as run well."""
    return pieces(count, max(1, _NUMBERS // size))


def at_weights(
    objective: Objective, points: torch.Tensor, *, gradient: bool = False, counter: Counter | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean loss over all examples at many weights, and its gradients.

    Args:
        objective: Of one network.
        points: Weights `[P, D]`.
        gradient: Whether gradients are wanted.
        counter: Told what it cost.

    Returns:
        Losses `[P]`, and gradients `[P, D]`, empty if they are not wanted.
    """
    losses = points.new_zeros(len(points))
    slopes = torch.zeros_like(points) if gradient else points[:, :0]
    for rows in groups(len(points), objective.size):
        own = points[rows].detach()
        own = own if len(own) > 1 else own[0]
        for chunk, share in objective.chunks():
            with torch.set_grad_enabled(gradient):
                at = own.clone().requires_grad_(gradient)
                loss = objective.loss(at, chunk)
                losses[rows] += loss.detach() * share
                if gradient:
                    slopes[rows] += torch.autograd.grad(loss.sum(), at)[0] * share
    if counter is not None:
        spend = counter.backward if gradient else counter.forward
        spend(objective.examples * len(points))
    return losses, slopes


def by_examples(
    objective: Objective, points: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses `[R]` and gradients `[R, D]` of sets of examples, each at the network's weights or at its own.

    Args:
        objective: Of one network.
        points: `[D]`, the weights for all, or `[R, D]`.
        rows: Which examples, `[R, B]`.

    Returns:
        The mean loss of each set and its gradient.
    """

    def loss(weights: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        decay = objective.weight_decay / 2 * (weights * weights).sum() if objective.weight_decay else 0.0
        return objective.criterion(objective.outputs(weights, x), y) + decay

    own = points.dim() == 2
    each: Any = partial(rowwise, grad_and_value(loss), (0 if own else None, 0, 0))
    step = max(1, min(_BYTES // (points.element_size() * objective.size), objective.at_once // rows.shape[1]))
    slopes, losses = list[torch.Tensor](), list[torch.Tensor]()
    for part in pieces(len(rows), step):
        some = rows[part]
        slope, value = each(points[part] if own else points, objective.x[some], objective.y[some])
        slopes.append(slope.detach())
        losses.append(value.detach())
    return torch.cat(losses), torch.cat(slopes)


def classes(objective: Objective) -> bool:
    """Whether the targets are classes, so that there is an error rate."""
    return not objective.y.is_floating_point()


def wrong(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Which examples are not given their class: booleans `[..., n]` for outputs `[..., n, K]`, or of a single logit.

    Raises:
        MeasureError: Targets are not one class for each example, or outputs not one row.
    """
    if targets.dim() == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.dim() != 1 or outputs.dim() < 2 or outputs.shape[-2] != len(targets):
        raise MeasureError(
            f"targets {list(targets.shape)} and outputs {list(outputs.shape)} are not one class and one row of "
            "outputs for each example: there is no error rate"
        )
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] > 0) != (targets > 0)
    return outputs.argmax(dim=-1) != targets


def wrong_share(objective: Objective, points: torch.Tensor, counter: Counter | None = None) -> torch.Tensor:
    """The error rate over all examples at many weights `[P, D]`: `[P]`.

    Raises:
        MeasureError: The targets are not classes.
    """
    if not classes(objective):
        raise MeasureError("the targets are not classes: there is no error rate")
    found = points.new_zeros(len(points))
    with torch.no_grad():
        for rows in groups(len(points), objective.size):
            own = points[rows] if rows.stop - rows.start > 1 else points[rows][0]
            for chunk, share in objective.chunks():
                outputs = objective.outputs(own, objective.x[chunk])
                outputs = outputs[..., None] if outputs.dim() == own.dim() else outputs  # single logits `[n]`
                bad = wrong(outputs, objective.y[chunk])
                found[rows] += bad.to(found.dtype).mean(dim=-1) * share
    if counter is not None:
        counter.forward(objective.examples * len(points))
    return found


def normal_rows(count: int, objective: Objective, seed: int, name: str) -> torch.Tensor:
    """Standard normal directions `[count, D]` at an address; a row depends on no other."""
    drawn = [
        generator(seed, "probe", name, index=index).standard_normal(objective.size) for index in range(count)
    ]
    return torch.from_numpy(np.array(drawn).reshape(count, objective.size)).to(objective.dtype)
