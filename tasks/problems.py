"""Refusals in words, and the one shape of a refusal by the API: a problem in the sense of RFC 9457."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse
from django.utils.translation import gettext as _

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str, errors: Any = None) -> dict[str, Any]:
    """The body: `detail` is a sentence for people, `errors` the faults field by field as the request's body has them."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return body if errors is None else body | {"errors": errors}


def problem_response(status: int, detail: str) -> JsonResponse:
    """For refusals outside Django REST framework's views."""
    return JsonResponse(problem(status, detail), status=status, content_type=MEDIA_TYPE)


def first_sentence(errors: Any) -> str:
    return next(sentences(errors), _("The request is not valid."))


def sentences(errors: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Each fault in words, with the way to its field: `parameters.num_rows: Must be at least 1.`"""
    if isinstance(errors, dict):
        for name, inner in errors.items():
            yield from sentences(inner, path if name == "non_field_errors" else (*path, str(name)))
    elif isinstance(errors, list | tuple):
        for inner in errors:
            yield from sentences(inner, path)
    else:
        yield f"{'.'.join(path)}: {errors}" if path else str(errors)
