"""Paging by key: the answer stays a bare array, the way on stands in the `Link` header (RFC 8288)."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param


def whole_number(request: Request, name: str, default: int, *, least: int = 0, most: int) -> int:
    """A query parameter as a number. Raises ValidationError that names it."""
    text = request.query_params.get(name, "")
    try:
        value = int(text) if text else default
    except ValueError:
        raise ValidationError({name: [_("A whole number is needed.")]}) from None
    if not least <= value <= most:
        raise ValidationError(
            {name: [_("Between %(least)s and %(most)s are allowed.") % {"least": least, "most": most}]}
        )
    return value


def task_cursor(request: Request) -> uuid.UUID | None:
    """The id that the page before ended at. Raises ValidationError."""
    text = request.query_params.get("cursor", "")
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        raise ValidationError({"cursor": [_("Take it from the Link header of the page before.")]}) from None


def links(request: Request, name: str, following: Any) -> dict[str, str]:
    """The headers of a page: `following` is the value of parameter `name` for the next one, None on the last."""
    here = request.build_absolute_uri()
    found = [f'<{remove_query_param(here, name)}>; rel="first"'] if name in request.query_params else []
    if following is not None:
        found.append(f'<{replace_query_param(here, name, str(following))}>; rel="next"')
    return {"Link": ", ".join(found)} if found else {}
