"""From a declaration to its conditions: factors cross, zipped ones go together, settings vary one at a time."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gradlab.component import Component, level_name, replace, walk
from gradlab.errors import Problem, StudyError, nearest
from gradlab.study.problems import problems_of

if TYPE_CHECKING:
    from gradlab.study.study import Study

__all__ = [
    "BASE_SETTING",
    "CONDITION",
    "SETTINGS",
    "Combination",
    "Factor",
    "combinations",
    "factors",
    "settings",
]

SETTINGS = (
    "task",
    "model",
    "optimizer",
    "schedule",
    "epochs",
    "batch_size",
    "shuffle",
    "loss",
    "objective",
    "stop",
    "reset_optimizer",
    "keep",
    "initial",
    "dtype",
    "precision",
    "validation",
)
"""The fields that may be factors."""

CONDITION = "condition"
"""The factor that explicitly named conditions make."""

BASE_SETTING = "as declared"
"""The setting in which nothing assumed was changed."""


@dataclass(frozen=True)
class Factor:
    """A field that takes several values.

    Attributes:
        path: Its key path.
        levels: (name, value) pairs.
    """

    path: str
    levels: tuple[tuple[str, Any], ...]

    def shown(self, level: str) -> str:
        """The level as a condition's name holds it: `deep`, or `lr=0.01` where the name is just the value."""
        value = dict(self.levels)[level]
        bare = not isinstance(value, Component) and level == level_name(value) and not isinstance(value, str)
        return f"{self.path.rpartition('.')[2]}={level}" if bare else level


@dataclass(frozen=True)
class Combination:
    """One combination of levels.

    Attributes:
        label: The condition's name.
        levels: The level of each factor.
        fields: The settings at these levels, without factors.
    """

    label: str
    levels: Mapping[str, str]
    fields: Mapping[str, Any]


def factors(study: Study) -> list[Factor]:
    """The factors of a study in the order of its fields; explicitly named conditions come first."""
    found = [
        Factor(path, vary.levels) for name in SETTINGS for path, vary in walk(getattr(study, name), name)
    ]
    if study.conditions:
        found.insert(0, Factor(CONDITION, tuple(study.conditions.items())))
    return found


def combinations(study: Study) -> list[Combination]:
    """All conditions of a study, in the order of the levels.

    Raises:
        StudyError: A zipped group is impossible, a level does not go with the component that it is part of, or a
            named condition has a key path that leads nowhere.
    """
    found = factors(study)
    groups = _groups(study, found)
    counts: dict[str, int] = {}
    for leader in (group[0] for group in groups):
        for level, _ in leader.levels:
            counts[leader.shown(level)] = counts.get(leader.shown(level), 0) + 1
    result: list[Combination] = []
    for picks in itertools.product(*(range(len(group[0].levels)) for group in groups)):
        levels: dict[str, str] = {}
        words: list[str] = []
        overrides: Mapping[str, Any] = {}
        current: Any = study
        for group, pick in zip(groups, picks, strict=True):
            for position, factor in enumerate(group):
                level, value = factor.levels[pick]
                # a follower whose levels are called like the leader's would make every level name ambiguous
                if position == 0 or level != group[0].levels[pick][0]:
                    levels[factor.path] = level
                if position == 0:
                    word = factor.shown(level)
                    words.append(word if counts[word] == 1 else f"{factor.path}={level}")
                if factor.path == CONDITION:
                    overrides = value
                else:
                    current = replace(current, factor.path, lambda _, value=value: value)
        fields = {name: getattr(current, name) for name in SETTINGS}
        for head in {path.partition(".")[0] for path in levels if "." in path}:
            _check_again(fields[head], f"{head}.")
        fields = _named(study, fields, overrides, levels.get(CONDITION, ""))
        label = ", ".join(words) or fields["model"].label()
        result.append(Combination(label, levels, fields))
    return result


def _check_again(component: Component, prefix: str) -> None:
    """What a component checks as a whole it could not check while one of its fields had several levels."""
    given = {name: getattr(component, name) for name in component.model_fields_set}
    for name, value in given.items():
        if isinstance(value, Component):
            _check_again(value, f"{prefix}{name}.")
    try:
        type(component).model_validate(given)
    except ValidationError as error:
        problems = problems_of(error, type(component), prefix)
        raise StudyError([dataclasses.replace(p, path=p.path.removesuffix(".")) for p in problems]) from None


def settings(study: Study) -> dict[str, Study]:
    """The study at each setting: as declared, then each assumed level on its own.

    Raises:
        StudyError: An assumed level is not valid.
    """
    found = {BASE_SETTING: study}
    for path, assumed in study.assumed.items():
        for name, value in assumed.levels.items():
            changed = study.with_settings({
                path: value,
                "quick": {},
                "assumed": {},
                "claims": (),
                "published": (),
            })
            found[f"{path}={name}"] = changed
    return found


def overridden(study: Study, fields: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of one condition with some keys replaced, of a named condition or by tuning.

    Raises:
        StudyError: A key path leads nowhere, or the result is not valid.
    """
    bare = {
        "conditions": {},
        "assumed": {},
        "quick": {},
        "claims": (),
        "published": (),
        "zipped": (),
        "tune": {},
    }
    changed = study.model_copy(update={**fields, **bare}).with_settings(overrides, whole=False)
    return {key: getattr(changed, key) for key in SETTINGS}


def _named(study: Study, fields: dict[str, Any], overrides: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings of an explicitly named condition."""
    wrong = [head for head in (path.partition(".")[0] for path in overrides) if head not in SETTINGS]
    if wrong:
        allowed = ", ".join(SETTINGS)
        problems = [
            Problem(f"conditions.{name}.{path}", "", "is not a setting", allowed, nearest(path, SETTINGS))
            for path in wrong
        ]
        raise StudyError(problems)
    return overridden(study, fields, overrides) if overrides else fields


def _groups(study: Study, found: Sequence[Factor]) -> list[list[Factor]]:
    by_path = {factor.path: factor for factor in found}
    problems: list[Problem] = []
    group_of: dict[str, tuple[str, ...]] = {}
    for index, paths in enumerate(study.zipped):
        where = f"zipped.{index}"
        unknown = [path for path in paths if path not in by_path]
        problems += [
            Problem(where, path, "is not a factor", ", ".join(by_path), nearest(path, by_path))
            for path in unknown
        ]
        sizes = {path: len(by_path[path].levels) for path in paths if path in by_path}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{path} has {size}" for path, size in sizes.items())
            problems.append(Problem(where, told, "factors that go together need equally many levels"))
        for path in paths:
            if path in group_of:
                problems.append(Problem(where, path, "is in two zipped groups"))
            group_of[path] = paths
    if problems:
        raise StudyError(problems)
    groups: list[list[Factor]] = []
    seen: set[str] = set()
    for factor in found:
        if factor.path not in seen:
            paths = group_of.get(factor.path, (factor.path,))
            groups.append([by_path[path] for path in paths])
            seen.update(paths)
    return groups
