"""The loops of a convolution over one tile: forwards, with or without pooling, and its weights' gradient.

A tile is as many examples as a vector has lanes, so a pixel of a channel is one vector, and rows of pixels are
contiguous. A sum over input channels and kernel places is a sum over `terms`: a table holds how far from an output's
place each term's input lies. The same loop therefore convolves forwards and, with flipped weights, carries a gradient
back. Zeros around an image stand in memory, so no loop knows borders.
"""

from __future__ import annotations

from typing import Any

from numba.core import types

from gradlab.train.kernel.blocks import LEAKY, PLAIN, RELU, finish, pointer
from gradlab.train.kernel.pixels import WIDE, PixelEmitter, emitter
from gradlab.train.kernel.vector import emitted

CHANNELS = 6 if WIDE else 2
"""Output channels that are summed in registers together."""
PIXELS = 4
"""Vectors of pixels that are summed in registers together; a pooled window of 2 x 2 is as many."""
DELTAS, TERMS = (5, 5) if WIDE else (3, 3)
"""Output channels and terms whose weights' gradients are summed in registers together."""


def _summed(
    e: PixelEmitter, packed: Any, table: Any, source: Any, terms: Any, size: int, places: list[Any], bias: Any
) -> list[list[Any]]:
    """Emit sums over terms: for `size` channels and each pixel, whose offsets from the first are `places`."""
    b = e.builder
    cells = [e.cells(len(places)) for _ in range(size)]
    for q, line in enumerate(cells):
        start = e.splat(e.number(bias, e.index(q)))
        for cell in line:
            b.store(start, cell)
    with e.loop(terms) as k:
        base = b.gep(source, [b.load(b.gep(table, [k]))])
        xs = [e.load(base, place) for place in places]
        row = b.gep(packed, [b.mul(k, e.index(size))])
        for q, line in enumerate(cells):
            weight = e.splat(e.number(row, e.index(q)))
            for x, cell in zip(xs, line, strict=True):
                b.store(e.muladd(weight, x, b.load(cell)), cell)
    return [[b.load(cell) for cell in line] for line in cells]


