"""Validation errors in the words of the person who wrote the page: key path, value, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from gradlab.component import Component
from gradlab.errors import Problem, nearest
from gradlab.study.instruments import INSTRUMENTS, Instrument

__all__ = ["problems_of", "shown"]

_WORDS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table of settings",
    "missing": "is missing",
}


def shown(value: object, limit: int = 60) -> str:
    """A value as text, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def problems_of(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[Problem]:
    """One problem for each field that is wrong; the branches of a union are told as one."""
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        path, branch = _path(model, detail["loc"])
        path = prefix + path
        problem = _problem(path, cast("dict[str, Any]", detail), model)
        before = found.get(path)
        if before is None or not branch:
            found[path] = problem
        else:
            allowed = " or ".join(dict.fromkeys(filter(None, [before.allowed, problem.allowed])))
            message = (
                before.message if before.message == problem.message else "is not one of the allowed values"
            )
            found[path] = Problem(
                path, before.value, message, allowed, before.suggestion or problem.suggestion
            )
    return list(found.values())


def _path(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, bool]:
    """The key path of an error, without pydantic's names for the branches of a union."""
    parts: list[str] = []
    branch = False
    for index, item in enumerate(location):
        if index and isinstance(item, str) and _is_branch(item):
            branch = True
            continue
        parts.append(str(item))
    return ".".join(parts), branch


def _is_branch(item: str) -> bool:
    return item in {"int", "float", "str", "bool", "none"} or "[" in item or item.startswith("constrained-")


def _problem(path: str, detail: dict[str, Any], model: type[BaseModel]) -> Problem:
    kind: str = detail["type"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    value = shown(detail.get("input"))
    if kind == "extra_forbidden":
        name = path.rpartition(".")[2]
        known = _fields_beside(detail, path, model)
        return Problem(path, "", "is not a known key", ", ".join(known), nearest(name, known))
    if kind == "component":
        choices: list[str] = list(context.get("choices", []))
        found = str(context.get("found", ""))
        return Problem(
            path, found or value, "is not a known kind", str(context["allowed"]), nearest(found, choices)
        )
    if kind == "literal_error":
        choices = [part.strip("' ") for part in str(context["expected"]).replace(" or ", ",").split(",")]
        guess = nearest(str(detail.get("input")), choices)
        return Problem(path, value, "is not one of the allowed values", ", ".join(choices), guess)
    if kind == "missing":
        return Problem(path, "", "is missing")
    if kind == "value_error":
        return Problem(path, value, str(context.get("error", detail["msg"])))
    words = _WORDS.get(kind)
    message = words.format(**context) if words else str(detail["msg"])
    return Problem(path, value, message)


def _fields_beside(detail: dict[str, Any], path: str, model: type[BaseModel]) -> list[str]:
    """The keys that the table around `path` may hold."""
    cls: type[BaseModel] | None = model
    for part in path.split(".")[:-1]:
        if cls is Instrument:
            cls = INSTRUMENTS.get(part)
            continue
        field = cls.model_fields.get(part) if cls else None
        options = [*get_args(field.annotation), field.annotation] if field else []
        classes = [item for item in options if isinstance(item, type) and issubclass(item, Component)]
        cls = classes[0] if len(classes) == 1 else None
        if cls is None and classes:
            names = dict.fromkeys(name for item in classes for name in item.model_fields if name != "kind")
            return list(names)
    return [name for name in cls.model_fields if name != "kind"] if cls else []
