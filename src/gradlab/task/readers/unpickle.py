"""Pickles read without running anything: only those that hold numbers, texts, lists, dicts and byte arrays.

A pickle is a program, and loading one can do whatever its author wants. The batches of the CIFAR archives for
Python are pickles all the same. So every instruction is looked at first, and the few functions that such a batch
names are replaced by stand-ins that only collect what they are given.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["UnsafePickle", "load_arrays"]

_LARGEST_MEMO = 1_000_000


class UnsafePickle(ValueError):
    """A pickle that asks for more than plain data."""


class _Array:
    """Stands for an array until its state is known."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def values(self) -> NDArray[np.uint8]:
        """The array, of bytes only.

        Raises:
            UnsafePickle: It is anything else.
        """
        match self.state:
            case (int(), (int() as rows, int() as width), _Bytes(), False | 0, bytes() as content) if (
                rows >= 0 and width >= 0 and rows * width == len(content)
            ):
                return np.frombuffer(content, np.uint8).reshape(rows, width)
            case _:
                raise UnsafePickle("holds an array that is not a table of bytes")


class _Bytes:
    """Stands for the dtype of bytes; what its state says beyond that is of no use."""

    def __setstate__(self, state: object) -> None:
        pass


def _reconstruct(*given: object) -> _Array:
    return _Array()


def _dtype(name: object, *given: object) -> _Bytes:
    if name not in {"u1", b"u1", "uint8", b"uint8"}:
        raise UnsafePickle(f"holds an array of type {name!r}, not of bytes")
    return _Bytes()


def _encode(text: object, encoding: object = None) -> bytes:
    if not isinstance(text, str) or encoding not in {"latin1", "latin-1"}:
        raise UnsafePickle("encodes a text in an unknown way")
    return text.encode("latin-1")


_ALLOWED: Final[dict[tuple[str, str], Callable[..., object]]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _reconstruct,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
}
"""What a batch may name, and what is called in its place."""

_PLAIN: Final = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP",
    "NONE", "NEWTRUE", "NEWFALSE",
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "EMPTY_LIST", "APPEND", "APPENDS", "LIST",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS",
    "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
})  # fmt: skip
"""The instructions that build plain data, and those that call a stand-in."""


class _StandIn:
    """A function that a pickle may call and nothing else: setting its attributes is refused."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *given: object) -> object:
        return self._function(*given)

    def __setstate__(self, state: object) -> None:
        raise UnsafePickle("changes a function, which is refused")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get((module, name))
        if found is None:
            raise UnsafePickle(f"asks for {module}.{name}, which is refused")
        return _StandIn(found)


def load_arrays(content: bytes) -> dict[str, Any]:
    r"""The dict in a pickle: byte arrays as NumPy arrays, everything else as plain Python data.

    Args:
        content: The pickle, of any protocol and of Python 2 or 3.

    Returns:
        The values by key, with keys as text.

    Raises:
        UnsafePickle: The pickle is damaged, or asks for anything beyond plain data.

    Example:
        >>> load_arrays(pickle.dumps({"labels": [3, 8]}))
        {'labels': [3, 8]}
        >>> load_arrays(b"cos\nsystem\n(S'true'\ntR.")
        Traceback (most recent call last):
        gradlab.task.readers.unpickle.UnsafePickle: asks for os.system, which is refused
    """
    _look_through(content)
    try:
        found: object = _Reader(io.BytesIO(content), encoding="bytes").load()
    except UnsafePickle:
        raise
    except Exception as error:  # damaged pickles raise whatever their remains call for
        raise UnsafePickle(f"is damaged: {type(error).__name__}: {error}") from None
    if not isinstance(found, dict):
        raise UnsafePickle(f"holds a {type(found).__name__}, not a dict")
    return {_text(key): _plain(value) for key, value in cast("dict[object, object]", found).items()}


def _look_through(content: bytes) -> None:
    """Every instruction before the first is carried out."""
    try:
        for instruction, argument, _ in pickletools.genops(content):
            if instruction.name not in _PLAIN:
                raise UnsafePickle(f"contains the instruction {instruction.name}, which is refused")
            if instruction.name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in _ALLOWED:
                raise UnsafePickle(f"asks for {str(argument).replace(' ', '.')}, which is refused")
            # a single entry with a large number would claim memory for all before it
            if instruction.name in {"PUT", "LONG_BINPUT"} and int(str(argument)) > _LARGEST_MEMO:
                raise UnsafePickle("claims more memory than it can need")
    except UnsafePickle:
        raise
    except Exception as error:
        raise UnsafePickle(f"is not a pickle, or cut short: {error}") from None


def _text(key: object) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)


def _plain(value: object) -> Any:
    return value.values() if isinstance(value, _Array) else value
