"""What image code emits beyond plain vectors: bytes beside them, which say where a maximum was."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from gradlab.train.kernel.vector import VECTOR_BYTES, Emitter

WIDE = VECTOR_BYTES >= 64
"""Whether the machine has many wide registers (AVX-512), so that larger blocks fit."""

_BYTE = ir.IntType(8)


class PixelEmitter(Emitter):
    """An emitter that also knows vectors of bytes, one byte for each lane."""

    @property
    def _bytes(self) -> Any:
        return ir.VectorType(_BYTE, self.lanes)

    def byte(self, value: int) -> Any:
        """A byte in every lane."""
        return ir.Constant(self._bytes, [ir.Constant(_BYTE, value)] * self.lanes)

    def splat_byte(self, number: Any) -> Any:
        """A byte, given as an index, in every lane."""
        one = self.builder.insert_element(
            ir.Constant(self._bytes, ir.Undefined), self.builder.trunc(number, _BYTE), ir.IntType(32)(0)
        )
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        return self.builder.shuffle_vector(one, ir.Constant(self._bytes, ir.Undefined), mask)

    def byte_cell(self) -> Any:
        """Room for a vector of bytes."""
        return cgutils.alloca_once(self.builder, self._bytes)

    def load_bytes(self, pointer: Any, index: Any) -> Any:
        """Load the bytes that start at `pointer[index]`."""
        address = self.builder.bitcast(self.builder.gep(pointer, [index]), self._bytes.as_pointer())
        return self.builder.load(address, align=1)

    def store_bytes(self, value: Any, pointer: Any, index: Any) -> None:
        """Store bytes so that they start at `pointer[index]`."""
        address = self.builder.bitcast(self.builder.gep(pointer, [index]), self._bytes.as_pointer())
        self.builder.store(value, address, align=1)


def emitter(context: Any, builder: Any, kind: Any) -> PixelEmitter:
    """An emitter for an array argument's numbers."""
    return PixelEmitter(builder, context.get_data_type(kind.dtype))
