"""A person manages their tokens by API too."""

from __future__ import annotations

import pytest

from tasks.accounts import tokens
from tasks.accounts.models import Token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def signed_in(client, settings, owner):
    settings.ACCESS = "login"
    client.force_login(owner)


def test_a_new_token_shows_its_text_once_and_works(client):
    made = client.post("/api/tokens", {"name": "laptop", "days": 30}, content_type="application/json")
    assert made.status_code == 201
    header = {"authorization": f"Token {made.json()['token']}"}
    client.logout()
    [listed] = client.get("/api/tokens", headers=header).json()
    assert (listed["name"], "token" in listed) == ("laptop", False)
    assert client.delete(f"/api/tokens/{listed['id']}", headers=header).status_code == 204
    assert client.get("/api/tokens", headers=header).status_code == 401


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x", "days": 0}, {"name": "x" * 101}])
def test_a_wrong_token_is_not_made(client, body):
    assert client.post("/api/tokens", body, content_type="application/json").status_code == 422
    assert not Token.objects.exists()


def test_nobody_sees_or_revokes_anothers(client, stranger):
    token, _text = tokens.make(stranger, "laptop", None)
    assert client.get("/api/tokens").json() == []
    assert client.delete(f"/api/tokens/{token.public_id}").status_code == 404
    assert client.delete("/api/tokens/no-id").status_code == 404
