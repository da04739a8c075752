"""The three loops of a batch tile: a layer forwards, a layer backwards, and the weights' gradient.

A tile keeps features first and the batch last: row f holds feature f of `columns` samples, and rows lie `stride`
numbers apart. Each loop keeps a block of up to `BLOCK` rows by `GROUP` vectors in registers while it runs along
the inner dimension. `columns` is a multiple of the vector's lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types

from gradlab.train.kernel.vector import BLOCK, GROUP, STRIP, Emitter, emitted

PLAIN, RELU, LEAKY, RELU_SLOPE, LEAKY_SLOPE, TANH_SLOPE = range(6)
"""What happens to a block before it is stored: nothing, an activation, or times an activation's derivative."""


def pointer(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Where an array argument's numbers begin."""
    return context.make_array(kind)(context, builder, array).data


def emitter(context: Any, builder: Any, kind: Any) -> Emitter:
    """An emitter for an array argument's numbers."""
    return Emitter(builder, context.get_data_type(kind.dtype))


def finish(e: Emitter, code: int, value: Any, output: Any, slope: Any) -> Any:
    """Emit one epilogue.

    Args:
        e: where to.
        code: which.
        value: the vector to change.
        output: the activations, where the epilogue is a derivative.
        slope: of the leaky rectifier, in every lane.

    Returns:
        The changed vector. NaN stays NaN, as in PyTorch.
    """
    b = e.builder
    if code == RELU:
        return b.select(b.fcmp_ordered(">", e.zero, value), e.zero, value)
    if code == LEAKY:
        return b.select(b.fcmp_ordered(">", e.zero, value), b.fmul(value, slope), value)
    if code == RELU_SLOPE:
        return b.select(b.fcmp_ordered("<=", output, e.zero), e.zero, value)
    if code == LEAKY_SLOPE:
        return b.select(b.fcmp_ordered(">", output, e.zero), value, b.fmul(value, slope))
    if code == TANH_SLOPE:
        return b.fsub(value, b.fmul(value, b.fmul(output, output)))
    return value


def _column_groups(e: Emitter, columns: Any, body: Callable[[int, Any], None]) -> None:
    """Cover the columns with groups of `GROUP` vectors, then of half as many, down to one vector."""
    done, size = e.index(0), GROUP
    while size:
        width = e.index(size * e.lanes)
        count = e.builder.udiv(e.builder.sub(columns, done), width)
        with e.loop(count) as k:
            body(size, e.offset(done, (k, width)))
        done, size = e.offset(done, (count, width)), size // 2


@emitted
def product(
    typing: Any,
    rows: Any,
    weights: Any,
    first: Any,
    row_step: Any,
    term_step: Any,
    bias: Any,
    bias_first: Any,
    tile: Any,
    source: Any,
    target: Any,
    outputs: Any,
    terms: Any,
    stride: Any,
    columns: Any,
    epilogue: Any,
    slope: Any,
) -> Any:
    """target[q] = epilogue(bias[q] + sum over k of weights[first + q row_step + k term_step] * source[k]).

    q runs over `rows` (at most `BLOCK`), k over `terms`; `source`, `target` and `outputs` are where row 0 begins
    in `tile`. `outputs` are the activations whose derivative the epilogue needs.
    """
    index = types.int64
    signature = types.void(
        index, weights, index, index, index, bias, index, tile, index, index, index, index, index, index, index,
        weights.dtype,
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (m, w, first, row_step, term_step, b, b_first, t, source, target, outputs, terms, stride, columns, last,
         slope) = args  # fmt: skip
        e = emitter(context, builder, sig.args[1])
        w = pointer(context, builder, sig.args[1], w)
        b = pointer(context, builder, sig.args[5], b)
        t = pointer(context, builder, sig.args[7], t)
        slope = e.splat(slope)

        with e.cases(m, range(1, BLOCK + 1)) as sizes:
            for size in sizes:

                def block(vectors: int, column: Any, size: int = size) -> None:
                    cells = [e.cells(vectors) for _ in range(size)]
                    for q, line in enumerate(cells):
                        start = e.splat(e.number(b, e.offset(b_first, e.index(q))))
                        for cell in line:
                            builder.store(start, cell)
                    with e.loop(terms) as k:
                        base = e.offset(source, (k, stride), column)
                        xs = [e.load(t, e.offset(base, e.index(v * e.lanes))) for v in range(vectors)]
                        corner = e.offset(first, (k, term_step))
                        for q, line in enumerate(cells):
                            weight = e.splat(e.number(w, e.offset(corner, (row_step, e.index(q)))))
                            for x, cell in zip(xs, line, strict=True):
                                builder.store(e.muladd(weight, x, builder.load(cell)), cell)
                    with e.cases(last, range(6)) as codes:
                        for code in codes:
                            for q, line in enumerate(cells):
                                for v, cell in enumerate(line):
                                    row = e.offset(column, (stride, e.index(q)), e.index(v * e.lanes))
                                    output = e.load(t, e.offset(outputs, row)) if code > LEAKY else None
                                    value = finish(e, code, builder.load(cell), output, slope)
                                    e.store(value, t, e.offset(target, row))

                _column_groups(e, columns, block)
        return context.get_dummy_value()

    return signature, generate


@emitted
def outer(
    typing: Any,
    rows: Any,
    inputs: Any,
    tile: Any,
    deltas: Any,
    source: Any,
    stride: Any,
    columns: Any,
    gradient: Any,
    first: Any,
    row_step: Any,
) -> Any:
    """gradient[first + q row_step + p] += sum over columns of delta[q] * source[p].

    q runs over `rows` (at most `BLOCK`), p over `inputs` (at most `STRIP`).
    """
    index = types.int64
    signature = types.void(index, index, tile, index, index, index, index, gradient, index, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, n, t, deltas, source, stride, columns, g, first, row_step = args
        e = emitter(context, builder, sig.args[2])
        t = pointer(context, builder, sig.args[2], t)
        g = pointer(context, builder, sig.args[7], g)
        count = builder.udiv(columns, e.index(e.lanes))
        shape = e.offset(n, (m, e.index(16)))
        pairs = [16 * q + p for q in range(1, BLOCK + 1) for p in range(1, STRIP + 1)]
        with e.cases(shape, pairs) as choices:
            for choice in choices:
                size, width = divmod(choice, 16)
                cells = e.cells(size * width)
                for cell in cells:
                    builder.store(e.zero, cell)
                with e.loop(count) as k:
                    column = builder.mul(k, e.index(e.lanes))
                    xs = [e.load(t, e.offset(source, column, (stride, e.index(p)))) for p in range(width)]
                    for q in range(size):
                        d = e.load(t, e.offset(deltas, column, (stride, e.index(q))))
                        for x, cell in zip(xs, cells[q * width : (q + 1) * width], strict=True):
                            builder.store(e.muladd(d, x, builder.load(cell)), cell)
                totals = e.sums([builder.load(cell) for cell in cells])
                for k, total in enumerate(totals):
                    q, p = divmod(k, width)
                    where = e.offset(first, (row_step, e.index(q)), e.index(p))
                    _add(e, g, where, total)
        return context.get_dummy_value()

    return signature, generate


@emitted
def row_sums(
    typing: Any, rows: Any, tile: Any, deltas: Any, stride: Any, columns: Any, gradient: Any, first: Any
) -> Any:
    """gradient[first + q] += sum over columns of delta[q], for q below `rows` (at most `BLOCK`)."""
    index = types.int64
    signature = types.void(index, tile, index, index, index, gradient, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, t, deltas, stride, columns, g, first = args
        e = emitter(context, builder, sig.args[1])
        t = pointer(context, builder, sig.args[1], t)
        g = pointer(context, builder, sig.args[5], g)
        count = builder.udiv(columns, e.index(e.lanes))
        with e.cases(m, range(1, BLOCK + 1)) as sizes:
            for size in sizes:
                cells = e.cells(size)
                for cell in cells:
                    builder.store(e.zero, cell)
                with e.loop(count) as k:
                    column = builder.mul(k, e.index(e.lanes))
                    for q, cell in enumerate(cells):
                        d = e.load(t, e.offset(deltas, column, (stride, e.index(q))))
                        builder.store(builder.fadd(d, builder.load(cell)), cell)
                for q, total in enumerate(e.sums([builder.load(cell) for cell in cells])):
                    _add(e, g, e.offset(first, e.index(q)), total)
        return context.get_dummy_value()

    return signature, generate


@emitted
def tanh_row(typing: Any, buffer: Any, first: Any, columns: Any) -> Any:
    """buffer[first + n] = tanh(buffer[first + n]) for n below `columns`."""
    signature = types.void(buffer, types.int64, types.int64)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        t, first, columns = args
        e = emitter(context, builder, sig.args[0])
        t = pointer(context, builder, sig.args[0], t)
        with e.loop(builder.udiv(columns, e.index(e.lanes))) as k:
            where = e.offset(first, (k, e.index(e.lanes)))
            e.store(e.tanh(e.load(t, where)), t, where)
        return context.get_dummy_value()

    return signature, generate


def _add(e: Emitter, pointer: Any, index: Any, value: Any) -> None:
    address = e.builder.gep(pointer, [index])
    e.builder.store(e.builder.fadd(e.builder.load(address), value), address)
