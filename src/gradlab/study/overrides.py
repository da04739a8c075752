"""Change a declaration by key path, as `--set optimizer.lr=1e-4` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from gradlab.component import Component, Vary
from gradlab.errors import Problem, StudyError, nearest
from gradlab.study.instruments import Instrument

if TYPE_CHECKING:
    from gradlab.study.study import Study

__all__ = ["apply"]


def apply(study: Study, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `study` with the given keys replaced, ready for its constructor.

    A key path walks through fields, tables and the level names of a factor (`model.deep.activation`); a kind
    on the way (`optimizer.sgd.lr`) replaces the component if it is of another kind.

    Args:
        study: The declaration to start from; it is not changed.
        overrides: Values by key path.

    Returns:
        Keyword arguments for `Study`.

    Raises:
        StudyError: A key path leads nowhere; all such paths at once.
    """
    fields: dict[str, Any] = {name: getattr(study, name) for name in study.model_fields_set}
    known = list(type(study).model_fields)
    problems: list[Problem] = []
    for path, value in overrides.items():
        head, *rest = path.split(".")
        if head not in known:
            problems.append(Problem(path, "", "is not a known key", ", ".join(known), nearest(head, known)))
            continue
        try:
            fields[head] = _set(fields.get(head, getattr(study, head, None)), rest, value)
        except KeyError as error:
            names: list[str] = error.args[1]
            problems.append(
                Problem(path, "", "leads nowhere", ", ".join(names), nearest(str(error.args[0]), names))
            )
    if problems:
        raise StudyError(problems)
    return fields


def _set(current: Any, path: list[str], value: Any) -> Any:
    if not path:
        return _merged(current, value)
    head, *rest = path
    if isinstance(current, Vary):
        levels = dict(current.levels)
        if head not in levels:
            raise KeyError(head, list(levels))
        levels[head] = _set(levels[head], rest, value)
        return Vary(tuple(levels.items()))
    if isinstance(current, Component):
        return _set_field(current, head, rest, value)
    if isinstance(current, Mapping):
        table = dict(cast("Mapping[str, Any]", current))
        # keys of `assumed`, `tune` and `quick` are key paths themselves
        whole = ".".join(path)
        if whole in table:
            own = isinstance(table[whole], Instrument)
            return {**table, whole: _merged(table[whole], value) if own else value}
        return {**table, head: _set(table.get(head, {}), rest, value)}
    if current is None:
        return {head: _set(None, rest, value) if rest else value}
    raise KeyError(head, [])


def _merged(current: Any, value: Any) -> Any:
    """`value`, or where it is a table of fields or levels that `current` has, `current` with those changed.

    TOML reads `quick.optimizer.lr = 1e-4` as a table in a table; it means the key path. So it is with a table of
    instruments, which is changed kind by kind.
    """
    if not isinstance(value, Mapping):
        return value
    table = cast("Mapping[str, Any]", value)
    if _lists_instruments(current):
        listed = cast("Mapping[str, Any]", current)
        return (
            {**listed, **{kind: _merged(listed.get(kind), item) for kind, item in table.items()}}
            if table
            else {}
        )
    if isinstance(current, Component):
        known = set(type(current).model_fields) - {"kind"}
    elif isinstance(current, Vary):
        known = {name for name, _ in current.levels}
    else:
        return value
    if not table or not set(table) <= known:
        return value
    for key, item in table.items():
        current = _set(current, [key], item)
    return current


def _lists_instruments(value: Any) -> bool:
    table = cast("Mapping[str, Any]", value)
    return isinstance(value, Mapping) and any(isinstance(item, Instrument) for item in table.values())


def _set_field(current: Component, head: str, rest: list[str], value: Any) -> Any:
    from gradlab.study.checks import KINDS

    fields = {name: getattr(current, name) for name in current.model_fields_set}
    kind = getattr(current, "kind", None)
    if kind is not None:
        fields["kind"] = kind
    if head in KINDS and head not in type(current).model_fields:
        if head == kind:
            if not rest:
                return {head: value}
            return _set_field(current, rest[0], rest[1:], value)
        return {head: _set({}, rest, value)} if rest else {head: value}
    return {**fields, head: _set(fields.get(head, getattr(current, head, None)), rest, value)}
