"""How the API's operations are described in its OpenAPI document: answers, refusals, parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.authentication import SessionScheme as PlainSessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from tasks.api import examples
from tasks.api.serializers import ProblemSerializer
from tasks.models import Status, TaskItem
from tasks.problems import MEDIA_TYPE

Operation = Callable[..., Any]

# Any operation may be refused so: no token or a wrong one, not local, too often, no database.
EVERYWHERE = (401, 403, 429, 503)


def documented(
    *answers: tuple[int | tuple[int, str], Any],
    refused: Iterable[int] = (),
    empty: Iterable[int] = (),
    parameters: Iterable[OpenApiParameter] = (),
    refusals: Mapping[int, OpenApiExample] | None = None,
    **more: Any,
) -> Callable[[Operation], Operation]:
    """Describe an operation: what it answers by status, and with which it may refuse, in words or `empty`.

    `refusals` are examples of its own, where the usual one of a status would not do.
    """
    responses: dict[Any, Any] = dict(answers)
    shown = examples.REFUSALS | dict(refusals or {})
    responses |= {(status, MEDIA_TYPE): problem(status, shown[status]) for status in sorted({*refused, *EVERYWHERE})}
    responses |= dict.fromkeys(empty, OpenApiResponse())
    if "request" in more:
        more["request"] = as_json(more["request"])
    return extend_schema(responses=responses, parameters=list(parameters), **more)


def as_json(body: Any) -> Any:
    """A body is JSON, unless its media types are named. The parser takes it under any other name too."""
    return body if body is None or isinstance(body, Mapping) else {"application/json": body}


def problem(status: int, example: OpenApiExample) -> OpenApiResponse:
    return OpenApiResponse(ProblemSerializer, description=HTTPStatus(status).phrase, examples=[example])


def query(name: str, kind: Any = str, help_text: Any = "", **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=help_text, **more)


def header(name: str, help_text: Any, *, on: int | None = None) -> OpenApiParameter:
    """A header of the request, or of the answer with status `on`."""
    response = [on] if on else False
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=help_text, response=response)


QUEUE = OpenApiParameter("queue", str, OpenApiParameter.PATH, description=_("The queue's name."))
TOKEN_ID = OpenApiParameter("token_id", OpenApiTypes.UUID, OpenApiParameter.PATH, description=_("The token's id."))
RANGE_NAME = query("range", enum=["1h", "24h", "7d", "30d"], help_text=_("The last 24 hours, unless asked otherwise."))
TASK_TYPE = query("task_type", help_text=_("Only tasks of this type."))
LINK = header("Link", _('Leads to the next page: `<…>; rel="next"`.'), on=200)
TASK_ID = OpenApiParameter("task_id", OpenApiTypes.UUID, OpenApiParameter.PATH, description=_("The task's id."))
FILE_ID = OpenApiParameter("file_id", OpenApiTypes.UUID, OpenApiParameter.PATH, description=_("The file's id."))
FIELDS = query("fields", help_text=_("Only these fields of a task, separated by commas."))
AFTER_LINE = query("after", {"type": "integer", "minimum": 0, "default": 0}, _("Only lines after this `seq`."))
AFTER_ITEM = query("after", {"type": "integer", "minimum": -1, "default": -1}, _("Only items after this `position`."))
RANGE = header("Range", _("`bytes=0-99` for a part."))
LIMIT = query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 200}, _("How many at most."))
LONG_LIMIT = query(
    "limit", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 1000}, _("How many at most.")
)
WAIT = query(
    "wait",
    {"type": "integer", "minimum": 0, "maximum": 60, "default": 0},
    _("Answer once the task has ended, or after so many seconds."),
)
CURSOR = query("cursor", OpenApiTypes.UUID, _("From the Link header of the page before."))
IDEMPOTENCY_KEY = header("Idempotency-Key", _("The same key and body again: the same task, no second one."))
REPLAYED = header("Idempotency-Replayed", _("`true` where the task is an old one."), on=201)
STATE = query("state", enum=TaskItem.State.values, help_text=_("Only items of this state."))
FILTERS = [
    query("status", enum=Status.values, help_text=_("Only tasks of this status.")),
    TASK_TYPE,
    query("queue", help_text=_("Only tasks of this queue.")),
    query("owner", help_text=_("Only tasks of this user name; `me` for one's own.")),
    query("since", help_text=_("Only tasks submitted since: `2d`, `12h`, or an ISO 8601 time.")),
    query("q", help_text=_('Words in name, id, file name or error; also `status:failed before:2d "some text"`.')),
    query("order", enum=["newest", "oldest"], help_text=_("Newest first, unless asked otherwise.")),
]

SUBMIT_FORM = {
    "type": "object",
    "properties": {
        "task_type": {"type": "string"},
        "parameters": {"type": "string", "contentMediaType": "application/json", "description": "An object, as JSON."},
        "name": {"type": "string", "maxLength": 200},
        "queue": {"type": "string", "maxLength": 40},
        "priority": {"type": "integer", "minimum": -1000, "maximum": 1000},
        "run_at": {"type": "string", "format": "date-time"},
        "max_attempts": {"type": "integer", "minimum": 1, "maximum": 100},
    },
    "required": ["task_type"],
    "additionalProperties": {
        "type": "string",
        "format": "binary",
        "description": "A file, under its parameter's name; several under the same.",
    },
}


class LocalScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """In local mode nothing is asked for."""

    target_class = "tasks.access.LocalAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[Any]]:
        return {}

    def get_security_definition(self, auto_schema: Any) -> list[Any]:
        return []


class SessionScheme(PlainSessionScheme):  # type: ignore[no-untyped-call]
    target_class = "tasks.access.SessionAuthentication"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tasks.accounts.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        how = "`Token …`, with a token from the page “API tokens”."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": how}
