"""What every declaration is made of: frozen, strict, comparable values with one canonical form.

A component is written `Adam(lr=1e-3)` in Python and `optimizer.adam.lr = 1e-3` in TOML. Inside, both are
the same tree, `{"kind": "adam", "lr": 0.001}`, which is also what `--set` edits and what identity hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

__all__ = [
    "KINDS_KEY",
    "Component",
    "Level",
    "OneOf",
    "Vary",
    "canonical_json",
    "digest_of",
    "kind_of",
    "level_name",
    "one_of",
    "replace",
    "to_tree",
    "vary",
    "walk",
]

T = TypeVar("T")
KINDS_KEY = "x-kinds"
"""Where the JSON Schema of a field names its component classes, for `study.schema` to spell out."""
Level = tuple[str, Any]


@dataclass(frozen=True)
class Vary:
    """Several values where one is expected: the field becomes a factor of the study.

    Attributes:
        levels: (name, value) pairs in the order in which they were given.
    """

    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        names = [name for name, _ in self.levels]
        if not names:
            raise ValueError("vary() needs at least one value")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"vary() has the level {repeated[0]!r} twice")


def vary(*values: T, **named: T) -> T:
    """Give a field several values, which makes it a factor; levels are named by value or by keyword.

    The declared return type is that of one value, so that type checkers accept it wherever one value is.

    Raises:
        ValueError: There is no value, or two levels have one name.

    Example:
        >>> vary(32, 64).levels
        (('32', 32), ('64', 64))
        >>> vary(slow=1e-4, fast=1e-2).levels
        (('slow', 0.0001), ('fast', 0.01))
    """
    levels = [(level_name(value), value) for value in values] + list(named.items())
    return cast(T, Vary(tuple(levels)))


def level_name(value: object) -> str:
    """How a level is called when nobody named it: numbers as `%g`, components by their label."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, Component):
        return value.label()
    return str(value)


