"""One request and its answer, over a connection to an address that was checked before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool

from tasks.handlers.http_request.address import Refused, Target, parse, resolve

MOVED = {301, 302, 303, 307, 308}
MOST_REDIRECTS = 5
CHUNK = 65_536


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    seconds: float
    max_bytes: int
    follow: bool = True


@dataclass
class Answer:
    """What came back; its body lies at `path`, where it is `size` bytes long."""

    url: str
    status: int
    reason: str
    headers: HTTPHeaderDict
    address: str
    path: Path
    size: int = 0
    redirects: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        return f"{self.status} {self.reason}".strip()


class NoAnswer(Exception):
    """There was no answer, or not a whole one; says why. Another attempt may have more luck."""


def ask(request: Request, path: Path) -> Answer:
    """Send the request, follow its redirects within the host, and store the body of the last answer at `path`.

    Raises NoAnswer or Refused.
    """
    deadline = time.monotonic() + request.seconds
    target, method, body = parse(request.url), request.method, request.body
    redirects: list[str] = []
    while True:
        with _sent(target, method, body, request, deadline) as (response, address):
            location = response.headers.get("Location")
            if not (request.follow and response.status in MOVED and location):
                answer = _answer(target, response, address, path, redirects)
                answer.size = _store(response, path, request.max_bytes, deadline)
                return answer
        if len(redirects) == MOST_REDIRECTS:
            raise Refused(_("%(host)s redirects more than %(count)d times.") % _told(target, count=MOST_REDIRECTS))
        target = target.moved_to(location)
        redirects.append(target.url)
        # What browsers do, and RFC 9110, section 15.4, allows: all but 307 and 308 lead to something to look at.
        if response.status not in {307, 308} and method not in {"GET", "HEAD"}:
            method, body = "GET", None


@contextmanager
def _sent(
    target: Target, method: str, body: bytes | None, request: Request, deadline: float
) -> Iterator[tuple[HTTPResponse, str]]:
    """The answer's head, and the address it came from. Whatever goes wrong on the way is NoAnswer."""
    pool = None
    try:
        addresses = resolve(target)
        for number, address in enumerate(addresses, 1):
            pool = _pool(target, address)
            try:
                response = _send(pool, target, method, body, request, _left(target, deadline))
            except urllib3.exceptions.ConnectTimeoutError:  # refused ones are of this kind, too
                pool.close()
                if number == len(addresses):
                    raise
            else:
                yield response, address  # type: ignore[misc]
                return
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise NoAnswer(_in_words(error, target)) from error
    finally:
        if pool is not None:
            pool.close()


def _pool(target: Target, address: str) -> HTTPConnectionPool:
    """Connects to the address and nothing else; the certificate must still be the host's."""
    if target.scheme == "http":
        return HTTPConnectionPool(address, target.port, maxsize=1)
    return HTTPSConnectionPool(
        address, target.port, maxsize=1, server_hostname=target.host, assert_hostname=target.host
    )


def _send(
    pool: HTTPConnectionPool, target: Target, method: str, body: bytes | None, request: Request, seconds: float
) -> urllib3.BaseHTTPResponse:
    headers = {"User-Agent": "TaskHub", **request.headers, "Host": target.host_header}
    if body is None:
        headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    return pool.urlopen(
        method,
        target.path,
        body=body,
        headers=headers,
        retries=False,
        redirect=False,
        assert_same_host=False,
        timeout=urllib3.Timeout(total=seconds),
        preload_content=False,
    )


def _left(target: Target, deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise NoAnswer(_("%(host)s did not answer in time.") % _told(target))
    return left


def _answer(target: Target, response: HTTPResponse, address: str, path: Path, redirects: list[str]) -> Answer:
    reason = response.reason or ""
    return Answer(target.url, response.status, reason, response.headers, address, path, redirects=redirects)


def _store(response: HTTPResponse, path: Path, limit: int, deadline: float) -> int:
    """Write the body as it comes; gives its size. A server that drips is not waited for."""
    size = 0
    with path.open("wb") as file:
        while chunk := response.read1(CHUNK):
            size += len(chunk)
            if size > limit:
                raise Refused(_("The answer has more than %(limit)s.") % {"limit": filesizeformat(limit)})
            if time.monotonic() > deadline:
                raise NoAnswer(_("The answer took too long to arrive."))
            file.write(chunk)
    return size


def _in_words(error: Exception, target: Target) -> str:
    kinds = urllib3.exceptions
    if isinstance(error, kinds.NewConnectionError):  # for urllib3 a kind of timeout: asked first
        return _("%(host)s does not take connections on port %(port)d.") % _told(target, port=target.port)
    if isinstance(error, kinds.TimeoutError):
        return _("%(host)s did not answer in time.") % _told(target)
    if isinstance(error, kinds.SSLError):
        return _("No safe connection to %(host)s: %(error)s") % _told(target, error=error)
    if isinstance(error, kinds.ProtocolError):
        return _("%(host)s broke off its answer.") % _told(target)
    return str(error)


def _told(target: Target, **more: object) -> dict[str, object]:
    return {"host": target.host, **more}
