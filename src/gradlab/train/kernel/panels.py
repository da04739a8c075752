"""The three loops of a wide layer, whose weights outgrow the cache.

A tile keeps features first and the batch last, as in `blocks`: forwards and backwards, a weight meets vectors of
samples. The weights' gradient is a sum over the batch, and so its vectors run along the inputs: it reads panels, which
hold the same numbers once more, one sample after another and up to `PANEL` vectors of features at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types

from gradlab.train.kernel.blocks import emitter, finish, pointer
from gradlab.train.kernel.layout import ROWS
from gradlab.train.kernel.vector import GROUP, Emitter, emitted

PANEL = GROUP
"""Vectors of features in a panel."""


def _column_groups(e: Emitter, columns: Any, body: Callable[[int, Any], None]) -> None:
    """Cover the columns with groups of `GROUP` vectors and one smaller group."""
    width = e.index(GROUP * e.lanes)
    count = e.builder.udiv(columns, width)
    with e.loop(count) as k:
        body(GROUP, e.builder.mul(k, width))
    rest = e.builder.udiv(e.builder.urem(columns, width), e.index(e.lanes))
    with e.cases(rest, range(1, GROUP)) as sizes:
        for size in sizes:
            body(size, e.builder.mul(count, width))


@emitted
def wide_product(
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
    terms: Any,
    stride: Any,
    columns: Any,
) -> Any:
    """target[q] = bias[q] + sum over k of weights[first + q row_step + k term_step] * source[k].

    q runs over `rows` (at most `ROWS`), k over `terms`; `source` and `target` are where row 0 begins in `tile`.
    """
    index = types.int64
    signature = types.void(
        index, weights, index, index, index, bias, index, tile, index, index, index, index, index
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, w, first, row_step, term_step, b, b_first, t, source, target, terms, stride, columns = args
        e = emitter(context, builder, sig.args[1])
        w = pointer(context, builder, sig.args[1], w)
        b = pointer(context, builder, sig.args[5], b)
        t = pointer(context, builder, sig.args[7], t)

        with e.cases(m, range(1, ROWS + 1)) as sizes:
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
                    for q, line in enumerate(cells):
                        for v, cell in enumerate(line):
                            row = e.offset(target, column, (stride, e.index(q)), e.index(v * e.lanes))
                            e.store(builder.load(cell), t, row)

                _column_groups(e, columns, block)
        return context.get_dummy_value()

    return signature, generate


@emitted
def panel_outer(
    typing: Any,
    rows: Any,
    vectors: Any,
    inside: Any,
    tile: Any,
    deltas: Any,
    stride: Any,
    panels: Any,
    source: Any,
    count: Any,
    gradient: Any,
    first: Any,
    row_step: Any,
    begun: Any,
) -> Any:
    """gradient[first + q row_step + p] (+)= sum over samples of delta[q] * panel[p]; added where `begun`.

    q runs over `rows` (at most `ROWS`); a panel has `vectors` (at most `PANEL`) vectors of features, the last of which
    has `inside` lanes that exist in the gradient. Sample b's features begin at panels[source + b vectors lanes].
    """
    index = types.int64
    signature = types.void(
        index, index, index, tile, index, index, panels, index, index, gradient, index, index, types.boolean
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, n, inside, t, deltas, stride, x, source, count, g, first, row_step, begun = args
        e = emitter(context, builder, sig.args[3])
        t = pointer(context, builder, sig.args[3], t)
        x = pointer(context, builder, sig.args[6], x)
        g = pointer(context, builder, sig.args[9], g)
        mask = builder.icmp_unsigned("<", e.numbering, e.splat_index(inside))
        shape = e.offset(n, (m, e.index(16)))
        pairs = [16 * q + v for q in range(1, ROWS + 1) for v in range(1, PANEL + 1)]
        with e.cases(shape, pairs) as choices:
            for choice in choices:
                size, width = divmod(choice, 16)
                cells = [e.cells(width) for _ in range(size)]

                def place(q: int, v: int) -> Any:
                    return e.offset(first, (row_step, e.index(q)), e.index(v * e.lanes))

                with builder.if_else(begun) as (again, fresh):
                    with again:
                        for q, line in enumerate(cells):
                            for v, cell in enumerate(line):
                                last = mask if v == len(line) - 1 else None
                                builder.store(e.load(g, place(q, v), last), cell)
                    with fresh:
                        for line in cells:
                            for cell in line:
                                builder.store(e.zero, cell)
                with e.loop(count) as b:
                    base = e.offset(source, (b, e.index(width * e.lanes)))
                    xs = [e.load(x, e.offset(base, e.index(v * e.lanes))) for v in range(width)]
                    for q, line in enumerate(cells):
                        d = e.splat(e.number(t, e.offset(deltas, b, (stride, e.index(q)))))
                        for value, cell in zip(xs, line, strict=True):
                            builder.store(e.muladd(d, value, builder.load(cell)), cell)
                for q, line in enumerate(cells):
                    for v, cell in enumerate(line):
                        e.store(builder.load(cell), g, place(q, v), mask if v == width - 1 else None)
        return context.get_dummy_value()

    return signature, generate


@emitted
def flip(typing: Any, rows: Any, source: Any, pitch: Any, target: Any, first: Any, stride: Any) -> Any:
    """target[first + j stride + i] = rows[source + i pitch + j] for i and j below the lanes of a vector."""
    index = types.int64
    signature = types.void(rows, index, index, target, index, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        s, source, pitch, t, first, stride = args
        e = emitter(context, builder, sig.args[0])
        s = pointer(context, builder, sig.args[0], s)
        t = pointer(context, builder, sig.args[3], t)
        lines = [e.load(s, e.offset(source, (pitch, e.index(i)))) for i in range(e.lanes)]
        for j, line in enumerate(e.transposed(lines)):
            e.store(line, t, e.offset(first, (stride, e.index(j))))
        return context.get_dummy_value()

    return signature, generate


@emitted
def copy_row(typing: Any, data: Any, source: Any, count: Any, panels: Any, target: Any, step: Any) -> Any:
    """Spread `count` features from data[source:] over panels, `step` numbers from one panel to the next.

    The features of this sample begin at panels[target] in the first panel. The last panel is as many vectors wide as
    it needs, and the place of a sample in it moves with that width: `target` is a multiple of `PANEL` vectors. Lanes
    past the last feature are zero.
    """
    index = types.int64
    signature = types.void(data, index, index, panels, index, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        s, source, count, t, target, step = args
        e = emitter(context, builder, sig.args[0])
        s = pointer(context, builder, sig.args[0], s)
        t = pointer(context, builder, sig.args[3], t)
        width = e.index(PANEL * e.lanes)
        whole = builder.udiv(count, width)
        with e.loop(whole) as k:
            for v in range(PANEL):
                lane = e.index(v * e.lanes)
                value = e.load(s, e.offset(source, (k, width), lane))
                e.store(value, t, e.offset(target, (k, step), lane))
        rest = builder.urem(count, width)
        vectors = builder.udiv(e.offset(rest, e.index(e.lanes - 1)), e.index(e.lanes))
        # `target` counts in whole panels; a narrower panel's samples lie closer together.
        inner = builder.mul(builder.udiv(target, width), builder.mul(vectors, e.index(e.lanes)))
        with e.loop(vectors) as v:
            lane = builder.mul(v, e.index(e.lanes))
            mask = builder.icmp_signed("<", e.numbering, e.splat_index(builder.sub(rest, lane)))
            value = e.load(s, e.offset(source, (whole, width), lane), mask)
            e.store(value, t, e.offset(inner, (whole, step), lane))
        return context.get_dummy_value()

    return signature, generate


@emitted
def finish_rows(
    typing: Any,
    code: Any,
    tile: Any,
    first: Any,
    outputs: Any,
    rows: Any,
    stride: Any,
    columns: Any,
    slope: Any,
) -> Any:
    """Apply an epilogue to `rows` rows in place; `outputs` is where the activations it may need begin."""
    index = types.int64
    signature = types.void(index, tile, index, index, index, index, index, tile.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        code, t, first, outputs, rows, stride, columns, slope = args
        e = emitter(context, builder, sig.args[1])
        t = pointer(context, builder, sig.args[1], t)
        slope = e.splat(slope)
        vectors = builder.udiv(columns, e.index(e.lanes))
        with e.cases(code, range(1, 6)) as codes:
            for choice in codes:
                with e.loop(rows) as q, e.loop(vectors) as k:
                    row = e.offset((builder.mul(q, stride)), (k, e.index(e.lanes)))
                    where = e.offset(first, row)
                    output = e.load(t, e.offset(outputs, row))
                    e.store(finish(e, choice, e.load(t, where), output, slope), t, where)
        return context.get_dummy_value()

    return signature, generate
