"""The compiled entry point for convolutional networks: one epoch of training, or one full pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.train.kernel.caching import cached
from gradlab.train.kernel.image_pass import image_pass
from gradlab.train.kernel.norms import all_finite, sum_of_squares
from gradlab.train.kernel.update import step
from gradlab.train.kernel.vector import compiled


@compiled
def _squares(net: Any, gradient: Any, out: Any) -> None:
    """Squared norms of each layer's weight and bias gradients, into `out[L, 2]`."""
    for layer in range(len(net.bounds)):
        for part in range(2):
            low, high = net.bounds[layer, part], net.bounds[layer, part + 1]
            out[layer, part] = sum_of_squares(gradient, low, high)


@cached
def run_images(
    net: Any, rule: Any, data: Any, batch: int, order: Any, rate: float, weights: Any, slot1: Any, slot2: Any,
    updates: int, masks: Any, gradient: Any, squares: Any, running: Any, outputs: Any, alive: Any, training: bool,
) -> bool:  # fmt: skip
    """Train for one epoch, or make one full pass.

    Args:
        net: the network and its scratch.
        rule: the optimizer.
        data: the examples, n of them.
        batch: examples a step.
        order: `int32[n]`, or empty for the natural order.
        rate: the learning rate.
        weights: `[D]`, changed in place.
        slot1: like the weights; see `step`.
        slot2: like the weights.
        updates: steps taken by the optimizer so far.
        masks: of dropout.
        gradient: like the weights; left as the last batch's. Empty for a full pass without gradient.
        squares: `float64[L, 2]` of that gradient, or empty.
        running: `float64[4]`: mean loss over examples, share classified correctly, sum of batch means, last batch's.
        outputs: `[n * out]`, or empty.
        alive: see `image_pass`.
        training: whether to change the weights.

    Returns:
        Whether every loss and, after training, every weight is finite.
    """
    size = net.bounds[-1, 2]
    # Powers are carried within an epoch and begun afresh at its start, which no split of calls can move.
    left1, left2 = rule.beta1**updates, rule.beta2**updates
    total, hits, means, mean, finite = 0.0, 0, 0.0, 0.0, True
    index = masks.step
    for first in range(0, data.size, batch):
        count = min(batch, data.size - first)
        loss, right = image_pass(
            net, rule, data, order, first, count, weights, masks, index, gradient, outputs, alive
        )
        mean = loss / count
        total += loss
        hits += right
        means += mean
        finite = finite and np.isfinite(loss)
        index += 1
        if squares.size and first + count == data.size:
            _squares(net, gradient, squares)
        if training:
            left1 *= rule.beta1
            left2 *= rule.beta2
            step(rule, rate, size, left1, left2, weights, gradient, slot1, slot2)
    running[0], running[1], running[2], running[3] = total / data.size, hits / data.size, means, mean
    return finite and (not training or all_finite(weights, size))
