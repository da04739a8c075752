"""The learning rate of each epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradlab.study.recipe import Constant, Cosine, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["learning_rates"]


def learning_rates(
    lr: float, schedule: Constant | Step | Cosine, start: int, stop: int, horizon: int
) -> NDArray[np.float64]:
    """The learning rate in the epochs from `start` to before `stop`.

    Args:
        lr: The optimizer's learning rate.
        schedule: How it changes.
        start: Number of completed epochs before the first.
        stop: Number of completed epochs after the last.
        horizon: Epochs of the whole run, over which a cosine falls.

    Returns:
        `float64[stop - start]`; each depends on its own epoch only.

    Example:
        >>> learning_rates(0.1, Step(every=2, gamma=0.5), 0, 5, horizon=5)
        array([0.1  , 0.1  , 0.05 , 0.05 , 0.025])
    """
    epochs = range(start, stop)
    if isinstance(schedule, Step):
        factors = [schedule.gamma ** (epoch // schedule.every) for epoch in epochs]
    elif isinstance(schedule, Cosine):
        fall = 1 - schedule.final
        factors = [schedule.final + fall * (1 + math.cos(math.pi * e / horizon)) / 2 for e in epochs]
    else:
        factors = [1.0 for _ in epochs]
    return lr * np.array(factors, np.float64)
