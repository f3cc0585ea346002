"""A task's file as an HTTP response: an attachment, in parts where the client asks for a part."""

from __future__ import annotations

import re
from typing import IO, cast

from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import quote_etag

from tasks.models import TaskFile

# What a browser may show in place: pixels, and nothing that can carry a script.
SAFE_INLINE = frozenset({"image/avif", "image/gif", "image/jpeg", "image/png", "image/webp"})
SANDBOX = "sandbox; default-src 'none'"
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Part:
    """A file of which no more than `length` bytes are read."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self.file, self.left = file, length
        self.close = file.close

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        chunk = self.file.read(wanted)
        self.left -= len(chunk)
        return chunk


def file_response(request: HttpRequest, file: TaskFile, *, inline: bool = False) -> HttpResponseBase:
    """The file, as an attachment unless `inline` is asked for and its type is harmless; 404's are the caller's.

    Answers `Range` with one range by 206 or 416 (RFC 9110, section 14); a list of ranges gets the whole file.
    """
    wanted = requested_range(request, file)
    if wanted is not None and not wanted:
        return _finished(HttpResponse(status=416, headers={"Content-Range": f"bytes */{file.size}"}), file)
    content = cast(IO[bytes], default_storage.open(str(file.content.name)).file)
    shown = inline and file.content_type in SAFE_INLINE
    if wanted is None:
        response = FileResponse(content, as_attachment=not shown, filename=file.name, content_type=file.content_type)
    else:
        content.seek(wanted.start)
        part = Part(content, len(wanted))
        response = FileResponse(part, as_attachment=not shown, filename=file.name, content_type=file.content_type)
        response.status_code = 206
        response["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{file.size}"
    response["Content-Length"] = file.size if wanted is None else len(wanted)
    return _finished(response, file)


def requested_range(request: HttpRequest, file: TaskFile) -> range | None:
    """The bytes asked for; None for the whole file, an empty range for what it does not have."""
    match = ONE_RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if not match or match.group() == "bytes=-" or request.headers.get("If-Range", _etag(file)) != _etag(file):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, file.size - int(last)), file.size)
    end = min(int(last) + 1, file.size) if last else file.size
    if last and int(last) < int(first):
        return None
    return range(int(first), end)


def _etag(file: TaskFile) -> str:
    # A file's content never changes under its id.
    return quote_etag(str(file.id))


def _finished(response: HttpResponseBase, file: TaskFile) -> HttpResponseBase:
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = _etag(file)
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    return response
