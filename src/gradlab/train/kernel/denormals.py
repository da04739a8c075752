"""Denormal numbers flushed to zero while the kernel runs.

Under weight decay the weights and moments of a dead network shrink without end, and arithmetic on numbers below
the smallest normal one (1e-38 in float32) takes a processor's slow path: such a run would cost fifteen times as
much as its neighbours. A value that small has no effect that anybody could measure.
"""

from __future__ import annotations

import platform
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import njit, types

from gradlab.train.kernel.vector import emitted

__all__ = ["flushed"]

_X86 = platform.machine().lower() in {"x86_64", "amd64"}
_FLUSH = 0x8040
"""Bits of the x86 control register MXCSR: results flushed to zero, operands read as zero."""


def _through_memory(builder: Any, name: str, value: Any = None) -> Any:
    """Call an intrinsic that reads or writes the control register by way of memory."""
    word = ir.IntType(32)
    place = builder.alloca(word)
    if value is not None:
        builder.store(value, place)
    pointer = ir.IntType(8).as_pointer()
    function = builder.module.declare_intrinsic(name, fnty=ir.FunctionType(ir.VoidType(), [pointer]))
    builder.call(function, [builder.bitcast(place, pointer)])
    return builder.load(place)


@emitted
def _read(typingctx: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _through_memory(builder, "llvm.x86.sse.stmxcsr")

    return types.int32(), emit


@emitted
def _write(typingctx: Any, value: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _through_memory(builder, "llvm.x86.sse.ldmxcsr", arguments[0])
        return context.get_dummy_value()

    return types.void(types.int32), emit


@njit(cache=True)
def _mode() -> Any:
    return _read()


@njit("void(int32)", cache=True)
def _set_mode(value: Any) -> None:
    _write(value)


@contextmanager
def flushed() -> Generator[None]:
    """Flush denormals to zero in this thread until the block ends; a no-op where the processor is not an x86.

    Yields:
        Nothing.
    """
    if not _X86:
        yield
        return
    before = _mode()
    _set_mode(before | _FLUSH)
    try:
        yield
    finally:
        _set_mode(before)
