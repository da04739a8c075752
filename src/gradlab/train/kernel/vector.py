"""Vectors of the machine's width, as LLVM IR: the vocabulary of the hand-blocked loops.

Numba's loop vectoriser is good at long flat loops and poor at the short ones inside a small network. The loops
that matter are therefore emitted directly on vector values; everything else stays ordinary Numba.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic

FASTMATH = {"reassoc", "contract", "nsz", "arcp"}
"""Liberties for compiled arithmetic. Never `nnan` or `ninf`: a divergence must stay visible as NaN."""


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile as part of each caller, so that the vector code inside is optimised once and not at every level."""
    return njit(nogil=True, fastmath=FASTMATH, error_model="numpy", inline="always")(function)


def compiled(function: Callable[..., Any], cache: bool = False) -> Callable[..., Any]:
    """Compile with these liberties, without the interpreter's lock, and with IEEE division.

    Args:
        function: what to compile, on its first call.
        cache: keep the machine code on disk.

    Returns:
        The dispatcher. Python's check for division by zero would keep a loop from being vectorised.
    """
    return njit(cache=cache, nogil=True, fastmath=FASTMATH, error_model="numpy")(function)


def emitted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that compiled code can call from one that emits its body."""
    return intrinsic(function)


_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)


def _registers() -> tuple[int, int]:
    """Bytes in a vector register of this machine, and how many registers there are."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return 64, 32
    if features.get("avx"):
        return 32, 16
    if features.get("neon"):
        return 16, 32
    return 16, 16


VECTOR_BYTES, _REGISTERS = _registers()
BLOCK = 5 if _REGISTERS >= 32 else 3
"""Rows (of weights or activations) that one block keeps in registers together."""
STRIP = 3 if _REGISTERS >= 32 else 2
"""Rows of activations that meet `BLOCK` rows of deltas in registers: a block of weights' gradients, one vector sums."""
GROUP = 4 if _REGISTERS >= 32 else 2
"""Vectors of batch columns that one block keeps in registers together."""


def lanes(itemsize: int) -> int:
    """How many numbers of `itemsize` bytes one vector holds.

    >>> lanes(4) == 2 * lanes(8)
    True
    """
    return VECTOR_BYTES // itemsize


