"""Pages of other origins cannot read the API, unless their origin is named."""

from __future__ import annotations

import pytest

from tasks.accounts import tokens

pytestmark = pytest.mark.django_db

ELSEWHERE = "https://app.example"


@pytest.fixture
def ask(client, settings, owner):
    settings.ACCESS = "login"
    _token, text = tokens.make(owner, "app", 1)

    def ask(path="/api/tasks/"):
        return client.get(path, headers={"origin": ELSEWHERE, "authorization": f"Token {text}"})

    return ask


def test_no_origin_may_read_answers_unless_it_is_named(ask):
    assert "Access-Control-Allow-Origin" not in ask()


def test_a_named_origin_may_and_sees_the_headers_that_clients_need(ask, settings, client):
    settings.CORS_ALLOWED_ORIGINS = [ELSEWHERE]
    answer = ask()
    assert answer["Access-Control-Allow-Origin"] == ELSEWHERE
    assert "link" in answer["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer
    asked = {"origin": ELSEWHERE, "access-control-request-method": "POST", "access-control-request-headers": "x"}
    preflight = client.options("/api/tasks/submit", headers=asked)
    assert "idempotency-key" in preflight["Access-Control-Allow-Headers"]


def test_pages_are_never_shared(ask, settings):
    settings.CORS_ALLOWED_ORIGINS = [ELSEWHERE]
    assert "Access-Control-Allow-Origin" not in ask("/sign-in/")
