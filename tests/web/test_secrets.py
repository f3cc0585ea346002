"""What is secret in a task is on no page, in no answer and in no line of its log."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from rest_framework import serializers

from tasks import lifecycle, registry
from tasks.handlers.django_task import signed
from tasks.masking import MASK
from tasks.models import Task
from tasks.registry import task_type

pytestmark = pytest.mark.django_db
SECRET = "hunter2-s3cr3t"
REQUEST = {
    "url": f"https://example.com/a?access_token={SECRET}&page=2",
    "headers": {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET},
    "method": "POST",
    "body": f'{{"user": "ann", "password": "{SECRET}"}}',
}
PLACES = [
    "/tasks/{id}/",
    "/tasks/new/HTTP_REQUEST/?from={id}",
    "/api/tasks/{id}",
    "/api/tasks/{id}?format=api",
    "/api/tasks/{id}/attempts",
    "/api/tasks/?format=api",
    "/admin/tasks/task/{id}/change/",
    "/",
    "/audit/",
    "/tasks/export.csv",
]


@pytest.fixture
def request_task(client) -> Task:
    client.get("/")
    return lifecycle.submit("HTTP_REQUEST", REQUEST)


@pytest.mark.parametrize("place", PLACES)
def test_the_secrets_of_a_request_are_nowhere_to_be_seen(client, request_task, place):
    answer = client.get(place.format(id=request_task.pk))
    assert answer.status_code == 200
    assert SECRET not in answer.getvalue().decode()


@pytest.mark.parametrize(
    "place",
    [
        "/tasks/{id}/",
        "/tasks/{id}/items.csv",
        "/api/tasks/{id}/items",
        "/api/tasks/{id}/items?format=csv",
        "/admin/tasks/taskitem/",
        "/admin/tasks/taskitem/{item}/change/",
    ],
)
def test_the_secrets_of_an_item_are_nowhere_to_be_seen(client, request_task, place):
    address = f"https://ann:{SECRET}@example.com/"
    item = request_task.items.create(position=0, key=address, detail={"address": address, "token": SECRET})
    answer = client.get(place.format(id=request_task.pk, item=item.pk))
    assert answer.status_code == 200
    assert SECRET not in answer.getvalue().decode()


def test_its_handler_gets_them_all_the_same(request_task):
    assert request_task.parameters["url"] == REQUEST["url"]
    assert request_task.parameters["headers"] == REQUEST["headers"]


def test_a_commands_secrets_are_not_in_its_name(settings):
    settings.COMMANDS = ["import_orders"]
    kind = registry.get("COMMAND")
    arguments = ["--password", SECRET, f"--token={SECRET}", "orders.csv"]
    name = kind.name_for({"command": "import_orders", "arguments": arguments})
    assert name == f"import_orders --password {MASK} --token={MASK} orders.csv"


def test_the_signature_that_lets_a_function_be_called_is_shown_to_nobody(client, make_task):
    task = make_task("DJANGO_TASK", parameters=signed("work.mail", [], {}))
    assert client.get(f"/api/tasks/{task.pk}").json()["parameters"]["signature"] == MASK


def test_a_secret_that_was_left_masked_is_asked_for_again(client, request_task):
    filled = {"url": f"https://example.com/?access_token={MASK}", "method": "GET"}
    answer = client.post("/tasks/new/HTTP_REQUEST/", filled)
    assert answer.status_code == 422
    assert "shown to nobody" in answer.content.decode()
    assert Task.objects.count() == 1


class Door(serializers.Serializer):
    pin = serializers.CharField(style={"input_type": "password"})
    word = serializers.CharField(write_only=True)
    street = serializers.CharField(default="High Street")


@pytest.fixture
def door_task(client, monkeypatch) -> Task:
    """A task whose secrets are known by their declaration alone."""
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    task_type("DOOR", label="Door", parameters=Door)(lambda context, **parameters: None)
    client.get("/")
    return lifecycle.submit("DOOR", {"pin": SECRET, "word": SECRET})


@pytest.mark.parametrize("place", [place.replace("HTTP_REQUEST", "DOOR") for place in PLACES])
def test_what_is_declared_a_secret_is_nowhere_to_be_seen(client, door_task, place):
    answer = client.get(place.format(id=door_task.pk))
    assert answer.status_code == 200
    assert SECRET not in answer.getvalue().decode()


def test_what_is_declared_a_secret_is_masked_on_a_terminal_too(door_task):
    out = StringIO()
    call_command("taskhub", "show", str(door_task.pk), stdout=out)
    assert SECRET not in out.getvalue()
    assert "High Street" in out.getvalue()


def test_the_api_takes_no_masks_for_secrets_either(client, request_task):
    wanted = {"task_type": "HTTP_REQUEST", "parameters": REQUEST | {"body": f"password={MASK}"}}
    answer = client.post("/api/tasks/submit", wanted, content_type="application/json")
    assert answer.status_code == 422
    assert "shown to nobody" in answer.json()["errors"]["parameters"]["body"][0]
    answer = client.post("/api/tasks/bulk-submit", [wanted, wanted], content_type="application/json")
    assert answer.status_code == 422
    assert Task.objects.count() == 1


def test_a_task_whose_own_code_wrote_a_mask_can_be_retried(owner, make_task):
    old = make_task("DJANGO_TASK", status="FAILED", owner=owner, parameters=signed("work.mail", [MASK], {}))
    assert lifecycle.retry(old, by=owner).parameters["args"] == [MASK]
