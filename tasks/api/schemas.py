"""The parameters and the result of a task type as JSON Schema, made from their serializers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent
from rest_framework import serializers
from rest_framework.views import APIView

from tasks import registry


class FileExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """In JSON a file is the id of one that TaskHub has; a multipart form carries the file itself."""

    target_class = "tasks.parameters.FileParameter"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema = {"type": "string", "format": "uuid", "x-file": True}
        if self.target.extensions:
            schema["x-extensions"] = list(self.target.extensions)
        return schema


class _Inline(ResolvedComponent):
    """A serializer within another stands where it is used: a schema on its own has nothing to refer to."""

    @property
    def ref(self) -> dict[str, Any]:
        return dict(self.schema)


class _Detached(AutoSchema):
    """Maps a serializer that belongs to no view."""

    path, method = "", "POST"

    def __init__(self) -> None:
        self.registry = ComponentRegistry()
        self.view = APIView(request=None)

    def schema_of(self, declared: Any) -> dict[str, Any]:
        if isinstance(declared, serializers.Serializer):
            return self._map_basic_serializer(declared, "response")  # type: ignore[no-untyped-call]
        return self._map_serializer_field(declared, "response")  # type: ignore[no-untyped-call]

    def resolve_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> _Inline:
        schema = self._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        name = type(serializer).__name__
        return _Inline(name, ResolvedComponent.SCHEMA, schema, serializer)  # type: ignore[no-untyped-call]


def parameters_schema(kind: registry.TaskType) -> dict[str, Any]:
    """A JSON Schema (2020-12) of what the task type takes; nothing else is taken."""
    schema = _Detached()._map_basic_serializer(kind.parameters(), "request")  # type: ignore[no-untyped-call]
    return {**schema, "additionalProperties": False}


def result_schema(kind: registry.TaskType) -> dict[str, Any] | None:
    """A JSON Schema (2020-12) of what the task type gives back; None where it does not say."""
    if kind.result is None:
        return None
    declared = kind.result() if isinstance(kind.result, type) else kind.result
    return _Detached().schema_of(declared)


def without_slashes(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Hook of drf-spectacular: of each path and its twin with a slash, one is described."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def with_task_types(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Hook of drf-spectacular: a submit is that of one of the task types, and what it gives back that type's result."""
    schemas = result["components"]["schemas"]
    plain = schemas.pop("Submit")
    mapping, results = {}, []
    for kind in registry.all_types():
        name = "".join(word.capitalize() for word in kind.name.split("_"))
        schemas[f"{name}Parameters"] = parameters_schema(kind) | {"description": str(kind.description)}
        schemas[f"{name}Submit"] = _submit_of(kind.name, plain, f"#/components/schemas/{name}Parameters")
        mapping[kind.name] = f"#/components/schemas/{name}Submit"
        if given_back := result_schema(kind):
            schemas[f"{name}Result"] = given_back
            results.append({"$ref": f"#/components/schemas/{name}Result"})
    one_of = [{"$ref": reference} for reference in mapping.values()]
    schemas["Submit"] = {"oneOf": one_of, "discriminator": {"propertyName": "task_type", "mapping": mapping}}
    # The empty schema is for types that do not say what they give back, and for results too large to be kept.
    schemas["Task"]["properties"]["result_data"]["anyOf"] = [*results, {}]
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def _submit_of(task_type: str, plain: dict[str, Any], parameters: str) -> dict[str, Any]:
    own = {
        "task_type": {"type": "string", "const": task_type},
        "parameters": {"oneOf": [{"$ref": parameters}, {"type": "null"}]},
    }
    return plain | {"properties": plain["properties"] | own}