class Emitter:
    """Emits vector instructions for one element type into one function.

    Args:
        builder: where instructions go.
        element: `float` or `double`.
    """

    def __init__(self, builder: Any, element: Any) -> None:
        self.builder = builder
        self.element = element
        self.double = isinstance(element, ir.DoubleType)
        self.itemsize = 8 if self.double else 4
        self.lanes = lanes(self.itemsize)
        self.vector = ir.VectorType(element, self.lanes)
        self.zero = ir.Constant(self.vector, None)

    def constant(self, value: float) -> Any:
        """A vector of one number."""
        return ir.Constant(self.vector, [ir.Constant(self.element, value)] * self.lanes)

    def index(self, value: int) -> Any:
        """An index constant."""
        return ir.Constant(_INDEX, value)

    def offset(self, base: Any, *terms: tuple[Any, Any] | Any) -> Any:
        """`base` plus each term; a pair is a product."""
        for term in terms:
            step = self.builder.mul(*term) if isinstance(term, tuple) else term
            base = self.builder.add(base, step)
        return base

    def number(self, pointer: Any, index: Any) -> Any:
        """Load the number at `pointer[index]`."""
        return self.builder.load(self.builder.gep(pointer, [index]))

    def load(self, pointer: Any, index: Any, mask: Any = None) -> Any:
        """Load the vector that starts at `pointer[index]`; lanes outside a mask are zero and are not read."""
        address = self._address(pointer, index)
        if mask is None:
            return self.builder.load(address, align=self.itemsize)
        function = self._masked("load", self.vector, [address.type, _LANE, mask.type, self.vector])
        return self.builder.call(function, [address, _LANE(self.itemsize), mask, self.zero])

    def store(self, value: Any, pointer: Any, index: Any, mask: Any = None) -> None:
        """Store a vector so that it starts at `pointer[index]`; lanes outside a mask are not written."""
        address = self._address(pointer, index)
        if mask is None:
            self.builder.store(value, address, align=self.itemsize)
        else:
            function = self._masked("store", ir.VoidType(), [self.vector, address.type, _LANE, mask.type])
            self.builder.call(function, [value, address, _LANE(self.itemsize), mask])

    def _address(self, pointer: Any, index: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(pointer, [index]), self.vector.as_pointer())

    def _masked(self, what: str, result: Any, arguments: list[Any]) -> Any:
        name = f"llvm.masked.{what}.v{self.lanes}f{8 * self.itemsize}.p0"
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, arguments), name)

    def splat(self, number: Any) -> Any:
        """A vector whose lanes all hold `number`."""
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), number, _LANE(0))
        mask = ir.Constant(ir.VectorType(_LANE, self.lanes), None)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask)

    @property
    def numbering(self) -> Any:
        """The vector 0, 1, 2, ... of indices."""
        return ir.Constant(ir.VectorType(_INDEX, self.lanes), list(range(self.lanes)))

    def splat_index(self, index: Any) -> Any:
        """A vector whose lanes all hold one index."""
        kind = ir.VectorType(_INDEX, self.lanes)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), index, _LANE(0))
        mask = ir.Constant(ir.VectorType(_LANE, self.lanes), None)
        return self.builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), mask)

    def muladd(self, a: Any, b: Any, c: Any) -> Any:
        """`a * b + c`, fused where the machine can."""
        product = self.builder.fmul(a, b, flags=("contract",))
        return self.builder.fadd(product, c, flags=("contract",))

    def cells(self, count: int) -> list[Any]:
        """Room for `count` vectors; the compiler turns these cells into registers."""
        return [cgutils.alloca_once(self.builder, self.vector) for _ in range(count)]

    def sums(self, vectors: Sequence[Any]) -> list[Any]:
        """The sum over lanes of each vector, in a fixed order of additions.

        Vectors are folded in pairs, so that n sums cost about 3n instructions and not n log(lanes).
        """
        position, per = _bit_reversed(self.lanes), self.lanes
        folded = [self._folded(vectors[start : start + per]) for start in range(0, len(vectors), per)]
        return [
            self.builder.extract_element(folded[k // per], _LANE(position[k % per]))
            for k in range(len(vectors))
        ]

    def sum_vector(self, vectors: Sequence[Any]) -> Any:
        """The same sums of up to `lanes` vectors, in the lanes of one vector; the other lanes mean nothing."""
        folded = self._folded(vectors)
        mask = ir.Constant(ir.VectorType(_LANE, self.lanes), _bit_reversed(self.lanes))
        return self.builder.shuffle_vector(folded, folded, mask)

    def _folded(self, vectors: Sequence[Any]) -> Any:
        level, width = list(vectors), self.lanes
        while width > 1:
            if len(level) % 2:
                level.append(level[-1] if len(level) == 1 else self.zero)
            width //= 2
            level = [self._fold(a, b, width) for a, b in zip(level[::2], level[1::2], strict=True)]
        return level[0]

    def _fold(self, a: Any, b: Any, half: int) -> Any:
        """One vector with the half-sums of `a` and of `b`, in alternating runs of `half` lanes."""
        low: list[int] = []
        high: list[int] = []
        for start in range(0, self.lanes, 2 * half):
            low += [start + k for k in range(half)] + [self.lanes + start + k for k in range(half)]
            high += [start + half + k for k in range(half)]
            high += [self.lanes + start + half + k for k in range(half)]
        kind = ir.VectorType(_LANE, self.lanes)
        parts = [self.builder.shuffle_vector(a, b, ir.Constant(kind, mask)) for mask in (low, high)]
        return self.builder.fadd(*parts)

    def transposed(self, vectors: Sequence[Any]) -> list[Any]:
        """As many vectors as each has lanes, lane i of vector j at lane j of vector i."""
        lines, half = list(vectors), self.lanes // 2
        kind = ir.VectorType(_LANE, self.lanes)
        while half:
            low = [k if not k & half else self.lanes + k - half for k in range(self.lanes)]
            high = [k + half if not k & half else self.lanes + k for k in range(self.lanes)]
            for first in range(self.lanes):
                if not first & half:
                    pair = lines[first], lines[first + half]
                    lines[first], lines[first + half] = (
                        self.builder.shuffle_vector(*pair, ir.Constant(kind, mask)) for mask in (low, high)
                    )
            half //= 2
        return lines

    @contextmanager
    def loop(self, count: Any) -> Generator[Any]:
        """Repeat the body for index 0 to `count` - 1."""
        with cgutils.for_range(self.builder, count, intp=_INDEX) as loop:
            yield loop.index

    @contextmanager
    def cases(self, value: Any, choices: Sequence[int]) -> Generator[Iterator[int]]:
        """A switch: iterate over the choices and emit each one's body."""
        end = self.builder.append_basic_block("cases.end")
        blocks = [self.builder.append_basic_block(f"case.{choice}") for choice in choices]
        switch = self.builder.switch(value, end)
        for choice, block in zip(choices, blocks, strict=True):
            switch.add_case(ir.Constant(value.type, choice), block)

        def walk() -> Iterator[int]:
            for choice, block in zip(choices, blocks, strict=True):
                self.builder.position_at_end(block)
                yield choice
                self.builder.branch(end)

        yield walk()
        self.builder.position_at_end(end)

    def tanh(self, x: Any) -> Any:
        """Hyperbolic tangent within about 3 units in the last place, by e^{2|x|} - 1.

        With t = 2|x| = k ln 2 + r, e^t - 1 = 2^k (e^r - 1) + (2^k - 1), where |r| <= ln(2)/2 and e^r - 1 is its
        Taylor polynomial; then tanh|x| = (e^t - 1) / (e^t + 1). NaN stays NaN.
        """
        b = self.builder
        bits = ir.IntType(64 if self.double else 32)
        integers = ir.VectorType(bits, self.lanes)
        mantissa, bias, degree, limit = (52, 1023, 13, 40.0) if self.double else (23, 127, 8, 20.0)
        # ln 2 in two parts, the first with trailing zeros so that k * high is exact.
        high, low = (
            (0.6931471803691238, 1.9082149292705877e-10) if self.double else (0.693359375, -2.12194440e-4)
        )

        def const(value: int) -> Any:
            return ir.Constant(integers, [ir.Constant(bits, value)] * self.lanes)

        raw = b.bitcast(x, integers)
        sign = b.and_(raw, const(-(1 << (bits.width - 1))))
        magnitude = b.bitcast(b.and_(raw, const((1 << (bits.width - 1)) - 1)), self.vector)
        t = b.fadd(magnitude, magnitude)
        t = b.select(b.fcmp_ordered(">", t, self.constant(limit)), self.constant(limit), t)
        # The exponent must not be computed from NaN: a float to integer conversion of NaN has no value.
        known = b.select(b.fcmp_ordered("ord", t, t), t, self.zero)
        k = b.fptosi(self.muladd(known, self.constant(1.4426950408889634), self.constant(0.5)), integers)
        turns = b.sitofp(k, self.vector)
        r = self.muladd(turns, self.constant(-high), t)
        r = self.muladd(turns, self.constant(-low), r)
        series = self.constant(_inverse_factorial(degree))
        for power in range(degree - 1, 0, -1):
            series = self.muladd(series, r, self.constant(_inverse_factorial(power)))
        scale = b.bitcast(b.shl(b.add(k, const(bias)), const(mantissa)), self.vector)
        minus = b.fadd(b.fmul(scale, b.fmul(series, r)), b.fadd(scale, self.constant(-1.0)))
        value = b.fdiv(minus, b.fadd(minus, self.constant(2.0)))
        return b.bitcast(b.or_(b.bitcast(value, integers), sign), self.vector)


def _inverse_factorial(n: int) -> float:
    value = 1.0
    for k in range(2, n + 1):
        value /= k
    return value


def _bit_reversed(n: int) -> list[int]:
    """Where repeated pairwise folding of n vectors leaves the sum of each."""
    order = [0]
    while len(order) < n:
        order = [2 * k for k in order] + [2 * k + 1 for k in order]
    return order
