"""The kernel's face: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.train.kernel.denormals import flushed
from gradlab.train.kernel.epochs import run, run_wide
from gradlab.train.kernel.layout import (
    ACTIVATIONS,
    LOSSES,
    Net,
    Samples,
    aligned,
    is_wide,
    make_row,
    make_tile,
)
from gradlab.train.kernel.program import Array, Measured, Program
from gradlab.train.kernel.update import OPTIMIZERS, Rule
from gradlab.train.kernel.vector import VECTOR_BYTES

_OWN = ("C", "W")
"""Compiled code takes contiguous writable arrays: another kind would be compiled for anew."""

_CHUNK = 2048
"""Samples whose hidden activations are held at a time."""


def train(
    program: Program,
    x: Array,
    y: Array,
    *,
    batch_size: int | None,
    order: Array | None,
    lr: Array,
    weights: Array,
    slots: dict[str, Array],
    updates: int = 0,
    measure: Array | None = None,
) -> Measured:
    """Train one network for `len(lr)` epochs, in place.

    What comes out is the same to the bit however the epochs are split over calls and whatever is measured. A batch
    smaller than the rest takes what is left of an epoch.

    Args:
        program: network, loss and optimizer.
        x: `[in, n]`. The transpose of a contiguous `[n, in]` array is used without a copy.
        y: `[out, n]`, or integer labels `[n]` for the cross-entropy.
        batch_size: samples a step; None, or n and more, is the full batch.
        order: `int32[epochs, n]`, the order of samples in each epoch; None is the natural one. The full batch is
            always taken in natural order.
        lr: `float64[epochs]`, the learning rate of each epoch.
        weights: `[D]` float32 or float64, changed in place; the computation has its dtype.
        slots: the optimizer's state (`Program.slots`), changed in place.
        updates: steps that the optimizer has taken so far.
        measure: `uint8[epochs]`: bit 1 measures the loss, 2 the full-batch gradient, 4 the last minibatch's, 8
            what the batches themselves met.

    Returns:
        The measurements, and how far training went.

    Raises:
        ValueError: if a shape, dtype or slot does not fit.
    """
    net, data = _net(program), _samples(program, x, y, weights)
    size, epochs, layers = program.parameters, len(lr), len(program.widths) - 1
    if sorted(slots) != sorted(program.slots):
        raise ValueError(f"slots must be {program.slots}: {tuple(slots)}")
    for name, slot in slots.items():
        _check(f"slots[{name!r}]", slot, (size,), weights.dtype)
    batch = data.size if batch_size is None else min(batch_size, data.size)
    if batch < 1:
        raise ValueError(f"batch_size must be at least 1: {batch_size}")
    places = np.zeros((1, 0), np.int32)
    if order is not None and batch < data.size:
        _check("order", order, (epochs, data.size), np.dtype(np.int32))
        if order.size and not (order.min() >= 0 and order.max() < data.size):
            raise ValueError(f"order must hold indices from 0 to {data.size - 1}")
        places = np.require(order, requirements=_OWN)
    mask = np.zeros(epochs, np.uint8) if measure is None else np.require(measure, np.uint8, _OWN)
    if mask.shape != (epochs,):
        raise ValueError(f"measure must have shape ({epochs},): {mask.shape}")
    full_tile = make_tile(program.widths, weights.dtype, data.size)
    batch_tile = full_tile if batch == data.size else make_tile(program.widths, weights.dtype, batch)
    # The pass over a single sample reads and writes up to a vector past the end.
    work, gradient, probe, slot1, slot2 = (aligned(size + VECTOR_BYTES, weights.dtype) for _ in range(5))
    work[:size] = weights
    first = slots.get("exp_avg", slots.get("momentum_buffer"))
    second = slots.get("exp_avg_sq", slots.get("square_avg"))
    for own, given in ((slot1, first), (slot2, second)):
        if given is not None:
            own[:size] = given
    loss = np.full(epochs, np.nan)
    squares, batch_squares = np.full((2, epochs, layers, 2), np.nan)
    running = np.full((epochs, 4), np.nan)
    with flushed():
        updates, done, finite = (run_wide if is_wide(program.widths) else run)(
            net, _rule(program), data, batch, places, np.require(lr, np.float64, _OWN), work, slot1, slot2,
            updates, program.reset_every_epoch, program.objective == "sum_of_outputs", mask,
            make_row(program.widths, weights.dtype), batch_tile, full_tile, gradient, probe, loss, squares,
            batch_squares, running, probe[:0],
        )  # fmt: skip
    weights[:] = work[:size]
    for own, given in ((slot1, first), (slot2, second)):
        if given is not None:
            given[:] = own[:size]
    return Measured(loss, squares, batch_squares, running, int(updates), int(done), bool(finite))


def evaluate(
    program: Program, weights: Array, x: Array, y: Array, gradient: bool = True
) -> tuple[float, Array | None, Array]:
    """Loss, gradient and outputs at given weights, by the passes that `train` makes.

    Args:
        program: network, loss and objective.
        weights: `[D]`.
        x: `[in, n]`.
        y: `[out, n]`, or labels `[n]`.
        gradient: whether to compute the gradient of the program's objective.

    Returns:
        The mean loss; the gradient `[D]` or None; the outputs `[out, n]`.

    Raises:
        ValueError: if a shape or dtype does not fit.

    >>> program = Program((1, 1))
    >>> x, y = np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]])
    >>> evaluate(program, np.array([3.0, 0.0]), x, y)
    (22.5, array([15.,  9.]), array([[3., 6.]]))
    """
    data, dtype = _samples(program, x, y, weights), weights.dtype
    slope, loss = aligned(program.parameters if gradient else 0, dtype), np.empty(1)
    outputs = np.empty(program.widths[-1] * data.size, dtype)
    tile, none, unmeasured = make_tile(program.widths, dtype, data.size), slope[:0], np.empty((0, 0, 0))
    with flushed():
        (run_wide if is_wide(program.widths) else run)(
            _net(program), _rule(program), data, data.size, np.zeros((1, 0), np.int32), loss[:0],
            np.require(weights, requirements=_OWN), none, none, 0, False, program.objective == "sum_of_outputs",
            np.zeros(0, np.uint8), make_row(program.widths, dtype), tile, tile, slope, none, loss, unmeasured,
            unmeasured, loss[:0, None], outputs,
        )  # fmt: skip
    return float(loss[0]), slope if gradient else None, outputs.reshape(program.widths[-1], data.size)


def hidden(program: Program, weights: Array, x: Array) -> list[Array]:
    """Each hidden layer's units after the activation, for looking at: plain NumPy, no tiles.

    Args:
        program: the network.
        weights: `[D]`.
        x: `[in, n]`.

    Returns:
        One `[width, n]` array per hidden layer.

    >>> hidden(Program((1, 2, 1)), np.array([1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0]), np.array([[3.0]]))
    [array([[3.], [0.]])]
    """
    values, start, layers = x.astype(weights.dtype), 0, list[Array]()
    for inputs, width in zip(program.widths[:-2], program.widths[1:-1], strict=True):
        matrix = weights[start : start + inputs * width].reshape(width, inputs)
        start += inputs * width
        values = matrix @ values + weights[start : start + width, None]
        start += width
        if program.activation == "relu":
            values = np.maximum(values, 0)
        elif program.activation == "leaky_relu":
            values = np.where(values < 0, program.slope * values, values)
        elif program.activation == "tanh":
            values = np.tanh(values)
        layers.append(values)
    return layers


def alive(program: Program, weights: Array, x: Array) -> list[Array]:
    """Which hidden units are ever above zero, found without holding every sample's activations.

    Args:
        program: the network.
        weights: `[D]`.
        x: `[in, n]`.

    Returns:
        One `bool[width]` per hidden layer.

    >>> alive(Program((1, 2, 1)), np.array([1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0]), np.array([[3.0]]))
    [array([ True, False])]
    """
    found = [np.zeros(width, np.bool_) for width in program.widths[1:-1]]
    for first in range(0, x.shape[1], _CHUNK):
        for seen, layer in zip(found, hidden(program, weights, x[:, first : first + _CHUNK]), strict=True):
            seen |= (layer > 0).any(axis=1)
    return found


def compile(dtype: Any, wide: bool = False) -> None:
    """Compile for one dtype, or load what an earlier process compiled, so that workers start warm.

    Args:
        dtype: float32 or float64.
        wide: for networks with wide layers (`is_wide`), and not for the others.
    """
    inputs = 64 if wide else 1
    program = Program((inputs, 1))
    x, y, weights = np.zeros((inputs, 2), dtype), np.zeros((1, 2), dtype), np.zeros(inputs + 1, dtype)
    train(
        program,
        x,
        y,
        batch_size=1,
        order=None,
        lr=np.zeros(1),
        weights=weights,
        slots=program.new_slots(dtype),
    )


def _net(program: Program) -> Net:
    widths = np.array(program.widths, np.int64)
    starts = np.zeros(len(widths), np.int64)
    starts[1:] = np.cumsum((widths[:-1] + 1) * widths[1:])
    rows = np.zeros(len(widths) + 2, np.int64)
    rows[1:] = np.cumsum([*widths, max(widths[1:])])
    return Net(
        widths,
        starts,
        rows,
        ACTIVATIONS.index(program.activation),
        LOSSES.index(program.loss),
        float(program.slope),
    )


def _rule(program: Program) -> Rule:
    rmsprop = program.optimizer == "rmsprop"
    return Rule(
        kind=OPTIMIZERS.index(program.optimizer),
        momentum=float(program.momentum),
        nesterov=bool(program.nesterov),
        beta1=float(program.beta1),
        beta2=float(program.alpha if rmsprop else program.beta2),
        eps=float(program.eps),
        weight_decay=float(program.weight_decay),
    )


def _samples(program: Program, x: Array, y: Array, weights: Array) -> Samples:
    if weights.dtype.name not in {"float32", "float64"}:
        raise ValueError(f"weights must be float32 or float64: {weights.dtype}")
    dtype = weights.dtype
    _check("weights", weights, (program.parameters,), dtype)
    if x.ndim != 2 or x.shape[0] != program.widths[0] or x.shape[1] < 1:
        raise ValueError(f"x must have shape ({program.widths[0]}, n) with n at least 1: {x.shape}")
    count, out = x.shape[1], program.widths[-1]
    _check("x", x, x.shape, dtype)
    targets, labels = np.zeros(0, dtype), np.zeros(0, np.int64)
    if program.loss == "cross_entropy":
        if y.shape != (count,) or not np.issubdtype(y.dtype, np.integer):
            raise ValueError(f"y must be {count} integer labels: {y.dtype} {y.shape}")
        if not (y.min() >= 0 and y.max() < out):
            raise ValueError(f"labels must be from 0 to {out - 1}: {y.min()} to {y.max()}")
        labels = np.require(y, np.int64, _OWN)
    else:
        _check("y", y, (out, count), dtype)
        targets = np.require(y.T, dtype, _OWN).reshape(-1)
    return Samples(np.require(x.T, dtype, _OWN).reshape(-1), targets, labels, count)


def _check(name: str, value: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if value.shape != shape or value.dtype != dtype:
        raise ValueError(f"{name} must be {dtype} {shape}: {value.dtype} {value.shape}")
