"""Machine code that outlives the process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradlab.train.kernel.vector import BLOCK, GROUP, STRIP, VECTOR_BYTES, compiled


def _fingerprint() -> str:
    """Changes with any source of the kernel and with the shape of its blocks."""
    digest = hashlib.sha256(repr((BLOCK, STRIP, GROUP, VECTOR_BYTES)).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def cached(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use and keep the result on disk where a place for it can be written.

    Numba's cache watches the file of the cached function alone, and cannot even read an index that names a class
    which has moved since. The qualified name is part of the cache's file name, so it carries all the sources.

    Args:
        function: a compiled entry point.

    Returns:
        Its dispatcher.
    """
    function.__qualname__ = f"{function.__name__}_{_fingerprint()}"
    try:
        return compiled(function, cache=True)
    except RuntimeError:  # numba finds no writable place for its cache
        return compiled(function)
