"""In login mode nobody asks without end."""

from __future__ import annotations

import pytest
from django.core.cache import caches

from tasks.api import throttles

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limited(settings, monkeypatch):
    settings.ACCESS, settings.REQUESTS_PER_MINUTE = "login", 3
    monkeypatch.setattr(throttles, "STRANGERS", 2)
    monkeypatch.setattr(throttles.time, "time", lambda: 6000.0)
    caches["shared"].clear()
    yield
    caches["shared"].clear()


def test_whoever_asks_too_often_is_told_when_to_ask_again(client, owner):
    client.force_login(owner)
    statuses = [client.get("/api/tasks/").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = client.get("/api/tasks/")
    assert answer["Retry-After"] == "60"
    assert answer.json()["status"] == 429


def test_people_are_counted_apart(client, owner, stranger):
    client.force_login(owner)
    for _ in range(4):
        client.get("/api/tasks/")
    client.force_login(stranger)
    assert client.get("/api/tasks/").status_code == 200


def test_the_next_minute_begins_anew(client, owner, monkeypatch):
    client.force_login(owner)
    for _ in range(4):
        client.get("/api/tasks/")
    monkeypatch.setattr(throttles.time, "time", lambda: 6060.0)
    assert client.get("/api/tasks/").status_code == 200


def test_strangers_are_counted_by_their_address(client):
    statuses = [client.get("/api/health", REMOTE_ADDR="192.0.2.7").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert client.get("/api/health", REMOTE_ADDR="192.0.2.8").status_code == 200


@pytest.mark.parametrize(("name", "value"), [("ACCESS", "local"), ("REQUESTS_PER_MINUTE", 0)])
def test_local_mode_and_no_limit_count_nothing(client, settings, owner, name, value):
    setattr(settings, name, value)
    client.force_login(owner)
    assert {client.get("/api/tasks/").status_code for _ in range(5)} == {200}
