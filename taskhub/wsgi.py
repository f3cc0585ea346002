"""The entry point of the web server."""

from __future__ import annotations

import os
from typing import Any, Protocol

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskhub.settings")


class Stream(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...

    def readline(self, size: int = -1, /) -> bytes: ...


class WholeBody:
    """A request's body that ends at its announced length and not before.

    A client that leaves in the middle of an upload otherwise looks like one that is through: half a form would be
    taken for a whole one, and a task made of it. Each method raises ConnectionError where the body ends too early.
    """

    def __init__(self, stream: Stream, length: int) -> None:
        self.stream, self.left = stream, length

    def read(self, size: int = -1, /) -> bytes:
        return self._counted(self.stream.read(size), size)

    def readline(self, size: int = -1, /) -> bytes:
        line = self.stream.readline(size)
        return self._counted(line, len(line) if line.endswith(b"\n") else size)

    def _counted(self, data: bytes, asked: int) -> bytes:
        expected = self.left if asked < 0 else min(asked, self.left)
        if len(data) < expected:
            raise ConnectionError("The request ended before its body was complete.")
        self.left -= len(data)
        return data


class Application:
    """Django's application, with whole bodies only, and never without a word on whose connection it is."""

    def __init__(self) -> None:
        self.django = get_wsgi_application()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if length := environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = WholeBody(environ["wsgi.input"], int(length))
        # A server that does not hand its socket over, as gunicorn and our runserver do, lets nobody in in local mode.
        environ.setdefault("gunicorn.socket", None)
        return self.django(environ, start_response)


application = Application()
