"""What a person prefers in this browser: theme, pace of updates, shortcuts, language. Kept in cookies."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from tasks.web.acts import way_back
from tasks.web.shell import COOKIE_AGE, EVERY, THEMES

CHOICES: dict[str, tuple[str, ...]] = {
    "theme": THEMES,
    "every": EVERY,
    "shortcuts": ("on", "off"),
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
            response.set_cookie(
                COOKIES.get(name, name),
                value,
                max_age=COOKIE_AGE,
                samesite="Lax",
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=name != "every",
            )
    return response
