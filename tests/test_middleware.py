"""What every answer carries."""

from __future__ import annotations

import logging

import pytest

from tasks.middleware import RequestIdFilter

pytestmark = pytest.mark.django_db

STRICT = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}


def policy(answer):
    return set(answer["Content-Security-Policy"].split("; "))


@pytest.mark.parametrize("path", ["/", "/api/tasks/", "/api/tasks/no-id", "/no/such/page", "/livez"])
def test_every_answer_has_the_headers_of_the_house(client, path):
    answer = client.get(path)
    assert policy(answer) == STRICT
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]


def test_the_policy_is_loosened_for_the_documentation_alone_in_its_styles(client):
    assert policy(client.get("/docs")) == (STRICT - {"style-src 'self'"}) | {"style-src 'self' 'unsafe-inline'"}


@pytest.mark.parametrize(("path", "accept"), [("/admin/", "text/html"), ("/api/tasks/", "text/html")])
def test_admin_and_browsable_api_may_have_style_attributes_and_fonts(client, path, accept):
    answer = client.get(path, headers={"accept": accept})
    assert policy(answer) == STRICT | {"style-src-attr 'unsafe-inline'", "font-src 'self'"}


def test_a_request_id_comes_back_and_is_in_the_log(client, caplog):
    caplog.handler.addFilter(RequestIdFilter())
    with caplog.at_level(logging.WARNING, logger="django.request"):
        answer = client.get("/api/tasks/no-id", headers={"x-request-id": "deploy-42"})
    assert answer["X-Request-ID"] == "deploy-42"
    assert caplog.records[-1].request_id == "deploy-42"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\r\nSet-Cookie: b"])
def test_a_request_id_that_could_harm_a_log_is_replaced(client, given):
    made = client.get("/livez", headers={"x-request-id": given})["X-Request-ID"]
    assert made.isalnum()
    assert made != given
