"""HTTP_REQUEST against a real server: what is sent, what is kept, what is refused, what is tried again."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import subprocess
import time

import pytest
from django.template.loader import render_to_string
from rest_framework.exceptions import ValidationError

from tasks import registry
from tasks.context import TaskInterrupted
from tasks.handlers.http_request import task
from tasks.masking import MASK, masked
from tasks.testing import MemoryRecorder, run_handler
from tests.handlers.web_server import web_server


@pytest.fixture
def server(settings):
    with web_server() as served:
        settings.HTTP_ALLOW_PRIVATE = True
        settings.HTTP_PORTS = [80, 443, served.port]
        yield served


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that would have been made."""
    made = []
    monkeypatch.setattr(task.time, "sleep", made.append)
    return made


def call(url, **parameters):
    recorder = parameters.pop("recorder", None)
    return run_handler("HTTP_REQUEST", {"url": url, **parameters}, recorder=recorder)


def test_an_answer_is_kept_as_a_file_and_told_in_the_result(server):
    server.routes["/report.csv"] = (
        200,
        {"Content-Type": "text/csv", "Set-Cookie": "session=very-secret"},
        b"a,b\n1,2\n",
    )
    outcome = call(server.url("/report.csv?year=2026"))
    assert outcome.files == {"report.csv": b"a,b\n1,2\n"}
    result = outcome.result
    assert (result["status"], result["size"], result["attempts"], result["address"]) == (200, 8, 1, "127.0.0.1")
    assert result["headers"]["Content-Type"] == "text/csv"
    assert "very-secret" not in json.dumps(result)
    assert server.seen[0].path == "/report.csv?year=2026"
    assert server.seen[0].headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_method_headers_and_body_arrive_as_given(method, server):
    server.routes["/"] = (201, {}, b"")
    outcome = call(
        server.url(), method=method, headers={"X-Trace": "7", "Authorization": "Bearer abc"}, body='{"é": 1}'
    )
    [seen] = server.seen
    assert (seen.method, seen.body) == (method, '{"é": 1}'.encode())
    assert (seen.headers["X-Trace"], seen.headers["Authorization"]) == ("7", "Bearer abc")
    assert seen.headers["Content-Type"] == "application/json"
    assert (outcome.result["status"], outcome.result["file"]) == (201, None)


def test_a_secret_header_is_shown_nowhere(server):
    server.routes["/"] = (200, {}, b"ok")
    headers = {"Authorization": "Bearer abc", "Cookie": "a=b", "X-Api-Key": "k"}
    outcome = call(server.url(), headers=headers)
    assert masked({"headers": headers}) == {"headers": dict.fromkeys(headers, MASK)}
    assert not any("Bearer abc" in line for line in [*outcome.log, json.dumps(outcome.result)])


@pytest.mark.parametrize(
    ("status", "expected", "failed"),
    [
        (204, [], None),
        (404, [], "127.0.0.1 answered 404 Not Found; expected was 200-299."),
        (404, [404, 410], None),
        (200, [201], "127.0.0.1 answered 200 OK; expected was 201."),
    ],
)
def test_only_the_expected_status_is_a_success(status, expected, failed, server):
    server.routes["/"] = (status, {}, b"the page says why" if status != 204 else b"")
    outcome = call(server.url(), expected_status=expected)
    assert outcome.failed == failed
    assert ("the page says why" in outcome.log) == (failed is not None)


def test_no_answer_is_tried_again_with_growing_pauses(server, pauses):
    answers = iter([(503, {}, b""), (502, {"Retry-After": "7"}, b""), (429, {}, b""), (200, {}, b"at last")])
    server.routes["/"] = lambda handler: handler.send(*next(answers))
    outcome = call(server.url(), attempts=5)
    assert (outcome.result["attempts"], outcome.result["status"]) == (4, 200)
    assert pauses == [1, 7, 4]


def test_the_names_of_headers_are_understood_in_small_letters_too(server, pauses):
    answers = iter([(503, {"retry-after": "7"}, b""), (200, {"content-type": "application/json"}, b"{}")])
    server.routes["/"] = lambda handler: handler.send(*next(answers))
    outcome = call(server.url(), attempts=2)
    assert pauses == [7]
    assert list(outcome.files) == ["response.json"]
    assert outcome.result["headers"]["content-type"] == "application/json"


def test_after_the_last_attempt_the_task_fails_with_what_went_wrong(server, pauses):
    server.routes["/"] = (503, {}, b"")
    assert call(server.url(), attempts=2).failed == "127.0.0.1 answered 503 Service Unavailable; expected was 200-299."
    assert pauses == [1]


def test_a_port_that_nobody_listens_on_is_said_in_a_sentence(settings):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        settings.HTTP_ALLOW_PRIVATE, settings.HTTP_PORTS = True, [port]
        assert call(f"http://127.0.0.1:{port}/").failed == f"127.0.0.1 does not take connections on port {port}."


