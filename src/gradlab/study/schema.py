"""The JSON Schema of a study's page, so that editors complete and check TOML as it is typed."""

from __future__ import annotations

from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from gradlab.study.factors import SETTINGS
from gradlab.study.study import Study

__all__ = ["study_schema"]


class _Lenient(GenerateJsonSchema):
    """Python-only values (callables, arrays) have no form in TOML: anything goes in their place."""

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
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
    for name, definition in schema.get("$defs", {}).items():
        fields = cast("dict[str, Any]", definition.get("properties", {}))
        if "kind" in fields:
            definition["required"] = [key for key in definition.get("required", []) if key != "kind"]
            definition["properties"] = {key: _or_vary(inner) for key, inner in fields.items()}
        definition.pop("description", None) if name == "Study" else None
    for name in SETTINGS:
        inner = schema["properties"][name]
        forms = [inner, _vary(inner)]
        if "anyOf" in inner and name in {"task", "model", "optimizer", "schedule", "stop", "initial"}:
            forms.append({"type": "object", "additionalProperties": inner, "minProperties": 1})
        schema["properties"][name] = {"anyOf": forms}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _or_vary(inner: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [inner, _vary(inner)]}


def _vary(inner: JsonSchemaValue) -> JsonSchemaValue:
    several = {"anyOf": [{"type": "array", "items": inner}, {"type": "object", "additionalProperties": inner}]}
    return {"type": "object", "properties": {"vary": several}, "required": ["vary"], "additionalProperties": False}
