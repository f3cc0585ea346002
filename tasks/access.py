"""Who gets in: in local mode this account's programs on this machine, in login mode who signs in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import User
from django.core.exceptions import DisallowedHost, PermissionDenied, SuspiciousOperation
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as PlainSessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from tasks import peers
from tasks.accounts.first_admin import LOCAL_USER
from tasks.problems import problem_response

# What a machine that watches TaskHub asks; the answers say nothing of its content.
PROBES = frozenset({"/livez", "/livez/", "/readyz", "/readyz/"})
FORWARDED = frozenset({"HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"})


class AccessMiddleware(LoginRequiredMiddleware):
    """Local mode: whoever is local acts as the user `local`. Login mode: a view needs a person unless it says not."""

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        if settings.ACCESS != "local" or request.path in PROBES:
            return None
        if reason := why_not_local(request) or why_cross_site(request):
            return refuse(request, reason)
        request.user = SimpleLazyObject(local_user)  # type: ignore[assignment]
        return None

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        if settings.ACCESS == "local":
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def get_login_url(self, view_func: Callable[..., Any]) -> str:
        return resolve_url(settings.LOGIN_URL)  # for the admin too: there is one way to sign in

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        if request.headers.get("HX-Request"):
            # A redirect would put the sign-in page into a part of the page.
            return HttpResponse(status=401)
        return super().handle_no_permission(request, view_func)


def refuse(request: HttpRequest, reason: str) -> HttpResponseBase:
    if request.path.startswith("/api/"):
        return problem_response(403, reason)
    raise PermissionDenied(reason)


def why_not_local(request: HttpRequest) -> str:
    """What speaks against a request's being local, as a sentence that names the setting to change; '' for nothing."""
    if any(name in FORWARDED or name.startswith("HTTP_X_FORWARDED") for name in request.META):
        return _(
            "This came through a proxy, and TaskHub is in local mode: it answers this machine alone. "
            "Behind a proxy, set TASKHUB_ACCESS=login."
        )
    try:
        request.get_host()
    except DisallowedHost:
        return _("TaskHub does not answer to this host name. TASKHUB_ALLOWED_HOSTS lists those it answers to.")
    address = peers.plain_address(request.META.get("REMOTE_ADDR", ""))
    if address is None or not address.is_loopback:
        return _(
            "TaskHub is in local mode: it answers this machine alone. To let other machines in, set TASKHUB_ACCESS=login."
        )
    # Without a server, as in Django's test client, there is nobody else to be told apart; with one, the entry is there.
    if "gunicorn.socket" in request.META and not peers.is_ours(request.META["gunicorn.socket"]):
        return _(
            "TaskHub is in local mode: it answers programs of its own account alone. "
            "To let other accounts in, set TASKHUB_ACCESS=login."
        )
    return ""


def why_cross_site(request: HttpRequest) -> str:
    """Whether a page from elsewhere makes a browser send this, as a sentence; '' if not."""
    if request.method in {"GET", "HEAD", "OPTIONS", "TRACE"}:
        return ""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        own = site in {"same-origin", "none"}
    else:
        own = origin is None or origin == f"{request.scheme}://{request.get_host()}"
    return "" if own else _("Another web site sent this. In local mode (TASKHUB_ACCESS) only TaskHub's own pages may.")


# --- the user `local`


class Remembered:
    """The user `local`, for a few seconds: no query for each request."""

    MAX_AGE = 5.0

    def __init__(self) -> None:
        self.user: User | None = None
        self.until = 0.0

    def get(self) -> User | None:
        return self.user if time.monotonic() < self.until else None

    def put(self, user: User) -> None:
        self.user, self.until = user, time.monotonic() + self.MAX_AGE

    def forget(self, **_kwargs: Any) -> None:
        self.until = 0.0


remembered = Remembered()


def local_user() -> User:
    """Whom local mode acts as: made on first use, may do everything, cannot sign in."""
    if user := remembered.get():
        return user
    # Two first requests at once: one makes the row, the other finds it.
    user, _made = User.objects.get_or_create(
        username=LOCAL_USER,
        defaults={"is_staff": True, "is_superuser": True, "password": make_password(None)},
    )
    if not connection.in_atomic_block:  # a row that may yet be rolled back is not remembered
        remembered.put(user)
    return user


class LocalAuthentication(BaseAuthentication):
    """For the API in local mode: whom AccessMiddleware let in. (Session authentication would ask curl for a cookie.)"""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        if settings.ACCESS != "local":
            return None
        user = request._request.user
        return (user, None) if user.is_authenticated else None

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class WithToken:
    """A request for the CSRF check: it finds the token in a header, else among a form's fields.

    With a header the body is not read: that is for its parser, and need not be a form whatever it is called.
    """

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request._request, name)

    @property
    def POST(self) -> Mapping[str, Any]:  # noqa: N802 - Django's name
        if settings.CSRF_HEADER_NAME in self.META:
            return {}
        try:
            fields = self._request.POST
        except (APIException, SuspiciousOperation):
            return {}
        return fields if isinstance(fields, Mapping) else {}


class SessionAuthentication(PlainSessionAuthentication):
    """For the API in login mode: who has signed in on the pages."""

    def enforce_csrf(self, request: Request) -> None:
        super().enforce_csrf(WithToken(request))  # type: ignore[arg-type]
