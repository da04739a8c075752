"""The idx format of MNIST: a magic number, the sizes of the dimensions, then the bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gradlab.task.readers.content import damaged, matches, read_at_most, size_problem

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read_idx"]

_BYTES = 0x08
"""The type code of unsigned bytes, the only one in use."""


def read_idx(path: Path, shape: tuple[int, ...], digests: tuple[str, ...] = ()) -> NDArray[np.uint8]:
    """Read one idx file, plain or compressed by gzip.

    Args:
        path: The file.
        shape: The shape it must have.
        digests: SHA-256 of the whole content, header included; any content will do if there is none.

    Returns:
        The values, `uint8[shape]`.

    Raises:
        EnvironmentProblem: The file cannot be read or is not what it should be.
    """
    header = 4 + 4 * len(shape)
    expected = header + math.prod(shape)
    content = read_at_most(path, expected)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise damaged(path, f"is not an idx file: it begins with {content[:4].hex(' ') or 'nothing'}")
    if content[2] != _BYTES or content[3] != len(shape):
        wanted = f"00 00 08 {len(shape):02x}"
        raise damaged(path, f"has the magic number {content[:4].hex(' ')}, not {wanted}")
    if len(content) < header:
        raise damaged(path, size_problem(len(content), expected))
    found = tuple(np.frombuffer(content[4:header], ">u4").tolist())
    if found != shape:
        raise damaged(path, f"holds {_sizes(found)} values, not {_sizes(shape)}")
    wrong = size_problem(len(content), expected)
    if wrong:
        raise damaged(path, wrong)
    if not matches(content, digests, expected):
        raise damaged(path, "is not the published file: its SHA-256 differs")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
