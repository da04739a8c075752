"""The compiled entry points: many epochs of training in one call, and one full pass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gradlab.train.kernel.sample import sample_pass
from gradlab.train.kernel.tile import batch_pass
from gradlab.train.kernel.update import step
from gradlab.train.kernel.vector import BLOCK, GROUP, STRIP, VECTOR_BYTES, compiled

LOSS_BIT, GRADIENT_BIT, BATCH_GRADIENT_BIT = 1, 2, 4
"""Bits of the measurement mask."""


def _fingerprint() -> str:
    """Changes with any source of the kernel and with the shape of its blocks."""
    digest = hashlib.sha256(repr((BLOCK, STRIP, GROUP, VECTOR_BYTES)).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _cached(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use and keep the result on disk where a place for it can be written.

    Numba's cache watches the file of the cached function alone, and cannot even read an index that names a class
    which has moved since. The qualified name is part of the cache's file name, so it carries all the sources.
    """
    function.__qualname__ = f"{function.__name__}_{_fingerprint()}"
    try:
        return compiled(function, cache=True)
    except RuntimeError:  # numba finds no writable place for its cache
        return compiled(function)


@compiled
def _squares(net: Any, gradient: Any, out: Any) -> None:
    """Squared norms of each layer's weight and bias gradients, into `out[L, 2]`."""
    for layer in range(net.widths.size - 1):
        start = net.parameters[layer]
        bias = start + net.widths[layer] * net.widths[layer + 1]
        for part, low, high in ((0, start, bias), (1, bias, net.parameters[layer + 1])):
            total = 0.0
            for k in range(low, high):
                total += np.float64(gradient[k]) * np.float64(gradient[k])
            out[layer, part] = total


@compiled
def _all_finite(values: Any, size: Any) -> bool:
    bad = 0
    for k in range(size):
        bad |= not np.isfinite(values[k])
    return bad == 0


@_cached
def run(
    net: Any, rule: Any, data: Any, batch: int, order: Any, rates: Any, weights: Any, slot1: Any, slot2: Any,
    updates: int, reset: bool, descend_sum: bool, mask: Any, row: Any, batch_tile: Any, full_tile: Any,
    gradient: Any, probe: Any, loss: Any, full_squares: Any, batch_squares: Any, outputs: Any,
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
        outputs: `[out * n]` for the full pass.

    Returns:
        Updates, epochs done, and whether all was finite.
    """
    # Converted, because numba would compile the pass anew for each literal argument.
    start, no = np.int64(0), np.bool_(False)
    size = net.parameters[-1]
    nothing, natural = gradient[:0], order[0, :0]
    full = batch == data.size
    one_tile = full and data.size <= full_tile.columns
    loaded = no
    if rates.size == 0:
        loss[0] = batch_pass(
            net,
            data,
            natural,
            start,
            data.size,
            weights,
            full_tile,
            loaded,
            descend_sum,
            gradient,
            outputs,
        )
    for epoch in range(rates.size):
        bits = mask[epoch]
        if reset:
            updates = 0
            slot1[:] = 0
            slot2[:] = 0
        # At full batch the training pass measures the loss, and its gradient if that is what it descends on.
        if bits & GRADIENT_BIT and (not full or descend_sum):
            batch_pass(net, data, natural, start, data.size, weights, full_tile, loaded, no, probe, nothing)
            _squares(net, probe, full_squares[epoch])
            loaded = one_tile
        if bits & LOSS_BIT and not full:
            loss[epoch] = batch_pass(
                net, data, natural, start, data.size, weights, full_tile, loaded, no, nothing, nothing
            )
        # Powers are carried within an epoch and begun afresh at its start, which no split of calls can move.
        left1, left2 = rule.beta1**updates, rule.beta2**updates
        places = natural if full or order.size == 0 else order[epoch]
        finite = True
        for first in range(0, data.size, batch):
            count = min(batch, data.size - first)
            if batch == 1 and not full:
                sample = places[first] if places.size else first
                value = sample_pass(net, data, sample, weights, row, descend_sum, gradient)
            else:
                value = batch_pass(
                    net,
                    data,
                    places,
                    first,
                    count,
                    weights,
                    batch_tile,
                    loaded,
                    descend_sum,
                    gradient,
                    nothing,
                )
                loaded = one_tile
            finite = finite and np.isfinite(value)
            if full:
                if bits & LOSS_BIT:
                    loss[epoch] = value
                if bits & GRADIENT_BIT and not descend_sum:
                    _squares(net, gradient, full_squares[epoch])
            if bits & BATCH_GRADIENT_BIT and first + count == data.size:
                _squares(net, gradient, batch_squares[epoch])
            updates += 1
            left1 *= rule.beta1
            left2 *= rule.beta2
            step(rule, rates[epoch], size, left1, left2, weights, gradient, slot1, slot2)
        if not finite or not _all_finite(weights, size):
            return updates, epoch + 1, False
    return updates, rates.size, True
