"""Refusals that Django itself makes below /api/ have the API's shape too."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from tasks.problems import problem_response


class ProblemMiddleware:
    """An unknown path or a fault of ours is answered as a problem, not as a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code < 400 or not request.path.startswith("/api/") or hasattr(response, "accepted_renderer"):
            return response
        if response.headers.get("Content-Type", "").startswith("text/html"):
            return problem_response(response.status_code, sentence(response.status_code))
        return response


def sentence(status: int) -> str:
    sentences = {
        404: _("There is nothing at this address."),
        500: _("Something went wrong here. The log has the details under this answer's X-Request-ID."),
    }
    return sentences.get(status) or _("The request was not understood.")
