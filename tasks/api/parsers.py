"""Bodies as the API takes them: JSON that can be stored as it is, of a bounded size."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

# Escapes that may stand for what no database stores: NUL, and halves of a surrogate pair.
SUSPECT = re.compile(r"\\u(0000|d[89a-f])", re.IGNORECASE)
LARGEST = 2**63


class TooLarge(APIException):
    status_code = 413
    default_detail = "The request is too large."


def loads(text: str) -> Any:
    """The JSON value. Raises ParseError, also for numbers and characters that could not be stored or sent back."""
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_small)
        if SUSPECT.search(text):
            _check_storable(value)
    except RecursionError:
        raise ParseError(_("The JSON is nested too deeply.")) from None
    except ValueError as error:
        raise ParseError(_("This is not valid JSON: %(error)s") % {"error": error}) from None
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    if (value := float(text)) in {float("inf"), float("-inf")}:
        raise ValueError("a number is too large")
    return value


def _small(text: str) -> int:
    if len(text) > 20 or not -LARGEST <= int(text) < LARGEST:
        raise ValueError("a number is too large")
    return int(text)


def _check_storable(value: Any) -> None:
    # Encoding fails for half a surrogate pair; a NUL stays an escape.
    if b"\\u0000" in json.dumps(value, ensure_ascii=False).encode().replace(b"\\\\", b""):
        raise ValueError("a text holds a NUL character")


class JSONParser(BaseParser):
    """JSON, whatever the client calls it: `curl -d` says that it sends a form."""

    media_type = "*/*"
    max_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(self.max_bytes + 1)
        if len(body) > self.max_bytes:
            raise TooLarge
        try:
            return loads(body.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ParseError(_("The body is not UTF-8 text.")) from None
