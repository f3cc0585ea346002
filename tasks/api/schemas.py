"""The parameters of a task type as JSON Schema, made from its serializer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
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


class _Detached(AutoSchema):
    """Maps a serializer that belongs to no view."""

    path, method = "", "POST"

    def __init__(self) -> None:
        self.registry = ComponentRegistry()
        self.view = APIView(request=None)


def parameters_schema(kind: registry.TaskType) -> dict[str, Any]:
    """A JSON Schema (2020-12) of what the task type takes; nothing else is taken."""
    schema = _Detached()._map_basic_serializer(kind.parameters(), "request")  # type: ignore[no-untyped-call]
    return {**schema, "additionalProperties": False}


def without_slashes(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Hook of drf-spectacular: of each path and its twin with a slash, one is described."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def with_task_types(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Hook of drf-spectacular: a submit is that of one of the task types, each with the schema of its parameters."""
    schemas = result["components"]["schemas"]
    plain = schemas.pop("Submit")
    mapping = {}
    for kind in registry.all_types():
        name = "".join(word.capitalize() for word in kind.name.split("_"))
        schemas[f"{name}Parameters"] = parameters_schema(kind) | {"description": str(kind.description)}
        schemas[f"{name}Submit"] = _submit_of(kind.name, plain, f"#/components/schemas/{name}Parameters")
        mapping[kind.name] = f"#/components/schemas/{name}Submit"
    one_of = [{"$ref": reference} for reference in mapping.values()]
    schemas["Submit"] = {"oneOf": one_of, "discriminator": {"propertyName": "task_type", "mapping": mapping}}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def _submit_of(task_type: str, plain: dict[str, Any], parameters: str) -> dict[str, Any]:
    own = {
        "task_type": {"type": "string", "const": task_type},
        "parameters": {"oneOf": [{"$ref": parameters}, {"type": "null"}]},
    }
    return plain | {"properties": plain["properties"] | own}
