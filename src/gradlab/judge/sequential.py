"""Looking more than once: what each look at a growing study may spend.

The error rate of each direction is 5 % over everything that is ever done with a study. Half of it, 2.5 %, is
spent on the verdict at the declared number of replicates (hence the 95 % intervals), and the k-th extension
spends 2.5 % x 2^-k. However often a study is extended, the sum stays below 5 %. In between there is no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["ALPHA", "TOTAL", "alpha_of_look", "extensions"]

TOTAL: Final = 0.05
"""The largest rate of false 'supported', and of false 'contradicted', extensions included."""

ALPHA: Final = TOTAL / 2
"""What the verdict at the declared number of replicates spends on each direction."""


def alpha_of_look(extension: int) -> float:
    """The error rate that a look spends on each direction.

    Args:
        extension: 0 at the declared number of replicates, k at the k-th extension.

    Returns:
        `ALPHA * 2**-extension`.

    Raises:
        ValueError: `extension` is negative.

    Example:
        >>> [alpha_of_look(k) for k in range(3)]
        [0.025, 0.0125, 0.00625]
    """
    if extension < 0:
        raise ValueError("extensions are counted from 0")
    return ALPHA * 2.0**-extension


def extensions(n: int, looks: Iterable[int]) -> int:
    """How many times a study of `n` replicates has been extended after a verdict.

    Args:
        n: Replicates now.
        looks: Numbers of replicates at which a verdict was taken before.

    Returns:
        The number of different earlier looks at fewer replicates; a second look at the same data is free.

    Example:
        >>> extensions(40, [10, 20, 20, 40])
        2
    """
    return len({look for look in looks if look < n})
