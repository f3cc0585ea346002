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
