"""The loops of pooling over one tile, and the way back from a pooled gradient to the pixels it came from."""

from __future__ import annotations

from typing import Any

from numba.core import types

from gradlab.train.kernel.blocks import LEAKY_SLOPE, PLAIN, RELU_SLOPE, TANH_SLOPE, finish, pointer
from gradlab.train.kernel.pixels import emitter
from gradlab.train.kernel.vector import emitted


@emitted
def pool_line(
    typing: Any,
    window: Any,
    values: Any,
    source: Any,
    line_step: Any,
    target: Any,
    chosen: Any,
    chosen_first: Any,
    pixels: Any,
) -> Any:
    """The largest value of each of `pixels` squares of side `window`, and which it was, the first of equals."""
    index = types.int64
    signature = types.void(index, values, index, index, index, chosen, index, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        side, t, source, line_step, target, c, c_first, pixels = args
        e = emitter(context, builder, sig.args[1])
        t = pointer(context, builder, sig.args[1], t)
        c = builder.gep(pointer(context, builder, sig.args[5], c), [c_first])
        unit = e.index(e.lanes)
        best, which = e.cells(1)[0], e.byte_cell()
        with e.loop(pixels) as pixel:
            corner = e.offset(source, (pixel, builder.mul(side, unit)))
            builder.store(e.load(t, corner), best)
            builder.store(e.byte(0), which)
            with e.loop(side) as i, e.loop(side) as j:
                other = e.load(t, e.offset(corner, (i, line_step), (j, unit)))
                # Larger or NaN: what diverges must not vanish here.
                wins = builder.not_(builder.fcmp_ordered("<=", other, builder.load(best)))
                builder.store(builder.select(wins, other, builder.load(best)), best)
                place = e.splat_byte(e.offset(j, (i, side)))
                builder.store(builder.select(wins, place, builder.load(which)), which)
            column = builder.mul(pixel, unit)
            e.store(builder.load(best), t, e.offset(target, column))
            e.store_bytes(builder.load(which), c, column)
        return context.get_dummy_value()

    return signature, generate


@emitted
def unpool_line(
    typing: Any,
    window: Any,
    deltas: Any,
    delta: Any,
    chosen: Any,
    chosen_first: Any,
    target: Any,
    line_step: Any,
    pixels: Any,
) -> Any:
    """Write each pooled gradient where its value came from in the square, and zeros beside it."""
    index = types.int64
    signature = types.void(index, deltas, index, chosen, index, index, index, index)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        side, d, delta, c, c_first, target, line_step, pixels = args
        e = emitter(context, builder, sig.args[1])
        d = pointer(context, builder, sig.args[1], d)
        c = builder.gep(pointer(context, builder, sig.args[3], c), [c_first])
        unit = e.index(e.lanes)
        with e.loop(pixels) as pixel:
            column = builder.mul(pixel, unit)
            value, which = e.load(d, e.offset(delta, column)), e.load_bytes(c, column)
            corner = e.offset(target, (column, side))
            with e.loop(side) as i, e.loop(side) as j:
                mine = builder.icmp_unsigned("==", which, e.splat_byte(e.offset(j, (i, side))))
                part = builder.select(mine, value, e.zero)
                e.store(part, d, e.offset(corner, (i, line_step), (j, unit)))
        return context.get_dummy_value()

    return signature, generate


@emitted
def spread(
    typing: Any,
    window: Any,
    deltas: Any,
    delta: Any,
    chosen: Any,
    chosen_first: Any,
    values: Any,
    outputs: Any,
    outputs_line: Any,
    results: Any,
    target: Any,
    target_line: Any,
    lines: Any,
    pixels: Any,
    sums: Any,
    sums_first: Any,
    epilogue: Any,
    slope: Any,
) -> Any:
    """The gradient of a convolution's sums, from that of its activations, pooled 2 x 2 (`window` 2) or not (1).

    Lines of `deltas` lie behind each other, those of the activations `outputs_line` apart and those of the result
    `target_line`. The gradient is also added up, lane by lane, in `sums`: that of the bias.
    """
    index = types.int64
    signature = types.void(
        index, deltas, index, chosen, index, values, index, index, results, index, index, index, index, sums, index,
        index, deltas.dtype,
    )  # fmt: skip

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (side, d, delta, c, c_first, t, outputs, outputs_line, r, target, target_line, lines, pixels, s, s_first, last,
         slope) = args  # fmt: skip
        e = emitter(context, builder, sig.args[1])
        d = builder.gep(pointer(context, builder, sig.args[1], d), [delta])
        c = builder.gep(pointer(context, builder, sig.args[3], c), [c_first])
        t = builder.gep(pointer(context, builder, sig.args[5], t), [outputs])
        r = builder.gep(pointer(context, builder, sig.args[8], r), [target])
        s = pointer(context, builder, sig.args[13], s)
        slope = e.splat(slope)
        unit = e.index(e.lanes)
        total = e.cells(1)[0]
        builder.store(e.load(s, s_first), total)
        shape = e.offset(last, (side, e.index(8)))
        pairs = [8 * k + code for k in (1, 2) for code in (PLAIN, RELU_SLOPE, LEAKY_SLOPE, TANH_SLOPE)]
        with e.cases(shape, pairs) as choices:
            for choice in choices:
                window, code = divmod(choice, 8)
                with e.loop(lines) as line, e.loop(pixels) as pixel:
                    column = builder.mul(pixel, unit)
                    place = e.offset(column, (line, builder.mul(pixels, unit)))
                    output = e.load(t, e.offset(column, (line, outputs_line))) if code else None
                    value = finish(e, code, e.load(d, place), output, slope)
                    builder.store(builder.fadd(builder.load(total), value), total)
                    corner = e.offset(
                        builder.mul(line, builder.mul(target_line, e.index(window))),
                        (column, e.index(window)),
                    )
                    if window == 1:
                        e.store(value, r, corner)
                        continue
                    which = e.load_bytes(c, place)
                    for i in range(window):
                        for j in range(window):
                            mine = builder.icmp_unsigned("==", which, e.byte(i * window + j))
                            where = e.offset(corner, (target_line, e.index(i)), e.index(j * e.lanes))
                            e.store(builder.select(mine, value, e.zero), r, where)
        e.store(builder.load(total), s, s_first)
        return context.get_dummy_value()

    return signature, generate
