"""The one shape of a refusal by the API: a problem in the sense of RFC 9457."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import JsonResponse

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str, errors: Any = None) -> dict[str, Any]:
    """The body: `detail` is a sentence for people, `errors` the faults field by field as the request's body has them."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return body if errors is None else body | {"errors": errors}


def problem_response(status: int, detail: str) -> JsonResponse:
    """For refusals outside Django REST framework's views."""
    return JsonResponse(problem(status, detail), status=status, content_type=MEDIA_TYPE)
