"""Long work in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["pieces"]


def pieces(count: int, at_once: int) -> Iterator[slice]:
    """The places 0 to `count`, cut into consecutive pieces.

    Args:
        count: How many there are.
        at_once: Places in a piece, at least 1; the last piece has what is left.

    Returns:
        Slices that meet each place once, none of them empty.

    Example:
        >>> list(pieces(5, 2))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return (slice(first, min(first + at_once, count)) for first in range(0, count, at_once))
