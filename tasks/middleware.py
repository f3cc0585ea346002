"""What holds for every request: its id, no NUL, no permission to store its answer, and that it must be whole."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from csp.constants import SELF, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from tasks.problems import problem_response
from tasks.visible import INVISIBLE, visible_html

REQUEST_ID = ContextVar("request_id", default="-")
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# The admin and the browsable API carry `style` attributes and fonts of their own.
FOREIGN_PAGES = {"style-src-attr": [UNSAFE_INLINE], "font-src": [SELF]}

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestIdMiddleware:
    """Each request has an id, the client's own if it sent a decent one: in the answer, in the logs, on error pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        request.id = request_id  # type: ignore[attr-defined]
        # Left set: Django logs a refusal after all middleware is through. The next request sets its own.
        REQUEST_ID.set(request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the request it was written in, or `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = REQUEST_ID.get()
        return True


class NulMiddleware:
    """A NUL in an address names nothing, and PostgreSQL refuses to look for it: it becomes what stands for no sign."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.path_info = request.path_info.replace("\0", "\ufffd")
        request.path = request.path.replace("\0", "\ufffd")
        # Before anybody has asked for request.GET.
        request.META["QUERY_STRING"] = request.META.get("QUERY_STRING", "").replace("%00", "%EF%BF%BD")
        return self.get_response(request)


class PrivateMiddleware:
    """What a person sees is kept by nobody on the way, and by no other site."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        renderer = getattr(response, "accepted_renderer", None)
        if request.path.startswith("/admin/") or getattr(renderer, "format", "") == "api":
            response._csp_update = FOREIGN_PAGES  # type: ignore[attr-defined]
        return response


class VisibleMiddleware:
    """What people read holds no characters that hide or reorder it, whoever wrote them. A form keeps what it was given."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_form = getattr(request.resolver_match, "view_name", "") == "tasks:new_kind"
        return response if is_form or not isinstance(response, HttpResponse) else self.made_visible(response)

    @staticmethod
    def made_visible(response: HttpResponse) -> HttpResponse:
        if response.get("Content-Type", "").startswith("text/html"):
            html = response.content.decode(response.charset)
            if INVISIBLE.search(html):
                response.content = visible_html(html)
        return response


class UnfinishedMiddleware:
    """A client that left or fell silent in the middle of its request is no fault of ours (500), but its own (400)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        if isinstance(exception, UnreadablePostError):
            return problem_response(400, _("The request ended before its body was complete."))
        return None
