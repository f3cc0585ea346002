"""What the API's answers look like to people, and to programs that ask for nothing we have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import renderers
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """Without the style element for code samples, which the content policy forbids; what is typed in is JSON."""

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        return super().get_context(data, accepted_media_type, renderer_context) | {"code_style": None}

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        if form := super().get_raw_data_form(data, view, method, request):
            # The names of our parsers are `*/*`, and that of forms, which nobody types.
            media_type: Any = form.fields["_content_type"]
            media_type.choices = [("application/json", "application/json")]
            media_type.initial = "application/json"
        return form


class JSONUnlessAsked(DefaultContentNegotiation):
    """Who asks for a type that we do not have gets JSON: better than nothing, and an old client may ask for anything."""

    def select_renderer(
        self, request: Request, renderers: Iterable[renderers.BaseRenderer], format_suffix: str | None = None
    ) -> tuple[renderers.BaseRenderer, str]:
        known = list(renderers)
        try:
            return super().select_renderer(request, known, format_suffix)
        except NotAcceptable:
            return known[0], known[0].media_type
