"""The one translation of refusals and faults into the API's answers."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import OperationalError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from tasks.api.parsers import TooLarge
from tasks.lifecycle import TransitionRefused
from tasks.models import Task, TaskFile
from tasks.patience import TookTooLong
from tasks.problems import MEDIA_TYPE, first_sentence, problem


class Away(exceptions.APIException):
    status_code = 503
    default_detail = "The database cannot be reached. Try again in a moment."


def translated(fault: Exception) -> Exception:
    """The fault as one of Django REST framework's, if it has a meaning for the client."""
    match fault:
        case TransitionRefused():
            return exceptions.ParseError(str(fault))
        case Task.DoesNotExist() | TaskFile.DoesNotExist():
            return exceptions.NotFound(_("There is no such task or file."))
        case RequestDataTooBig() | TooManyFieldsSent() | TooManyFilesSent():
            return TooLarge()
        case TookTooLong():
            return exceptions.ValidationError(str(fault))
        case OperationalError():
            return Away()
    return fault


def handle(fault: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's hook: every refusal is a problem, a fault of ours stays one (500)."""
    fault = translated(fault)
    response = exception_handler(fault, context)
    if response is None:
        return None
    if isinstance(fault, exceptions.ValidationError):
        response.status_code = 422
        response.data = problem(422, first_sentence(fault.detail), fault.detail)
    else:
        response.data = problem(response.status_code, str(getattr(fault, "detail", response.data.get("detail", ""))))
    request = context["request"]
    if getattr(getattr(request, "accepted_renderer", None), "format", "") != "api":
        # Whatever was asked for, CSV for one: a refusal is JSON, but for people who browse.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), MEDIA_TYPE
        response.content_type = MEDIA_TYPE
    return response