def _listless(value: object) -> object:
    """Lists as tuples, all the way down: TOML knows only lists, frozen values hold only tuples."""
    if isinstance(value, dict):
        return {key: _listless(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return tuple(_listless(item) for item in cast("list[object]", value))
    return value


class Component(BaseModel):
    """Base of all declarations: frozen, strict, without unknown keys, NaN or infinities.

    A concrete component has a field `kind: Literal["..."] = "..."`, which names it in TOML, and may name the
    field that takes the bare value there: with `primary = "hidden"`, `model.mlp = [5, 10]` means
    `MLP(hidden=(5, 10))`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    primary: ClassVar[str | None] = None

    @field_validator("*", mode="wrap")
    @classmethod
    def _levels(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        if isinstance(value, Vary):
            return Vary(tuple(_each_level(value.levels, handler)))
        if isinstance(value, Mapping) and set(cast("Mapping[str, object]", value)) == {"vary"}:
            return cls._levels(_vary_from(cast("Mapping[str, object]", value)["vary"]), handler)
        return handler(_listless(value))

    def label(self) -> str:
        """A short name for figures and conditions."""
        return str(getattr(self, "kind", type(self).__name__.lower()))

    def canonical(self) -> dict[str, Any]:
        """The tree without fields at their default, which identity hashes; `kind` always stays."""
        tree: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name == "kind" or value != field.get_default(call_default_factory=True):
                tree[name] = to_tree(value, canonical=True)
        return tree

    def tree(self) -> dict[str, Any]:
        """The whole declaration as plain dicts, lists and scalars; `Vary` becomes `{"vary": {...}}`."""
        return {
            name: to_tree(getattr(self, name), canonical=False)
            for name, field in type(self).model_fields.items()
            if name == "kind" or name in self.model_fields_set or field.is_required()
        }


def _each_level(levels: Iterable[Level], handler: ValidatorFunctionWrapHandler) -> list[Level]:
    """Validate every level and tell the problems of all of them, each under its level's name."""
    valid: list[Level] = []
    wrong: list[InitErrorDetails] = []
    for name, level in levels:
        try:
            valid.append((name, handler(_listless(level))))
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                # a custom error keeps the type and context of any other, so nothing is lost on the way
                message = cast(Any, detail["msg"].replace("{", "(").replace("}", ")"))
                kept = PydanticCustomError(cast(Any, detail["type"]), message, detail.get("ctx"))
                wrong.append(InitErrorDetails(type=kept, loc=(name, *detail["loc"]), input=detail["input"]))
    if wrong:
        raise ValidationError.from_exception_data("vary", wrong)
    return valid


def _vary_from(given: object) -> Vary:
    if isinstance(given, Mapping):
        return Vary(tuple(cast("Mapping[str, Any]", given).items()))
    if isinstance(given, list | tuple):
        return cast(Vary, vary(*cast("list[Any]", given)))
    raise ValueError("vary takes a list of values or a table of named values")


def to_tree(value: object, *, canonical: bool = True) -> Any:
    """`value` as plain dicts, lists and scalars."""
    if isinstance(value, Component):
        return value.canonical() if canonical else value.tree()
    if isinstance(value, Vary):
        return {"vary": {name: to_tree(level, canonical=canonical) for name, level in value.levels}}
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, object]", value)
        return {str(key): to_tree(item, canonical=canonical) for key, item in mapping.items()}
    if isinstance(value, tuple | list):
        return [to_tree(item, canonical=canonical) for item in cast("tuple[object, ...]", value)]
    return value


def canonical_json(tree: object) -> str:
    """One text for one tree: sorted keys, no spaces, shortest round-trip floats, no NaN.

    Example:
        >>> canonical_json({"b": 1.0, "a": [1, None]})
        '{"a":[1,null],"b":1.0}'
    """
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def digest_of(tree: object) -> str:
    """The first 20 hexadecimal digits (80 bits) of the SHA-256 of the canonical text."""
    return hashlib.sha256(canonical_json(tree).encode()).hexdigest()[:20]


class OneOf:
    """The annotation of a field that takes one of several component classes; made by `one_of`."""

    def __init__(self, classes: tuple[type[Component], ...]) -> None:
        self.classes = classes
        self.table = {kind_of(cls): cls for cls in classes}

    def build(self, value: object) -> Component:
        """The component that an instance, a table or a bare kind stands for."""
        if isinstance(value, self.classes):
            return value
        if isinstance(value, str) and value in self.table:
            return self.table[value].model_validate({"kind": value})
        if not isinstance(value, Mapping):
            raise _unknown_kind(value, self.table)
        given = dict(cast("Mapping[str, Any]", value))
        if "kind" not in given:
            given = self._with_kind(given)
        cls = self.table.get(str(given["kind"]))
        if cls is None:
            raise _unknown_kind(given["kind"], self.table)
        return cls.model_validate(given)

    def _with_kind(self, given: dict[str, Any]) -> dict[str, Any]:
        """The short form as a tree: `{"mlp": [5], "activation": "tanh"}` or `{"adam": {"lr": 1e-3}}`."""
        tags = [key for key in given if key in self.table]
        if len(tags) != 1:
            raise _unknown_kind(next(iter(given), ""), self.table)
        inner: object = given.pop(tags[0])
        primary = self.table[tags[0]].primary
        if isinstance(inner, Mapping) and set(cast("Mapping[str, Any]", inner)) != {"vary"}:
            given |= cast("Mapping[str, Any]", inner)
        elif primary is not None:
            given[primary] = inner
        else:
            raise PydanticCustomError(
                "component", "'{kind}' takes a table of settings", {"kind": tags[0], "allowed": "a table"}
            )
        given["kind"] = tags[0]
        return given

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.build)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {KINDS_KEY: [cls.__name__ for cls in self.classes]}


def one_of(*classes: type[Component]) -> OneOf:
    """Validate a field that takes any of `classes`, given as an instance or written as a table.

    Accepted tables: `{"kind": "mlp", "hidden": [5]}`, `{"mlp": {"hidden": [5]}}` and, where the class has a
    primary field, `{"mlp": [5], "activation": "tanh"}`; a bare kind (`"adam"`) when nothing else is required.
    """
    return OneOf(classes)


def _unknown_kind(found: object, table: Mapping[str, object]) -> PydanticCustomError:
    return PydanticCustomError(
        "component",
        "'{found}' is not one of the known kinds",
        {"found": str(found), "allowed": ", ".join(table), "choices": list(table)},
    )


def kind_of(cls: type[Component]) -> str:
    """The `kind` by which a component class is written in TOML."""
    return str(cls.model_fields["kind"].default)


def walk(value: object, path: str = "") -> Iterator[tuple[str, Vary]]:
    """Every `Vary` in a declaration with its key path, outermost first."""
    if isinstance(value, Vary):
        yield path, value
    elif isinstance(value, Component):
        for name in type(value).model_fields:
            yield from walk(getattr(value, name), f"{path}.{name}" if path else name)


def replace(value: Any, path: str, change: Callable[[Any], Any]) -> Any:
    """A copy of a component in which the value at `path` went through `change`; the rest is shared."""
    if not path:
        return change(value)
    head, _, rest = path.partition(".")
    inner = replace(getattr(value, head), rest, change)
    return value.model_copy(update={head: inner})
