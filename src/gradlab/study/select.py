"""Which conditions a claim speaks of: `deep`, `model=deep`, `model=deep, batch_size=32`, or a condition's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradlab.study.grammar import GrammarError

__all__ = ["Conditions", "Pair", "Picked", "pairs", "select"]

Conditions = Mapping[str, Mapping[str, str]]
"""Condition names with the level of each factor."""


@dataclass(frozen=True)
class Picked:
    """The conditions that a selector names.

    Attributes:
        names: Condition names in the order of the study.
        factors: Factors that the selector fixes; all of them where it is a condition's own name.
    """

    names: tuple[str, ...]
    factors: frozenset[str]


@dataclass(frozen=True)
class Pair:
    """Two conditions that differ only in what a claim compares.

    Attributes:
        a: The first condition.
        b: The second condition, or `None` where a claim speaks of one.
        setting: The levels of the other factors, as `batch_size=32`; empty where there is one setting.
    """

    a: str
    b: str | None
    setting: str


def select(selector: str, conditions: Conditions) -> Picked:
    """The conditions that `selector` names; every condition where it is empty.

    Args:
        selector: A condition, a level, or `factor=level` once or several times.
        conditions: The conditions of the study.

    Returns:
        At least one condition.

    Raises:
        GrammarError: Nothing has that name, or more than one factor has that level.

    Example:
        >>> grid = {"deep, 32": {"model": "deep", "batch": "32"}, "wide, 32": {"model": "wide", "batch": "32"}}
        >>> select("deep", grid).names
        ('deep, 32',)
        >>> select("model=wide", grid).names
        ('wide, 32',)
    """
    selector = selector.strip()
    factors = {factor for levels in conditions.values() for factor in levels}
    if not selector:
        return Picked(tuple(conditions), frozenset())
    if selector in conditions:
        owners = [factor for factor, level in conditions[selector].items() if level == selector]
        # A level that is also the name of the only condition having it is read as the level.
        return Picked((selector,), frozenset(owners or factors))
    wanted: dict[str, str] = {}
    for part in (part.strip() for part in selector.split(",")):
        factor, _, level = (text.strip() for text in part.partition("="))
        if level:
            if factor not in factors:
                raise GrammarError(factor, "no factor has this name", sorted(factors))
            if level not in (levels := _levels(conditions, factor)):
                raise GrammarError(level, f"{factor} has no such level", levels)
            wanted[factor] = level
        else:
            owners = [name for name in sorted(factors) if part in _levels(conditions, name)]
            if not owners:
                raise GrammarError(part, "no level or condition has this name", _names(conditions))
            if len(owners) > 1:
                choices = [f"{name}={part}" for name in owners]
                raise GrammarError(part, "more than one factor has this level", choices)
            wanted[owners[0]] = part
    names = tuple(
        name
        for name, levels in conditions.items()
        if all(levels.get(factor) == level for factor, level in wanted.items())
    )
    if not names:
        raise GrammarError(selector, "no condition combines these levels", conditions)
    return Picked(names, frozenset(wanted))


def pairs(first: str, second: str | None, conditions: Conditions) -> list[Pair]:
    """Match what two selectors name: conditions are compared where all other factors agree.

    Args:
        first: Selector of the first side.
        second: Selector of the second side; `None` where a claim speaks of one condition at a time.
        conditions: The conditions of the study.

    Returns:
        One pair per setting of the other factors.

    Raises:
        GrammarError: A selector names nothing, or no two conditions match.

    Example:
        >>> grid = {f"{m}, {b}": {"model": m, "batch": b} for m in ("deep", "wide") for b in ("32", "64")}
        >>> [pair.setting for pair in pairs("deep", "wide", grid)]
        ['batch=32', 'batch=64']
    """
    left = select(first, conditions)
    if second is None:
        return [Pair(name, None, _setting(name, left.names, conditions)) for name in left.names]
    right = select(second, conditions)
    free = left.factors | right.factors
    found = [
        (a, b)
        for a in left.names
        for b in right.names
        if a != b
        and (
            (len(left.names) == 1 and len(right.names) == 1)
            or all(
                conditions[a].get(factor) == conditions[b].get(factor)
                for factor in {*conditions[a], *conditions[b]} - free
            )
        )
    ]
    if not found:
        raise GrammarError(f"{first} / {second}", "these name the same condition, or no two that match")
    names = tuple(a for a, _ in found)
    return [Pair(a, b, _setting(a, names, conditions)) for a, b in found]


def _levels(conditions: Conditions, factor: str) -> list[str]:
    return list(dict.fromkeys(levels[factor] for levels in conditions.values() if factor in levels))


def _names(conditions: Conditions) -> list[str]:
    levels = [level for each in conditions.values() for level in each.values()]
    return list(dict.fromkeys([*levels, *conditions]))


def _setting(name: str, among: tuple[str, ...], conditions: Conditions) -> str:
    """The levels in which `name` differs from the other conditions of the comparison."""
    varying = [
        factor for factor in conditions[name] if len({conditions[other].get(factor) for other in among}) > 1
    ]
    if not varying and len(among) > 1:
        return name
    return ", ".join(f"{factor}={conditions[name][factor]}" for factor in varying)
