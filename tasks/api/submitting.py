"""From a request to what lifecycle takes: JSON, or a form with files."""

from __future__ import annotations

from typing import Any, cast

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request

from tasks import registry
from tasks.api.parsers import loads
from tasks.api.serializers import SubmitSerializer
from tasks.lifecycle import Submission
from tasks.parameters import FilesParameter


def submission_of(request: Request) -> Submission:
    """What a single submit asks for. Raises ValidationError."""
    data = form_fields(request) if request.FILES or is_form(request) else request.data
    serializer = SubmitSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    return Submission(**serializer.validated_data)


def is_form(request: Request) -> bool:
    return str(request.content_type).startswith("multipart/")


def form_fields(request: Request) -> dict[str, Any]:
    """A multipart form as the JSON it stands for: `parameters` is JSON text, each file has its parameter's name."""
    given = cast(QueryDict, request.data).items()
    fields: dict[str, Any] = {name: value for name, value in given if name not in request.FILES and value != ""}
    parameters = parameters_of(fields.get("parameters"))
    for name in request.FILES:
        files = request.FILES.getlist(name)
        many = isinstance(file_parameter(fields.get("task_type"), name), FilesParameter)
        if len(files) > 1 and not many:
            raise ValidationError({"parameters": {name: [_("One file is taken, not several.")]}})
        parameters[name] = files if many else files[0]
    return fields | {"parameters": parameters}


def parameters_of(text: str | None) -> dict[str, Any]:
    try:
        value = loads(text) if text else {}
    except ParseError as error:
        raise ValidationError({"parameters": [error.detail]}) from None
    if value is not None and not isinstance(value, dict):
        raise ValidationError({"parameters": [_("Parameters must be an object.")]})
    return value or {}


def file_parameter(task_type: str | None, name: str) -> Any:
    try:
        return registry.get(task_type or "").file_parameters.get(name)
    except registry.UnknownTaskType:
        return None
