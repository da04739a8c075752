"""The JSON Schema of a study's page, so that editors complete and check TOML as it is typed."""

from __future__ import annotations

from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from gradlab.component import KINDS_KEY, Component, kind_of
from gradlab.study.factors import SETTINGS
from gradlab.study.instruments import INSTRUMENTS
from gradlab.study.study import Study

__all__ = ["study_schema"]


COMPONENTS = frozenset({"task", "model", "optimizer", "schedule", "stop", "initial"})
"""The settings that take components, and so a table of named ones as well."""


class _Lenient(GenerateJsonSchema):
    """Python-only values (callables, arrays) have no form in TOML: anything goes in their place."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}


def study_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a study as TOML or JSON; every setting may vary.

    Returns:
        A JSON-ready tree.

    Example:
        >>> schema = study_schema()
        >>> schema["title"], "epochs" in schema["properties"], schema["additionalProperties"]
        ('Study', True, False)
    """
    schema = Study.model_json_schema(schema_generator=_Lenient)
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    schema["properties"].pop("kind", None)
    properties = cast("dict[str, Any]", _expanded(schema["properties"], definitions))
    for name in SETTINGS:
        inner = properties[name]
        forms = [inner, _vary(inner)]
        if name in COMPONENTS:
            forms.append({"type": "object", "additionalProperties": inner, "minProperties": 1})
        properties[name] = {"anyOf": forms}
    properties["measure"] = _instruments(definitions)
    claims = properties["claims"]
    claims["items"] = {"anyOf": [{"type": "string"}, claims["items"]]}
    schema["properties"] = properties
    schema["description"] = "A study: what varies, what is trained, what is measured, what is claimed."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _expanded(tree: Any, definitions: dict[str, Any]) -> Any:
    """The tree with every list of kinds spelt out as the forms that TOML may take."""
    if isinstance(tree, list):
        return [_expanded(item, definitions) for item in cast("list[Any]", tree)]
    if not isinstance(tree, dict):
        return tree
    node = cast("dict[str, Any]", tree)
    if KINDS_KEY not in node:
        return {key: _expanded(item, definitions) for key, item in node.items()}
    classes = {cls.__name__: cls for cls in _below(Component)}
    picked = [classes[name] for name in node[KINDS_KEY]]
    forms: list[JsonSchemaValue] = [{"type": "string", "enum": [kind_of(cls) for cls in picked]}]
    for cls in picked:
        tag, whole = kind_of(cls), {"$ref": f"#/$defs/{cls.__name__}"}
        fields = _define(cls, definitions)
        forms += [whole, _table({tag: whole}, tag)]
        if cls.primary is not None:
            forms.append(_table({tag: fields[cls.primary], **fields}, tag, leave=cls.primary))
    return {"anyOf": forms}


def _instruments(definitions: dict[str, Any]) -> JsonSchemaValue:
    """The table of instruments: one table of settings a kind, or true; settings do not vary."""
    kinds: dict[str, JsonSchemaValue] = {}
    for kind, cls in INSTRUMENTS.items():
        own = cls.model_json_schema(schema_generator=_Lenient)
        for inner, definition in own.pop("$defs", {}).items():
            definitions.setdefault(inner, definition)
        own["properties"] = {key: _expanded(item, definitions) for key, item in own["properties"].items()}
        definitions[cls.__name__] = own
        kinds[kind] = {"anyOf": [{"$ref": f"#/$defs/{cls.__name__}"}, {"const": True}]}
    return {"type": "object", "properties": kinds, "additionalProperties": False}


def _below(cls: type[Component]) -> list[type[Component]]:
    """Every class that derives from `cls`, directly or not."""
    return [found for child in cls.__subclasses__() for found in (child, *_below(child))]


def _define(cls: type[Component], definitions: dict[str, Any]) -> dict[str, Any]:
    """Add a component class to the definitions; returns its fields without `kind`."""
    name = cls.__name__
    if name not in definitions:
        own = cls.model_json_schema(schema_generator=_Lenient)
        definitions[name] = own
        for inner, definition in own.pop("$defs", {}).items():
            definitions.setdefault(inner, definition)
        fields = {key: _or_vary(_expanded(item, definitions)) for key, item in own["properties"].items()}
        own["properties"] = fields
        own["required"] = [key for key in own.get("required", []) if key != "kind"]
    return {key: item for key, item in definitions[name]["properties"].items() if key != "kind"}


def _table(properties: dict[str, Any], required: str, leave: str = "") -> JsonSchemaValue:
    return {
        "type": "object",
        "properties": {key: item for key, item in properties.items() if key != leave or key == required},
        "required": [required],
        "additionalProperties": False,
    }


def _or_vary(inner: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [inner, _vary(inner)]}


def _vary(inner: JsonSchemaValue) -> JsonSchemaValue:
    several = {
        "anyOf": [{"type": "array", "items": inner}, {"type": "object", "additionalProperties": inner}]
    }
    return {
        "type": "object",
        "properties": {"vary": several},
        "required": ["vary"],
        "additionalProperties": False,
    }
