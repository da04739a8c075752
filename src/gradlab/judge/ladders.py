"""Conditions in the order of a factor, and the replicates that they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.judge.data import Data, Values
from gradlab.judge.evidence import Array

__all__ = ["Ladder", "by_replicate", "ladders", "setting_of"]


@dataclass(frozen=True)
class Ladder:
    """The conditions along a factor at one setting of the others.

    Attributes:
        names: Their names, in the order of the levels.
        levels: The factor's level of each.
        setting: The levels of the other factors; empty where there is one ladder.
    """

    names: tuple[str, ...]
    levels: tuple[str, ...]
    setting: str


def ladders(factor: str, names: Sequence[str], data: Data) -> list[Ladder]:
    """The conditions sorted into ladders, one for each setting of the other factors.

    Args:
        factor: The factor whose levels are the rungs.
        names: Names of the conditions.
        data: The runs.

    Returns:
        The ladders, as their first conditions come.
    """
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name in names:
        rest = tuple(sorted((key, level) for key, level in data.conditions[name].items() if key != factor))
        groups.setdefault(rest, []).append(name)
    many = len(groups) > 1
    return [
        Ladder(
            tuple(group),
            tuple(data.conditions[name][factor] for name in group),
            ", ".join(f"{key}={level}" for key, level in rest) if many else "",
        )
        for rest, group in groups.items()
    ]


def by_replicate(samples: Sequence[Values]) -> Array:
    """The values of the replicates that every condition has: `[replicates, conditions]`."""
    common: NDArray[np.int64] = samples[0].replicates
    for each in samples[1:]:
        common = np.intersect1d(common, each.replicates)
    return np.stack([each.values[np.isin(each.replicates, common)] for each in samples], axis=1)


def setting_of(name: str, names: Sequence[str]) -> str:
    """What tells a finding on one condition from its neighbours: the name, where there are several."""
    return name if len(names) > 1 else ""
