"""Health, probes and task types by API."""

from __future__ import annotations

import pytest
from django.db import DatabaseError

from tasks import registry
from tasks.models import Task

pytestmark = pytest.mark.django_db


def test_a_stranger_is_told_no_more_than_whether_it_works(client, settings):
    settings.ACCESS = "login"
    assert client.get("/api/health").json() == {"status": "healthy", "queue_running": False}


def test_a_large_count_is_remembered_for_a_while(client, make_task, monkeypatch):
    monkeypatch.setattr("tasks.api.hub.EXACT_COUNT", 1)
    make_task(), make_task()
    assert client.get("/api/health").json()["total_tasks"] == 2
    make_task()
    assert client.get("/api/health").json()["total_tasks"] == 2


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_says_ok(client, path):
    assert client.get(path).content == b"ok\n"


def test_it_is_not_ready_while_the_database_does_not_answer(client, monkeypatch):
    def away():
        raise DatabaseError("gone")

    monkeypatch.setattr("tasks.api.hub.connection.ensure_connection", away)
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_each_task_type_has_the_schemas_of_its_parameters_and_its_result(client):
    types = {kind["name"]: kind for kind in client.get("/api/task-types").json()}
    assert types.keys() == {kind.name for kind in registry.all_types()}
    noop = types["NOOP"]["parameters"]
    assert noop["type"] == "object"
    assert noop["properties"]["x"]["type"] == "integer"
    assert noop["additionalProperties"] is False
    assert types["NOOP"]["result"]["type"] == "integer"
    assert types["IMAGE_PROCESSING"]["result"]["properties"]["archive"]["format"] == "uuid"


def test_nothing_is_asked_of_the_database_for_the_types(client, django_assert_max_num_queries):
    client.get("/api/task-types")
    with django_assert_max_num_queries(1):  # who asks
        client.get("/api/task-types")
    assert not Task.objects.exists()
