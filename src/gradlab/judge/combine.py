"""From single tests to compound claims and whole reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradlab.judge.evidence import Array, Evidence

__all__ = ["all_of", "holm", "not_", "two_sided_equivalence"]


def all_of(parts: Sequence[Evidence]) -> Evidence:
    """Every part holds (intersection-union test).

    Null against it: at least one part is at its own null, so each must be supported at the full level. Null for
    it: every part is true, so 'contradicted' takes the smallest p-value times the number of parts.

    Args:
        parts: Evidence on each part, `[S]`.

    Returns:
        Evidence on the conjunction.

    Raises:
        ValueError: There is no part.
    """
    if not parts:
        raise ValueError("all_of needs at least one claim")
    count = len(parts)
    return Evidence(
        p_for=np.maximum.reduce([part.p_for for part in parts]),
        p_against=np.minimum(1.0, count * np.minimum.reduce([part.p_against for part in parts])),
        floor_for=np.maximum.reduce([part.floor_for for part in parts]),
        floor_against=np.minimum(1.0, count * np.minimum.reduce([part.floor_against for part in parts])),
    )


def not_(part: Evidence) -> Evidence:
    """The opposite of a claim: both directions change places.

    Args:
        part: Evidence on the claim.

    Returns:
        Evidence on its negation.
    """
    return part.negated()


def two_sided_equivalence(above_lower: Evidence, below_upper: Evidence) -> Evidence:
    """A difference lies inside a margin: two one-sided tests (D. J. Schuirmann 1987).

    Null: the difference lies on the margin.

    Args:
        above_lower: Evidence that it lies above the lower end.
        below_upper: Evidence that it lies below the upper end.

    Returns:
        Evidence on equivalence; against it speaks a difference clearly outside, either end counted twice.
    """
    return all_of([above_lower, below_upper])


def holm(p: Sequence[float]) -> Array:
    """Adjusted p-values of a family, S. Holm's step-down method (1979).

    Args:
        p: P-values of all claims of the family; a missing one is given as 1.

    Returns:
        Adjusted p-values in the same order: the family-wise error is below alpha where they are.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)
    scaled = values[order] * (len(values) - np.arange(len(values)))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled)) if len(values) else scaled
    return adjusted
