"""The three loops of a single sample: matrix times vector, with features in the lanes.

Loads run past the end of a row of weights into what follows. The vector they meet is zero there, and both the weights
and the gradient have a vector of room at their end.
"""

from __future__ import annotations

from typing import Any

from numba.core import types

from gradlab.train.kernel.blocks import (
    LEAKY,
    LEAKY_SLOPE,
    PLAIN,
    RELU,
    RELU_SLOPE,
    TANH_SLOPE,
    emitter,
    finish,
    pointer,
)
from gradlab.train.kernel.vector import emitted


@emitted
def forward_rows(
    typing: Any,
    rows: Any,
    weights: Any,
    first: Any,
    bias_first: Any,
    values: Any,
    source: Any,
    target: Any,
    inputs: Any,
    epilogue: Any,
    slope: Any,
) -> Any:
    """values[target + q] = epilogue(bias[q] + weights[q] . values[source:]), for q below `rows` <= lanes."""
    index = types.int64
    signature = types.void(
        index, weights, index, index, values, index, index, index, index, weights.dtype
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, w, first, bias_first, t, source, target, inputs, last, slope = args
        e = emitter(context, builder, sig.args[1])
        w = pointer(context, builder, sig.args[1], w)
        t = pointer(context, builder, sig.args[4], t)
        slope = e.splat(slope)
        unit = e.index(e.lanes)
        chunks = builder.udiv(e.offset(inputs, e.index(e.lanes - 1)), unit)
        total = e.cells(1)[0]
        with e.cases(m, range(1, e.lanes + 1)) as sizes:
            for size in sizes:
                cells = e.cells(size)
                for cell in cells:
                    builder.store(e.zero, cell)
                with e.loop(chunks) as k:
                    column = builder.mul(k, unit)
                    x = e.load(t, e.offset(source, column))
                    for q, cell in enumerate(cells):
                        row = e.load(w, e.offset(first, column, (inputs, e.index(q))))
                        builder.store(e.muladd(row, x, builder.load(cell)), cell)
                builder.store(e.sum_vector([builder.load(cell) for cell in cells]), total)
        value = builder.fadd(builder.load(total), e.load(w, bias_first))
        # The bias, too, is loaded past its end; what is stored past this layer's last row must be zero.
        inside = builder.icmp_unsigned("<", e.numbering, e.splat_index(m))
        value = builder.select(inside, value, e.zero)
        with e.cases(last, (PLAIN, RELU, LEAKY)) as codes:
            for code in codes:
                e.store(finish(e, code, value, None, slope), t, target)
        return context.get_dummy_value()

    return signature, generate


@emitted
def backward_rows(
    typing: Any,
    rows: Any,
    weights: Any,
    first: Any,
    values: Any,
    deltas: Any,
    target: Any,
    outputs: Any,
    inputs: Any,
    begun: Any,
    epilogue: Any,
    slope: Any,
) -> Any:
    """values[target:] = epilogue(values[target:] if begun + sum of delta[q] weights[q], q below `rows` <= lanes)."""
    index = types.int64
    signature = types.void(
        index, weights, index, values, index, index, index, index, types.boolean, index, weights.dtype
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, w, first, t, deltas, target, outputs, inputs, begun, last, slope = args
        e = emitter(context, builder, sig.args[1])
        w = pointer(context, builder, sig.args[1], w)
        t = pointer(context, builder, sig.args[3], t)
        slope = e.splat(slope)
        unit = e.index(e.lanes)
        chunks = builder.udiv(e.offset(inputs, e.index(e.lanes - 1)), unit)
        total = e.cells(1)[0]
        with e.loop(chunks) as k:
            column = builder.mul(k, unit)
            with e.cases(m, range(1, e.lanes + 1)) as sizes:
                for size in sizes:
                    sums: list[Any] = [None] * min(size, 4)  # chains that do not wait for each other
                    for q in range(size):
                        row = e.load(w, e.offset(first, column, (inputs, e.index(q))))
                        d = e.splat(e.number(t, e.offset(deltas, e.index(q))))
                        chain = sums[q % 4]
                        sums[q % 4] = builder.fmul(d, row) if chain is None else e.muladd(d, row, chain)
                    while len(sums) > 1:
                        sums = [builder.fadd(*sums[:2]), *sums[2:]]
                    builder.store(sums[0], total)
            where = e.offset(target, column)
            value = builder.load(total)
            before = builder.select(begun, e.load(t, where), e.zero)
            value = builder.fadd(value, before)
            with e.cases(last, (PLAIN, RELU_SLOPE, LEAKY_SLOPE, TANH_SLOPE)) as codes:
                for code in codes:
                    output = e.load(t, e.offset(outputs, column))
                    e.store(finish(e, code, value, output, slope), t, where)
        return context.get_dummy_value()

    return signature, generate


@emitted
def outer_rows(
    typing: Any,
    rows: Any,
    values: Any,
    deltas: Any,
    source: Any,
    inputs: Any,
    gradient: Any,
    first: Any,
) -> Any:
    """gradient[first + q inputs + p] = delta[q] * source[p]; then, behind them, the deltas: the bias's gradient.

    Rows are written in rising order, and each overwrites what the one before it wrote past its end.
    """
    index = types.int64
    signature = types.void(index, values, index, index, index, gradient, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, t, deltas, source, inputs, g, first = args
        e = emitter(context, builder, sig.args[1])
        t = pointer(context, builder, sig.args[1], t)
        g = pointer(context, builder, sig.args[5], g)
        unit = e.index(e.lanes)

        def chunks(count: Any) -> Any:
            return builder.udiv(e.offset(count, e.index(e.lanes - 1)), unit)

        with e.loop(m) as q:
            d = e.splat(e.number(t, e.offset(deltas, q)))
            row = e.offset(first, (q, inputs))
            with e.loop(chunks(inputs)) as k:
                column = builder.mul(k, unit)
                x = e.load(t, e.offset(source, column))
                e.store(builder.fmul(d, x), g, e.offset(row, column))
        bias = e.offset(first, (m, inputs))
        with e.loop(chunks(m)) as k:
            column = builder.mul(k, unit)
            e.store(e.load(t, e.offset(deltas, column)), g, e.offset(bias, column))
        return context.get_dummy_value()

    return signature, generate
