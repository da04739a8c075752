"""When a run ends before its last epoch. The rules look at the value of every epoch, whatever is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gradlab.study.recipe import GradientBelow, LossBelow, LossSettled, Stalled

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rule", "first_stop", "watches_gradient"]

Rule = LossSettled | Stalled | GradientBelow | LossBelow


def watches_gradient(rule: Rule | None) -> bool:
    """Whether the rule looks at gradient norms instead of losses."""
    return isinstance(rule, GradientBelow)


def first_stop(
    rule: Rule | None, recent: NDArray[np.float64], start: int, values: Sequence[float] | NDArray[np.float64]
) -> tuple[int | None, NDArray[np.float64]]:
    """The first epoch at which a rule fires.

    Args:
        rule: The rule; None never fires.
        recent: What an earlier call returned, `[m, 2]` rows of epoch and value; empty at the beginning.
        start: Epoch of the first value.
        values: Full-pass training losses (gradient norms where the rule watches those) of successive epochs.

    Returns:
        The epoch, or None, and what a later call needs to go on behind these values.

    Example:
        >>> epoch, recent = first_stop(LossSettled(), np.zeros((0, 2)), 0, [0.5] * 6 + [9e-4] * 4)
        >>> epoch
        8
    """
    past = [(int(epoch), float(value)) for epoch, value in recent]
    for epoch, value in enumerate(values, start):
        fires = rule is not None and _fires(rule, past, epoch, value)
        past = _kept(rule, [*past, (epoch, float(value))])
        if fires:
            return epoch, np.array(past, np.float64).reshape(-1, 2)
    return None, np.array(past, np.float64).reshape(-1, 2)


def _fires(rule: Rule, past: Sequence[tuple[int, float]], epoch: int, value: float) -> bool:
    if isinstance(rule, LossBelow):
        return value < rule.value
    if isinstance(rule, GradientBelow):
        return value < rule.norm
    if isinstance(rule, Stalled):
        return bool(past) and epoch == past[-1][0] + rule.every and past[-1][1] - value < rule.improvement
    if epoch <= rule.after or not value < rule.below or len(past) < rule.times:
        return False
    losses = [loss for _, loss in past[-rule.times :]] + [value]
    return all(abs(b - a) < rule.change for a, b in pairwise(losses))


def _kept(rule: Rule | None, past: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """What of the past the rule still needs: the end of it, or the last checkpoint."""
    if isinstance(rule, LossSettled):
        return past[-rule.times :]
    if isinstance(rule, Stalled):
        return [pair for pair in past if pair[0] >= rule.start and pair[0] % rule.every == 0][-1:]
    return []
