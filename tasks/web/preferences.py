"""What a person prefers in this browser: theme, pace of updates, shortcuts, language, first view, what was read. Kept in cookies."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from tasks.web.acts import way_back
from tasks.web.default_view import COOKIE, view_of
from tasks.web.shell import COOKIE_AGE, EVERY, SETUPS, THEMES

CHOICES: dict[str, tuple[str, ...]] = {
    "theme": THEMES,
    "every": EVERY,
    "shortcuts": ("on", "off"),
    "setup": SETUPS,
    "language": tuple(code for code, _name in settings.LANGUAGES),
}
COOKIES = {"language": settings.LANGUAGE_COOKIE_NAME}


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    response = HttpResponseRedirect(way_back(request, reverse("tasks:list")))
    for name, choices in CHOICES.items():
        value = request.POST.get(name)
        if value in choices:
            # `every` is read and written by the script too.
            _keep(response, COOKIES.get(name, name), value, httponly=name != "every")
    if COOKIE in request.POST:
        _keep_view(response, view_of(QueryDict(request.POST[COOKIE])))
    return response


def _keep_view(response: HttpResponse, view: str) -> None:
    if view:
        _keep(response, COOKIE, view)
    else:
        response.delete_cookie(COOKIE, samesite="Lax")


def _keep(response: HttpResponse, cookie: str, value: str, *, httponly: bool = True) -> None:
    response.set_cookie(
        cookie,
        value,
        max_age=COOKIE_AGE,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=httponly,
    )
