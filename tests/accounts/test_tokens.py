"""Tokens let a person's programs in, until they expire or are revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from tasks.accounts import tokens
from tasks.accounts.models import Token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def login_mode(settings):
    settings.ACCESS = "login"


def ask(client, text, path="/api/tasks/", scheme="Token"):
    return client.get(path, headers={"authorization": f"{scheme} {text}"})


def test_a_token_lets_its_person_in_by_api(client, owner, make_task):
    _token, text = tokens.make(owner, "laptop", 30)
    task = make_task(owner=owner)
    answer = ask(client, text)
    assert [shown["id"] for shown in answer.json()] == [str(task.pk)]


def test_a_token_needs_no_csrf_token(client, owner):
    _token, text = tokens.make(owner, "laptop", 30)
    answer = client.post(
        "/api/tasks/submit",
        {"task_type": "NOOP"},
        content_type="application/json",
        headers={"authorization": f"Token {text}"},
    )
    assert answer.json()["owner"] == "owner"


@pytest.mark.parametrize("text", ["", "x", "x" * 64, "a b"])
def test_a_wrong_token_is_refused_as_unauthorized(client, owner, text):
    tokens.make(owner, "laptop", 30)
    answer = ask(client, text)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


def test_an_expired_token_lets_nobody_in(client, owner):
    token, text = tokens.make(owner, "laptop", 30)
    Token.objects.filter(pk=token.pk).update(expiry=timezone.now() - timedelta(seconds=1))
    assert ask(client, text).status_code == 401


def test_a_token_for_ever_does_not_expire(owner):
    token, _text = tokens.make(owner, "server", None)
    assert token.expiry is None
    assert not token.is_expired


def test_a_token_of_a_person_who_is_gone_lets_nobody_in(client, owner):
    _token, text = tokens.make(owner, "laptop", 30)
    owner.is_active = False
    owner.save()
    assert ask(client, text).status_code == 401


def test_the_token_itself_is_kept_nowhere(owner):
    token, text = tokens.make(owner, "laptop", 30)
    assert text not in {str(value) for value in Token.objects.values().get(pk=token.pk).values()}


def test_the_last_use_is_kept_to_the_minute(client, owner, django_assert_num_queries):
    token, text = tokens.make(owner, "laptop", 30)
    ask(client, text)
    token.refresh_from_db()
    first = token.last_used_at
    ask(client, text)
    token.refresh_from_db()
    assert token.last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(minutes=2))
    ask(client, text)
    token.refresh_from_db()
    assert token.last_used_at >= first


def test_a_revoked_token_lets_nobody_in_and_the_others_go_on(client, owner):
    laptop, laptop_text = tokens.make(owner, "laptop", 30)
    _server, server_text = tokens.make(owner, "server", 30)
    assert tokens.revoke(owner, laptop.public_id)
    assert ask(client, laptop_text).status_code == 401
    assert ask(client, server_text).status_code == 200


def test_nobody_can_revoke_anothers_token(owner, stranger):
    token, _text = tokens.make(owner, "laptop", 30)
    assert not tokens.revoke(stranger, token.public_id)
    assert Token.objects.filter(pk=token.pk).exists()


def test_making_and_revoking_leave_lines_that_name_the_person_not_the_token(owner):
    token, text = tokens.make(owner, "laptop", 30)
    tokens.revoke(owner, token.public_id)
    lines = LogEntry.objects.order_by("id")
    assert [(line.user, line.change_message, line.object_repr) for line in lines] == [
        (owner, "Made a token", "laptop"),
        (owner, "Revoked a token", "laptop"),
    ]
    assert text[:15] not in str(list(lines.values()))
