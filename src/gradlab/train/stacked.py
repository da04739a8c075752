"""The optimizers of `torch.optim` on the stacked weights of a fleet, each member with its own learning rate."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["factors", "step"]


def factors(
    rule: SGD | Adam | AdamW | RMSprop, rates: NDArray[np.float64], updates: int, steps: int
) -> NDArray[np.float64]:
    """What changes from step to step, worked out in float64 for a whole epoch.

    Args:
        rule: The update rule.
        rates: `[members]`, each one's learning rate.
        updates: Steps taken since the optimizer was created.
        steps: How many are to come.

    Returns:
        `[steps, 3, members]`: the learning rate, the step size that Adam's first bias correction makes of it, and
        the root of the second bias correction; the last two are 1 for other rules.
    """
    table = np.ones((steps, 3, len(rates)))
    table[:, 0] = rates
    if isinstance(rule, Adam | AdamW):
        count = np.arange(updates + 1, updates + steps + 1)[:, None]
        table[:, 1] = rates / (1 - rule.beta1**count)
        table[:, 2] = np.sqrt(1 - rule.beta2**count)
    return table


def step(
    rule: SGD | Adam | AdamW | RMSprop,
    weights: torch.Tensor,
    gradient: torch.Tensor,
    slots: dict[str, Any],
    row: torch.Tensor,
) -> None:
    """One step of every member, in place.

    Args:
        rule: The update rule, in PyTorch's arithmetic.
        weights: `[members, D]`.
        gradient: `[members, D]`; left as it is.
        slots: What the optimizer keeps, each `[members, D]`, by PyTorch's names; zeros before the first step.
        row: `[3, members]` of `factors`.
    """
    rate, size, root = row.unsqueeze(-1).unbind(0)
    if isinstance(rule, AdamW):
        weights.mul_(1 - rate * rule.weight_decay)
    elif rule.weight_decay:
        gradient = gradient.add(weights, alpha=rule.weight_decay)
    if isinstance(rule, Adam | AdamW):
        slots["exp_avg"].lerp_(gradient, 1 - rule.beta1)
        slots["exp_avg_sq"].mul_(rule.beta2).addcmul_(gradient, gradient, value=1 - rule.beta2)
        spread = (slots["exp_avg_sq"].sqrt() / root).add_(rule.eps)
        weights.sub_(size * slots["exp_avg"] / spread)
        return
    if isinstance(rule, RMSprop):
        slots["square_avg"].mul_(rule.alpha).addcmul_(gradient, gradient, value=1 - rule.alpha)
        gradient = gradient / slots["square_avg"].sqrt().add_(rule.eps)
    if rule.momentum > 0:
        momentum = slots["momentum_buffer"].mul_(rule.momentum).add_(gradient)
        nesterov = isinstance(rule, SGD) and rule.nesterov
        gradient = gradient.add(momentum, alpha=rule.momentum) if nesterov else momentum
    weights.sub_(rate * gradient)