def test_a_server_that_breaks_off_its_answer_is_told(server):
    def broken(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"only this")
        handler.close_connection = True

    server.routes["/"] = broken
    assert call(server.url()).failed == "127.0.0.1 broke off its answer."


def test_a_server_that_drips_is_not_waited_for(server):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(600):
            handler.wfile.write(b".")
            handler.wfile.flush()
            time.sleep(0.02)

    server.routes["/"] = drip
    assert call(server.url(), time_limit=0.3).failed == "The answer took too long to arrive."


def test_a_server_that_says_nothing_is_not_waited_for(settings):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        settings.HTTP_ALLOW_PRIVATE, settings.HTTP_PORTS = True, [port]
        assert call(f"http://127.0.0.1:{port}/", time_limit=0.2).failed == "127.0.0.1 did not answer in time."


def test_an_answer_that_is_too_large_is_refused(server):
    server.routes["/"] = (200, {}, b"x" * 5000)
    outcome = call(server.url(), max_bytes=1024)
    assert outcome.failed is not None
    assert outcome.failed.startswith("The answer has more than 1.0")
    assert outcome.files == {}


def test_an_answer_that_unpacks_to_too_much_is_refused(server):
    server.routes["/"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 10_000_000))
    assert call(server.url(), max_bytes=100_000).failed is not None


# --- redirects


def test_a_redirect_within_the_host_is_followed(server):
    server.routes["/old"] = (302, {"Location": "/new?x=1"}, b"")
    server.routes["/new"] = (200, {}, b"here")
    outcome = call(server.url("/old"), method="POST", body="text")
    assert outcome.result["redirects"] == [server.url("/new?x=1")]
    assert [(seen.method, seen.body) for seen in server.seen] == [("POST", b"text"), ("GET", b"")]
    assert "Content-Type" not in server.seen[1].headers


def test_a_redirect_that_keeps_the_method_keeps_the_body(server):
    server.routes["/old"] = (307, {"Location": "/new"}, b"")
    server.routes["/new"] = (200, {}, b"here")
    call(server.url("/old"), method="PUT", body="text")
    assert [(seen.method, seen.body) for seen in server.seen] == [("PUT", b"text"), ("PUT", b"text")]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://elsewhere.example/", "127.0.0.1 redirects to elsewhere.example."),
        ("//elsewhere.example/", "127.0.0.1 redirects to elsewhere.example."),
        ("http://127.0.0.1:22/", "Port 22 is not called"),
        ("file:///etc/passwd", "Only http and https are called."),
        ("/round", "127.0.0.1 redirects more than 5 times."),
    ],
)
def test_a_redirect_to_elsewhere_is_not_followed(location, said, server):
    server.routes["/round"] = (302, {"Location": location}, b"")
    outcome = call(server.url("/round"), headers={"Authorization": "secret"})
    assert outcome.failed is not None
    assert outcome.failed.startswith(said)


def test_who_wants_to_see_the_redirect_itself_gets_it(server):
    server.routes["/"] = (302, {"Location": "http://elsewhere.example/"}, b"")
    outcome = call(server.url(), follow_redirects=False, expected_status=[302])
    assert outcome.result["headers"]["Location"] == "http://elsewhere.example/"


# --- where a request may go


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "0.0.0.0", "10.1.2.3", "172.16.0.1",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]",
        "[ff02::1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b:1:7f00:0:100:808:808]", "[fec0::1]", "[5f00::1]", "192.0.0.192",
        "168.63.129.16",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(host):
    outcome = call(f"http://{host}/", time_limit=2)
    assert outcome.failed is not None
    assert "which is not a public address" in outcome.failed or "There is no host" in outcome.failed


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "[64:ff9b::169.254.169.254]", "[::ffff:0:169.254.169.254]", "[64:ff9b:1::a9fe:a9fe]",
        "[fd00:ec2::254]", "168.63.129.16", "192.0.0.192", "100.100.100.200",
    ],
)  # fmt: skip
def test_the_machines_of_a_cloud_are_refused_even_where_private_addresses_are_allowed(host, settings):
    settings.HTTP_ALLOW_PRIVATE = True
    assert "not a public address" in call(f"http://{host}/latest/meta-data").failed


def names(monkeypatch, *answers):
    """Has every look-up of a name answered from these, in turn; gives the list of names that were looked up."""
    asked, left = [], list(answers)

    def getaddrinfo(host, port, *args, **kwargs):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_leads_to_a_private_address_too_is_refused(monkeypatch):
    names(monkeypatch, ["93.184.215.14", "10.0.0.1"])
    assert call("http://two-faced.example/").failed == (
        "two-faced.example leads to 10.0.0.1, which is not a public address."
    )


