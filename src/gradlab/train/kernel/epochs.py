"""The compiled entry points: many epochs of training in one call, and one full pass."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np

from gradlab.train.kernel.caching import cached
from gradlab.train.kernel.layout import CROSS_ENTROPY
from gradlab.train.kernel.losses import sample_correct
from gradlab.train.kernel.norms import all_finite, layer_squares
from gradlab.train.kernel.sample import sample_pass
from gradlab.train.kernel.tile import batch_pass
from gradlab.train.kernel.update import step
from gradlab.train.kernel.wide import wide_pass

LOSS_BIT, GRADIENT_BIT, BATCH_GRADIENT_BIT, RUNNING_BIT = 1, 2, 4, 8
"""Bits of the measurement mask."""

_pass, _FUSED = batch_pass, False
"""What takes a batch through the network, and whether that takes the optimizer's step as well."""


def _epochs(
    net: Any, rule: Any, data: Any, batch: int, order: Any, rates: Any, weights: Any, slot1: Any, slot2: Any,
    updates: int, reset: bool, descend_sum: bool, mask: Any, row: Any, batch_tile: Any, full_tile: Any,
    gradient: Any, probe: Any, loss: Any, full_squares: Any, batch_squares: Any, running: Any, outputs: Any,
) -> tuple[int, int, bool]:  # fmt: skip
    """Train for an epoch per rate; with no rates, make one full pass.

    Args:
        net: the network.
        rule: the optimizer.
        data: the training set, n samples.
        batch: samples a step.
        order: `int32[epochs, n]`, or `[1, 0]` for the natural order.
        rates: `float64[epochs]`, learning rates.
        weights: `[D]` and a vector of room, in place.
        slot1: like the weights; see `step`.
        slot2: like the weights.
        updates: steps taken by the optimizer so far.
        reset: begin every epoch with a new optimizer.
        descend_sum: descend on the sum of outputs, not on the loss.
        mask: `uint8[epochs]`, what to measure.
        row: scratch for single samples.
        batch_tile: scratch for batches.
        full_tile: scratch for all samples.
        gradient: scratch like the weights; a full pass leaves its gradient here, if it has room.
        probe: scratch like the weights.
        loss: `float64[epochs]`, or `[1]` for the full pass.
        full_squares: `float64[epochs, L, 2]`.
        batch_squares: `float64[epochs, L, 2]`.
        running: `float64[epochs, 4]`; see `Measured`.
        outputs: `[out * n]` for the full pass.

    Returns:
        Updates, epochs done, and whether all was finite.
    """
    # Converted, because numba would compile the pass anew for each literal argument.
    no, yes = np.bool_(False), np.bool_(True)
    size = net.parameters[-1]
    nothing, natural = gradient[:0], order[0, :0]
    full = batch == data.size
    single = batch == 1 and not full
    one_tile = full and data.size <= full_tile.columns
    loaded = no
    tally = np.zeros(1, np.int64)
    evaluating = rates.size == 0
    steps = 0 if evaluating else (data.size + batch - 1) // batch
    for epoch in range(max(1, rates.size)):
        bits = np.uint8(0) if evaluating else mask[epoch]
        if reset:
            updates = 0
            slot1[:] = 0
            slot2[:] = 0
        # At full batch the training pass measures the loss, and its gradient if that is what it descends on.
        slopes = bits & GRADIENT_BIT and (not full or descend_sum)
        losses = bits & LOSS_BIT and not full
        # Powers are carried within an epoch and begun afresh at its start, which no split of calls can move.
        left1, left2 = rule.beta1**updates, rule.beta2**updates
        counts = bits & RUNNING_BIT and net.loss == CROSS_ENTROPY
        tally[0] = 0
        total, means, value, finite = 0.0, 0.0, 0.0, True
        # The pass over a batch is written out once, for it is most of what is compiled: turn -1 looks at all samples.
        for turn in range(-1 if evaluating or slopes or losses else 0, steps):
            looking = turn < 0
            first, count, ends = turn * batch, min(batch, data.size - turn * batch), turn == steps - 1
            places = natural if full or order.size == 0 else order[epoch]
            tile, target, sums, hits, results = batch_tile, gradient, descend_sum, tally[:0], nothing
            rate = 0.0
            if looking:
                first, count, places, tile = 0, data.size, natural, full_tile
                if evaluating:
                    results = outputs
                else:
                    target, sums = probe if slopes else nothing, no
            else:
                rate = rates[epoch]
                updates += 1
                left1 *= rule.beta1
                left2 *= rule.beta2
                if counts:
                    hits = tally
            if single and not looking:
                sample = places[first] if places.size else first
                value = sample_pass(net, data, sample, weights, row, descend_sum, gradient)
                if counts:
                    tally[0] += sample_correct(net, data, sample, row)
            else:
                keep = looking or (bits & BATCH_GRADIENT_BIT and ends) or (bits & GRADIENT_BIT and full)
                value = _pass(
                    net, data, places, first, count, weights, tile, loaded, sums, target, results, hits,
                    yes if keep else no, no if looking else yes, rule, rate, left1, left2, slot1, slot2,
                )  # fmt: skip
                loaded = one_tile
            if looking:
                if evaluating:
                    loss[0] = value
                elif losses:
                    loss[epoch] = value
                if slopes:
                    layer_squares(net, probe, full_squares[epoch])
                continue
            finite = finite and np.isfinite(value)
            total += count * value
            means += value
            if full:
                if bits & LOSS_BIT:
                    loss[epoch] = value
                if bits & GRADIENT_BIT and not descend_sum:
                    layer_squares(net, gradient, full_squares[epoch])
            if bits & BATCH_GRADIENT_BIT and ends:
                layer_squares(net, gradient, batch_squares[epoch])
            if single or not _FUSED:
                step(rule, rate, size, left1, left2, weights, gradient, slot1, slot2)
        if bits & RUNNING_BIT:
            # One by one: numba would make an array of a tuple first, which takes it seconds to compile.
            running[epoch, 0], running[epoch, 2], running[epoch, 3] = total / data.size, means, value
            if counts:
                running[epoch, 1] = tally[0] / data.size
        if not evaluating and (not finite or not all_finite(weights, size)):
            return updates, epoch + 1, False
    return updates, rates.size, True


def _by(name: str, **names: Any) -> Any:
    """`_epochs` compiled with other functions under the global names that it uses."""
    return cached(FunctionType(_epochs.__code__, globals() | names, name))


run = _by("run")
"""For networks whose weights stay in cache."""
run_wide = _by("run_wide", _pass=wide_pass, _FUSED=True)
"""For wide networks."""
