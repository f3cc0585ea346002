"""Requests as a web server hands them over: whole, or refused."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.core.signals import request_started
from django.db import close_old_connections

from taskhub.wsgi import WholeBody, application


def test_a_whole_body_is_read_as_it_is():
    body = WholeBody(io.BytesIO(b"one\ntwo"), 7)
    assert (body.readline(), body.read(2), body.read(), body.read()) == (b"one\n", b"tw", b"o", b"")


@pytest.mark.parametrize("read", [lambda body: body.read(), lambda body: body.read(7), lambda body: body.readline()])
def test_a_body_that_ends_too_early_is_an_error(read):
    with pytest.raises(ConnectionError):
        read(WholeBody(io.BytesIO(b"one"), 7))


@pytest.fixture
def kept_connection(db: None) -> Iterator[None]:
    """The test's database connection stays open when a request starts."""
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


@pytest.fixture(autouse=True)
def peer_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.peers.is_ours", lambda connection: connection is not None)


def answer_to(body: bytes, length: int, content_type: str, *, shown: bool = True) -> str:
    """The status of a POST whose body was announced with this length."""
    statuses: list[str] = []
    environ: dict[str, object] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/tasks/submit",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(length),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
    }
    if shown:
        environ["gunicorn.socket"] = "ours"
    application(environ, lambda status, headers: statuses.append(status))
    return statuses[0]


@pytest.mark.usefixtures("kept_connection")
def test_a_server_that_does_not_show_its_connections_lets_nobody_in():
    assert answer_to(b"{}", 2, "application/json", shown=False) == "403 Forbidden"


FORM = b'--x\r\nContent-Disposition: form-data; name="task_type"\r\n\r\nNOOP\r\n--x--\r\n'


@pytest.mark.usefixtures("kept_connection")
@pytest.mark.parametrize(("missing", "status"), [(0, "201 Created"), (1, "400 Bad Request"), (100, "400 Bad Request")])
def test_half_a_form_is_no_form(missing, status):
    assert answer_to(FORM, len(FORM) + missing, "multipart/form-data; boundary=x") == status


@pytest.mark.usefixtures("kept_connection")
def test_half_a_json_body_is_refused():
    assert answer_to(b'{"task_type": "NOOP"}', 100, "application/json") == "400 Bad Request"


@pytest.mark.cluster
def test_an_upload_that_its_client_abandons_becomes_no_task(start_hub):
    hub = start_hub()
    where = urlsplit(hub.address)
    head = (
        f"POST /api/tasks/submit HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 10000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection((where.hostname, where.port)) as client:
        client.sendall(head.encode() + FORM.removesuffix(b"--x--\r\n"))
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert hub.health()["total_tasks"] == 0