def test_a_name_is_looked_up_once_and_that_very_address_is_called(server, monkeypatch):
    real = socket.getaddrinfo
    server.routes["/"] = (200, {}, b"ok")
    asked = []

    def getaddrinfo(host, *args, **kwargs):
        asked.append(host)
        return real("127.0.0.1" if host == "service.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert call(server.url(host="service.example")).result["address"] == "127.0.0.1"
    assert asked == ["service.example", "127.0.0.1"]  # the second is the address itself, on its way into a socket
    assert server.seen[0].headers["Host"] == f"service.example:{server.port}"


def test_the_next_address_of_a_host_is_called_when_the_first_is_not_there(server, monkeypatch):
    server.routes["/"] = (200, {}, b"ok")
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        hosts = ["127.0.0.9", "127.0.0.1"] if host == "service.example" else [host]
        return [entry for one in hosts for entry in real(one, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert call(server.url(host="service.example")).result["address"] == "127.0.0.1"


@pytest.fixture
def certificate(tmp_path):
    """Of the host service.example, signed by itself."""
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=service.example"]
    command += ["-addext", "subjectAltName=DNS:service.example", "-keyout", str(key), "-out", str(made)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return key, made


@pytest.mark.parametrize(("host", "works"), [("service.example", True), ("other.example", False)])
def test_the_certificate_must_be_the_hosts_though_the_address_is_called(
    certificate, host, works, monkeypatch, settings
):
    key, made = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    asked_for = []
    context.sni_callback = lambda connection, name, _context: asked_for.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *a, **k: real("127.0.0.1" if name.endswith(".example") else name, *a, **k)
    )
    with web_server(lambda listening: context.wrap_socket(listening, server_side=True)) as served:
        settings.HTTP_ALLOW_PRIVATE, settings.HTTP_PORTS = True, [served.port]
        served.routes["/"] = (200, {}, b"safe")
        outcome = call(f"https://{host}:{served.port}/")
    assert asked_for == [host]
    if works:
        assert outcome.result["status"] == 200
    else:
        assert outcome.failed.startswith(f"No safe connection to {host}: ")


# --- refused before anything starts


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "gopher://example.org/"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "example.org"}, "url"),
        ({"url": "http://example.org:22/"}, "url"),
        ({"url": "http://example.org:99999/"}, "url"),
        ({"url": "http://user:pass@example.org/"}, "url"),
        ({"url": "http://a" + "a" * 70 + ".example/"}, "url"),
        ({"method": "TRACE"}, "method"),
        ({"body": "x"}, "body"),
        ({"headers": {"Host": "elsewhere"}}, "headers"),
        ({"headers": {"Content-Length": "0"}}, "headers"),
        ({"headers": {"X": "a\r\nHost: b"}}, "headers"),
        ({"headers": {"X Y": "a"}}, "headers"),
        ({"headers": {"X": "日本"}}, "headers"),
        ({"expected_status": [99]}, "expected_status"),
        ({"attempts": 0}, "attempts"),
        ({"time_limit": 601}, "time_limit"),
    ],
)
def test_what_cannot_be_called_is_refused_before_anything_starts(parameters, field):
    with pytest.raises(ValidationError) as refusal:
        registry.get("HTTP_REQUEST").validate({"url": "https://example.org/"} | parameters)
    assert list(refusal.value.detail) == [field]


def test_an_interrupt_ends_the_waiting_between_attempts(server):
    server.routes["/"] = (503, {}, b"")
    with pytest.raises(TaskInterrupted):
        call(server.url(), attempts=3, recorder=MemoryRecorder(interrupt_after=1))


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("/data/report.pdf", "application/pdf", "report.pdf"),
        ("/api/items", "application/json; charset=utf-8", "response.json"),
        ("/", "", "response.bin"),
        ("/..%2F..%2Fetc%2Fpasswd.txt", "text/plain", "passwd.txt"),
    ],
)
def test_the_answer_has_a_name_that_people_recognise(path, kind, name, server):
    server.routes[path] = (200, {"Content-Type": kind}, b"body")
    assert list(call(server.url(path)).files) == [name]


def test_a_task_is_named_by_what_it_calls_without_the_query():
    kind = registry.get("HTTP_REQUEST")
    parameters = kind.validate({"url": "https://example.org/api?token=abc", "method": "POST"})
    assert kind.name_for(parameters) == "POST example.org/api"
    assert kind.timeout_for(parameters) > parameters["time_limit"]
    assert kind.summarize({"status": 200, "reason": "OK", "size": 2048}) == "200 OK, 2.0 KB"
    kind.validate(kind.sample())


def test_the_result_page_keeps_markup_in_an_answer_as_text(server):
    server.routes["/"] = (200, {"X-Evil": "<script>"}, b"ok")
    page = render_to_string("tasks/results/http_request.html", {"result": call(server.url()).result})
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
