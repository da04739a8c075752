"""The field in which a study lists its instruments: a table by kind, or a list of instruments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from gradlab.component import kind_of
from gradlab.study.instruments.base import Instrument

__all__ = ["Table"]


class Table:
    """The annotation of such a field.

    Args:
        classes: The kinds that may be listed.
    """

    def __init__(self, classes: Sequence[type[Instrument]]) -> None:
        self.classes = {kind_of(cls): cls for cls in classes}

    def build(self, value: object) -> dict[str, Instrument]:
        """The instruments by kind; the problems of all of them at once, each under its kind."""
        found: dict[str, Instrument] = {}
        wrong: list[InitErrorDetails] = []
        for kind, given in self._items(value):
            try:
                cls = self._class(kind)
                if kind in found:
                    message = "is listed twice; a study has one instrument of a kind"
                    raise PydanticCustomError("value_error", cast("Any", message), {"error": message})
                found[kind] = given if isinstance(given, cls) else cls.model_validate(given)
            except ValidationError as error:
                wrong += [_under(kind, cast("Any", detail)) for detail in error.errors(include_url=False)]
            except PydanticCustomError as error:
                wrong.append(InitErrorDetails(type=error, loc=(kind,), input=given))
        if wrong:
            raise ValidationError.from_exception_data("measure", wrong)
        return found

    def _items(self, value: object) -> list[tuple[str, Any]]:
        """Kind and settings of each instrument that is listed."""
        if isinstance(value, Mapping):
            table = cast("Mapping[str, Any]", value)
            return [(str(kind), _settings(item)) for kind, item in table.items()]
        if isinstance(value, list | tuple):
            return [self._item(item) for item in cast("Sequence[Any]", value)]
        raise PydanticCustomError(
            "component",
            "instruments are a table by kind",
            {"found": type(value).__name__, "allowed": "as in measure.hessian = {}", "choices": []},
        )

    def _item(self, item: Any) -> tuple[str, Any]:
        """One of a list: an instrument, its kind alone, or a table with its kind."""
        if isinstance(item, Instrument):
            return kind_of(type(item)), item
        if isinstance(item, str):
            return item, {}
        if isinstance(item, Mapping):
            table = cast("Mapping[str, Any]", item)
            if "kind" in table:
                return str(table["kind"]), table
            if len(table) == 1:
                kind, settings = next(iter(table.items()))
                return kind, _settings(settings)
        return type(item).__name__, item

    def _class(self, kind: str) -> type[Instrument]:
        if kind not in self.classes:
            raise PydanticCustomError(
                "component",
                "'{found}' is not one of the known kinds",
                {"found": kind, "allowed": ", ".join(self.classes), "choices": list(self.classes)},
            )
        return self.classes[kind]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.build)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "object"}  # study.schema spells the kinds out


def _settings(item: Any) -> Any:
    """`true` for an instrument as it is, so that `measure.hessian = true` reads as it sounds."""
    return {} if item is True else item


def _under(kind: str, detail: Any) -> InitErrorDetails:
    """An error of an instrument's settings as one of the study's."""
    message = str(detail["msg"]).removeprefix("Value error, ").replace("{", "(").replace("}", ")")
    context = detail.get("ctx")
    kept = PydanticCustomError(detail["type"], cast("Any", message), context)
    return InitErrorDetails(type=kept, loc=(kind, *detail["loc"]), input=detail["input"])
