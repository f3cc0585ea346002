"""Error pages: plain words, the request's id, a way back. The API answers errors in its own form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from tasks.problems import problem_response

# These may mean that there is no database: their page asks it nothing.
WITHOUT_SHELL = frozenset({500, 503})


def words(status: int) -> tuple[str, str]:
    """Title and explanation."""
    return {
        400: (_("This request could not be read"), _("Something in it is not as it should be. Go back and try again.")),
        403: (_("This is not for you"), _("You may not do this. If you should be able to, ask whoever runs this hub.")),
        404: (
            _("There is no such page"),
            _("The task may have been deleted, or it belongs to somebody else and is not shared with you. "
              "Check the address, or look for it in the list."),
        ),
        413: (_("That is too much at once"), _("What was sent is larger than this hub takes.")),
        429: (_("Too many requests"), _("Wait a moment, then try again.")),
        500: (_("Something went wrong here"), _("It is written to the log, with the number below. Your tasks are safe.")),
        503: (_("TaskHub is not available now"), _("Its database does not answer. It is tried again with each request.")),
    }[status]  # fmt: skip


def error_page(
    request: HttpRequest, status: int, reason: str = "", *, retry_after: int | None = None
) -> HttpResponseBase:
    """The page for this status; `reason` says more than the usual words, `retry_after` is in seconds."""
    title, text = words(status)
    if request.path.startswith("/api/"):
        return problem_response(status, reason or title)
    context = {
        "status": status,
        "title": title,
        "text": reason or text,
        "retry_after": retry_after,
        "request_id": getattr(request, "id", ""),
        "with_shell": status not in WITHOUT_SHELL,
    }
    response = HttpResponse(render_to_string("error.html", context, request), status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return error_page(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return error_page(request, 403, str(exception or ""))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    # Never the exception's words: what is not there and what is somebody else's look the same.
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponseBase:
    return error_page(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    return error_page(
        request, 403, _("This form is too old, or it came from another site. Load the page again and repeat.")
    )


class UnavailableMiddleware:
    """A database that does not answer is no fault of the page: 503, and come again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> Any:
        if isinstance(exception, OperationalError | InterfaceError):
            return error_page(request, 503, retry_after=5)
        return None
