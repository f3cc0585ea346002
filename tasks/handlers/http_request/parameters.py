"""What HTTP_REQUEST may be asked for."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from tasks.handlers.http_request.address import Refused, parse

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
BODILESS = {"GET", "HEAD", "OPTIONS"}
MEGABYTE = 1024 * 1024
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
# Said by the connection, not by whoever asks.
OURS = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"}


class Parameters(serializers.Serializer[Any]):
    url = serializers.CharField(
        max_length=2000, label=_("URL"), help_text=_("What to call: http or https, without a user name in it.")
    )
    method = serializers.ChoiceField(METHODS, default="GET", label=_("Method"), help_text=_("What to ask for."))
    headers = serializers.DictField(
        child=serializers.CharField(max_length=8000, allow_blank=True),
        default=dict,
        label=_("Headers"),
        help_text=_('As JSON: {"Authorization": "Bearer …"}. Values of secret ones are shown to nobody.'),
    )
    body = serializers.CharField(
        default="",
        allow_blank=True,
        trim_whitespace=False,
        max_length=MEGABYTE,
        style={"base_template": "textarea.html"},
        label=_("Body"),
        help_text=_("Sent with POST, PUT, PATCH and DELETE; as JSON if it is JSON and no header says otherwise."),
    )
    expected_status = serializers.ListField(
        child=serializers.IntegerField(min_value=100, max_value=599),
        default=list,
        max_length=20,
        label=_("Expected status"),
        help_text=_("Status codes that count as success. Left empty: 200 to 299."),
    )
    attempts = serializers.IntegerField(
        default=1,
        min_value=1,
        max_value=10,
        label=_("Attempts"),
        help_text=_("How often to try when no answer comes, or 429, 502, 503 or 504, with growing pauses."),
    )
    time_limit = serializers.FloatField(
        default=30,
        min_value=0.1,
        max_value=600,
        label=_("Time limit"),
        help_text=_("Seconds that one attempt may take, from the look-up of the host to the last byte."),
    )
    max_bytes = serializers.IntegerField(
        default=50 * MEGABYTE,
        min_value=1,
        max_value=1024 * MEGABYTE,
        label=_("At most this many bytes"),
        help_text=_("A larger answer is refused."),
    )
    follow_redirects = serializers.BooleanField(
        default=True, label=_("Follow redirects"), help_text=_("Within the same host; never to another one.")
    )

    def validate_url(self, url: str) -> str:
        try:
            parse(url)
        except Refused as error:
            raise serializers.ValidationError(str(error)) from error
        return url

    def validate_headers(self, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not TOKEN.fullmatch(name):
                raise serializers.ValidationError(gettext("%(name)r is not a header's name.") % {"name": name})
            if name.lower() in OURS:
                raise serializers.ValidationError(
                    gettext("%(name)s cannot be given: it is set for you.") % {"name": name}
                )
            if not value.isprintable() or not _is_latin(value):
                raise serializers.ValidationError(gettext("%(name)s holds what no header can.") % {"name": name})
        return headers

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["body"] and attrs["method"] in BODILESS:
            said = gettext("%(method)s has no body.") % {"method": attrs["method"]}
            raise serializers.ValidationError({"body": [said]})
        return attrs


def _is_latin(text: str) -> bool:
    return all(ord(letter) < 256 for letter in text)