@emitted
def convolve(
    typing: Any,
    rows: Any,
    vectors: Any,
    packed: Any,
    first: Any,
    bias: Any,
    bias_first: Any,
    table: Any,
    table_first: Any,
    terms: Any,
    values: Any,
    source: Any,
    results: Any,
    target: Any,
    plane: Any,
    count: Any,
    epilogue: Any,
    slope: Any,
) -> Any:
    """results[target + q plane + c] = epilogue(bias[q] + sum of packed[k rows + q] * values[source + table[k] + c]).

    k runs over `terms`, q over `rows` (at most `CHANNELS`), c over `count` groups of `vectors` (at most `PIXELS`)
    pixels.
    """
    index = types.int64
    signature = types.void(
        index, index, packed, index, bias, index, table, index, index, values, index, results, index, index, index,
        index, packed.dtype,
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (m, n, w, first, b, b_first, offsets, o_first, terms, t, source, r, target, plane, count, last,
         slope) = args  # fmt: skip
        e = emitter(context, builder, sig.args[2])
        w = builder.gep(pointer(context, builder, sig.args[2], w), [first])
        b = builder.gep(pointer(context, builder, sig.args[4], b), [b_first])
        offsets = builder.gep(pointer(context, builder, sig.args[6], offsets), [o_first])
        t = builder.gep(pointer(context, builder, sig.args[9], t), [source])
        r = builder.gep(pointer(context, builder, sig.args[11], r), [target])
        slope = e.splat(slope)
        shape = e.offset(n, (m, e.index(16)))
        pairs = [16 * q + v for q in range(1, CHANNELS + 1) for v in range(1, PIXELS + 1)]
        with e.cases(shape, pairs) as choices:
            for choice in choices:
                size, width = divmod(choice, 16)
                with e.loop(count) as group:
                    column = builder.mul(group, e.index(width * e.lanes))
                    places = [e.index(v * e.lanes) for v in range(width)]
                    sums = _summed(e, w, offsets, builder.gep(t, [column]), terms, size, places, b)
                    with e.cases(last, (PLAIN, RELU, LEAKY)) as codes:
                        for code in codes:
                            for q, line in enumerate(sums):
                                for place, value in zip(places, line, strict=True):
                                    where = e.offset(column, place, (plane, e.index(q)))
                                    e.store(finish(e, code, value, None, slope), r, where)
        return context.get_dummy_value()

    return signature, generate


@emitted
def convolve_pooled(
    typing: Any,
    rows: Any,
    packed: Any,
    first: Any,
    bias: Any,
    bias_first: Any,
    table: Any,
    table_first: Any,
    terms: Any,
    values: Any,
    source: Any,
    line_step: Any,
    target: Any,
    plane: Any,
    chosen: Any,
    chosen_first: Any,
    chosen_plane: Any,
    count: Any,
    epilogue: Any,
    slope: Any,
) -> Any:
    """Like `convolve`, then the largest of each window of 2 x 2 pixels, and in `chosen` which of the four it was.

    `line_step` lies between lines of the source; `count` windows lie side by side. The activations rise, so the
    largest may be taken before them.
    """
    index = types.int64
    signature = types.void(
        index, packed, index, bias, index, table, index, index, values, index, index, index, index, chosen, index,
        index, index, index, packed.dtype,
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (m, w, first, b, b_first, offsets, o_first, terms, t, source, line_step, target, plane, c, c_first, c_plane,
         count, last, slope) = args  # fmt: skip
        e = emitter(context, builder, sig.args[1])
        w = builder.gep(pointer(context, builder, sig.args[1], w), [first])
        b = builder.gep(pointer(context, builder, sig.args[3], b), [b_first])
        offsets = builder.gep(pointer(context, builder, sig.args[5], offsets), [o_first])
        t = pointer(context, builder, sig.args[8], t)
        r = builder.gep(t, [target])
        t = builder.gep(t, [source])
        c = builder.gep(pointer(context, builder, sig.args[13], c), [c_first])
        slope = e.splat(slope)
        unit = e.index(e.lanes)
        with e.cases(m, range(1, CHANNELS + 1)) as sizes:
            for size in sizes:
                with e.loop(count) as window:
                    base = builder.gep(t, [builder.mul(window, e.index(2 * e.lanes))])
                    places = [e.index(0), unit, line_step, e.offset(line_step, unit)]
                    sums = _summed(e, w, offsets, base, terms, size, places, b)
                    out = builder.mul(window, unit)
                    best: list[Any] = []
                    for q, line in enumerate(sums):
                        value, which = line[0], e.byte(0)
                        for k, other in enumerate(line[1:], start=1):
                            # Larger or NaN: what diverges must not vanish here.
                            wins = builder.not_(builder.fcmp_ordered("<=", other, value))
                            value = builder.select(wins, other, value)
                            which = builder.select(wins, e.byte(k), which)
                        best.append(value)
                        e.store_bytes(which, c, e.offset(out, (c_plane, e.index(q))))
                    with e.cases(last, (PLAIN, RELU, LEAKY)) as codes:
                        for code in codes:
                            for q, value in enumerate(best):
                                where = e.offset(out, (plane, e.index(q)))
                                e.store(finish(e, code, value, None, slope), r, where)
        return context.get_dummy_value()

    return signature, generate


@emitted
def correlate(
    typing: Any,
    rows: Any,
    width: Any,
    deltas: Any,
    delta: Any,
    delta_plane: Any,
    delta_line: Any,
    delta_tile: Any,
    values: Any,
    source: Any,
    table: Any,
    table_first: Any,
    line_step: Any,
    tile_step: Any,
    tiles: Any,
    lines: Any,
    pixels: Any,
    sums: Any,
    sums_first: Any,
) -> Any:
    """sums[q width + p] += deltas[q] * values at term p, lane by lane, over tiles, lines and pixels.

    q runs over `rows` (at most `DELTAS`) channels, p over `width` (at most `TERMS`) terms from `table_first` on.
    """
    index = types.int64
    signature = types.void(
        index, index, deltas, index, index, index, index, values, index, table, index, index, index, index, index,
        index, sums, index,
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (m, n, d, delta, d_plane, d_line, d_tile, t, source, offsets, o_first, x_line, x_tile, tiles, lines, pixels,
         s, s_first) = args  # fmt: skip
        e = emitter(context, builder, sig.args[2])
        d = builder.gep(pointer(context, builder, sig.args[2], d), [delta])
        t = builder.gep(pointer(context, builder, sig.args[7], t), [source])
        offsets = builder.gep(pointer(context, builder, sig.args[9], offsets), [o_first])
        s = builder.gep(pointer(context, builder, sig.args[16], s), [s_first])
        unit = e.index(e.lanes)
        shape = e.offset(n, (m, e.index(16)))
        pairs = [16 * q + p for q in range(1, DELTAS + 1) for p in range(1, TERMS + 1)]
        with e.cases(shape, pairs) as choices:
            for choice in choices:
                size, across = divmod(choice, 16)
                cells = e.cells(size * across)
                for k, cell in enumerate(cells):
                    builder.store(e.load(s, e.index(k * e.lanes)), cell)
                shifts = [builder.load(builder.gep(offsets, [e.index(p)])) for p in range(across)]
                with e.loop(tiles) as tile, e.loop(lines) as line:
                    ds = builder.gep(d, [e.offset(builder.mul(tile, d_tile), (line, d_line))])
                    ts = builder.gep(t, [e.offset(builder.mul(tile, x_tile), (line, x_line))])
                    channels = [builder.gep(ds, [builder.mul(d_plane, e.index(q))]) for q in range(size)]
                    inputs = [builder.gep(ts, [shift]) for shift in shifts]
                    with e.loop(pixels) as pixel:
                        column = builder.mul(pixel, unit)
                        xs = [e.load(inputs[p], column) for p in range(across)]
                        for q in range(size):
                            slope = e.load(channels[q], column)
                            for x, cell in zip(xs, cells[q * across : (q + 1) * across], strict=True):
                                builder.store(e.muladd(slope, x, builder.load(cell)), cell)
                for k, cell in enumerate(cells):
                    e.store(builder.load(cell), s, e.index(k * e.lanes))
        return context.get_dummy_value()

    return signature, generate


@emitted
def fold(
    typing: Any,
    rows: Any,
    width: Any,
    sums: Any,
    sums_first: Any,
    gradient: Any,
    first: Any,
    row_step: Any,
) -> Any:
    """gradient[first + q row_step + p] += the lanes of sums[q width + p], added up; the sums become zero."""
    index = types.int64
    signature = types.void(index, index, sums, index, gradient, index, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        m, n, s, s_first, g, first, row_step = args
        e = emitter(context, builder, sig.args[2])
        s = builder.gep(pointer(context, builder, sig.args[2], s), [s_first])
        g = builder.gep(pointer(context, builder, sig.args[4], g), [first])
        with e.cases(n, range(1, TERMS + 1)) as widths:
            for across in widths:
                with e.loop(m) as q:
                    row = builder.gep(s, [builder.mul(q, e.index(across * e.lanes))])
                    vectors = [e.load(row, e.index(p * e.lanes)) for p in range(across)]
                    line = builder.gep(g, [builder.mul(q, row_step)])
                    for p, total in enumerate(e.sums(vectors)):
                        place = builder.gep(line, [e.index(p)])
                        builder.store(builder.fadd(builder.load(place), total), place)
                        e.store(e.zero, row, e.index(p * e.lanes))
        return context.get_dummy_value()

    return signature, generate
