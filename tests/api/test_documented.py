"""The OpenAPI document is complete and true: each status it names is what the API really answers, in that shape."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from django.core.cache import caches
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import OperationalError
from drf_spectacular.generators import SchemaGenerator

from tasks import registry
from tasks.access import local_user
from tasks.accounts import tokens
from tasks.api import parsers, throttles
from tasks.models import Queue, TaskFile
from tasks.problems import MEDIA_TYPE

pytestmark = pytest.mark.django_db

DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
DOCUMENTED = [
    (name, int(status)) for name, (_, _, operation) in OPERATIONS.items() for status in operation["responses"]
]


def json_body(operation):
    return operation.get("requestBody", {}).get("content", {}).get("application/json", {})


UNKNOWN = "01890000-0000-7000-8000-000000000000"
NOOP = {"task_type": "NOOP"}


@dataclass
class Scene:
    """What a request may need: tasks in each state, a file."""

    client: Any
    make_task: Callable[..., Any]
    staff: Any

    def task(self, status="FAILED"):
        return {"task_id": str(self.make_task(status=status).pk)}

    def queue(self):
        Queue.objects.get_or_create(name="default")
        return {"queue": "default"}

    def token(self):
        token, _text = tokens.make(local_user(), "laptop", 1)
        return {"token_id": str(token.public_id)}

    def file(self):
        row = TaskFile(task=self.make_task(), kind="output", name="a.txt", size=3)
        row.content.save("a.txt", ContentFile(b"abc"), save=False)
        row.save()
        return {"file_id": str(row.pk)}


def ask(scene, name, *, ids=None, query="", body=None, **headers):
    method, path, _ = OPERATIONS[name]
    unknown = dict.fromkeys(("task_id", "file_id", "token_id", "queue"), UNKNOWN)
    path = path.format(**unknown | (ids or {}))
    more = {} if body is None else {"data": body, "content_type": "application/json"}
    return getattr(scene.client, method)(path + query, headers=headers, **more)


# How to come by each status, by operation. Those that any operation may answer are below.
WAYS: dict[tuple[str, int], Callable[[Scene], Any]] = {
    ("actOnTasks", 200): lambda s: ask(s, "actOnTasks", body={"action": "cancel", "ids": [s.task()["task_id"]]}),
    ("actOnTasks", 422): lambda s: ask(s, "actOnTasks", body={}),
    ("cancelTask", 200): lambda s: ask(s, "cancelTask", ids=s.task("RUNNING")),
    ("cancelTask", 400): lambda s: ask(s, "cancelTask", ids=s.task("SUCCESS")),
    ("createTask", 201): lambda s: ask(s, "createTask", body=NOOP),
    ("createTask", 422): lambda s: ask(s, "createTask", body={}),
    ("deleteTask", 204): lambda s: ask(s, "deleteTask", ids=s.task("SUCCESS")),
    ("deleteTask", 400): lambda s: ask(s, "deleteTask", ids=s.task("RUNNING")),
    ("downloadFile", 200): lambda s: ask(s, "downloadFile", ids=s.file()),
    ("downloadFile", 206): lambda s: ask(s, "downloadFile", ids=s.file(), range="bytes=0-1"),
    ("downloadFile", 416): lambda s: ask(s, "downloadFile", ids=s.file(), range="bytes=9-"),
    ("getHealth", 200): lambda s: ask(s, "getHealth"),
    ("getLog", 200): lambda s: ask(s, "getLog", ids=s.task()),
    ("getLog", 422): lambda s: ask(s, "getLog", ids=s.task(), query="?after=x"),
    ("getTask", 200): lambda s: ask(s, "getTask", ids=s.task()),
    ("getTask", 422): lambda s: ask(s, "getTask", ids=s.task(), query="?wait=x"),
    ("listAttempts", 200): lambda s: ask(s, "listAttempts", ids=s.task()),
    ("listFiles", 200): lambda s: ask(s, "listFiles", ids=s.task()),
    ("listItems", 200): lambda s: ask(s, "listItems", ids=s.task()),
    ("listItems", 422): lambda s: ask(s, "listItems", ids=s.task(), query="?state=x"),
    ("listClusters", 200): lambda s: ask(s, "listClusters"),
    ("listQueues", 200): lambda s: ask(s, "listQueues"),
    ("pauseQueue", 200): lambda s: ask(s, "pauseQueue", ids=s.queue()),
    ("resumeQueue", 200): lambda s: ask(s, "resumeQueue", ids=s.queue()),
    ("getStatistics", 200): lambda s: ask(s, "getStatistics"),
    ("getStatistics", 422): lambda s: ask(s, "getStatistics", query="?range=x"),
    ("listTokens", 200): lambda s: s.token() and ask(s, "listTokens"),
    ("makeToken", 201): lambda s: ask(s, "makeToken", body={"name": "laptop", "days": 30}),
    ("makeToken", 422): lambda s: ask(s, "makeToken", body={}),
    ("revokeToken", 204): lambda s: ask(s, "revokeToken", ids=s.token()),
    ("listTaskTypes", 200): lambda s: ask(s, "listTaskTypes"),
    ("listTasks", 200): lambda s: s.task() and ask(s, "listTasks"),
    ("listTasks", 422): lambda s: ask(s, "listTasks", query="?status=x"),
    ("retryTask", 201): lambda s: ask(s, "retryTask", ids=s.task("FAILED")),
    ("retryTask", 400): lambda s: ask(s, "retryTask", ids=s.task("RUNNING")),
    ("retryTask", 422): lambda s: ask(s, "retryTask", ids=s.task("FAILED"), body={"items": "x"}),
    ("submitTask", 201): lambda s: ask(s, "submitTask", body=NOOP),
    ("submitTask", 422): lambda s: ask(s, "submitTask", body={}),
    ("submitTasks", 201): lambda s: ask(s, "submitTasks", body=[NOOP]),
    ("submitTasks", 422): lambda s: ask(s, "submitTasks", body=[{}]),
}


def not_json(scene, name, settings, monkeypatch):
    return ask(scene, name, ids=scene.task(), body="{")


def unauthorized(scene, name, settings, monkeypatch):
    settings.ACCESS = "login"
    return ask(scene, name, authorization="Token wrong")


def not_local(scene, name, settings, monkeypatch):
    return ask(scene, name, **{"x-forwarded-for": "192.0.2.7"})


def not_there(scene, name, settings, monkeypatch):
    return ask(scene, name)


def too_large(scene, name, settings, monkeypatch):
    for parser in (parsers.JSONParser, *parsers.JSONParser.__subclasses__()):
        monkeypatch.setattr(parser, "max_bytes", 3)
    return ask(scene, name, ids=scene.task(), body={"too": "large"})


def too_often(scene, name, settings, monkeypatch):
    settings.ACCESS = "login"
    monkeypatch.setattr(throttles, "STRANGERS", 0)
    monkeypatch.setattr(throttles.time, "time", lambda: 6000.0)  # requests are counted by the minute
    settings.REQUESTS_PER_MINUTE = 1
    scene.client.force_login(scene.staff)
    for _ in range(3):
        answer = ask(scene, name, body={} if OPERATIONS[name][0] == "post" else None)
    caches["shared"].clear()
    return answer


def no_database(scene, name, settings, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr("tasks.access.LocalAuthentication.authenticate", fail)
    return ask(scene, name)


ANYWHERE = {
    400: not_json,
    401: unauthorized,
    403: not_local,
    404: not_there,
    413: too_large,
    429: too_often,
    503: no_database,
}


@pytest.fixture
def scene(client, make_task, staff):
    return Scene(client, make_task, staff)


@pytest.mark.parametrize(("name", "status"), DOCUMENTED)
def test_each_documented_status_is_the_real_answer_in_its_shape(jsonschema, scene, name, status, settings, monkeypatch):
    way = WAYS.get((name, status))
    answer = way(scene) if way else ANYWHERE[status](scene, name, settings, monkeypatch)
    assert answer.status_code == status
    documented = OPERATIONS[name][2]["responses"][str(status)].get("content")
    if not documented:
        assert not answer.getvalue()
    elif "*/*" not in documented:
        media_type = answer["Content-Type"].partition(";")[0]
        assert_fits(jsonschema, answer.json(), documented[media_type]["schema"])
    else:
        assert answer.getvalue()


def assert_fits(jsonschema, value, schema):
    whole = {"components": DOCUMENT["components"], **schema}
    errors = [error.message for error in jsonschema.Draft202012Validator(whole).iter_errors(value)]
    assert not errors


BODIES = [
    (name, title, example["value"])
    for name, (_, _, operation) in OPERATIONS.items()
    for title, example in json_body(operation).get("examples", {}).items()
]


@pytest.mark.parametrize(("name", "title", "body"), BODIES)
def test_each_example_of_a_body_is_taken(scene, name, title, body):
    ids = scene.task() if "{task_id}" in OPERATIONS[name][1] else None
    assert ask(scene, name, ids=ids, body=body).status_code in {200, 201}


def test_every_body_has_an_example():
    assert {name for name, _, _ in BODIES} == {name for name, (_, _, one) in OPERATIONS.items() if json_body(one)}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_example_of_an_answer_fits_and_every_refusal_has_one(jsonschema, name):
    for status, answer in OPERATIONS[name][2]["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            shown = [example["value"] for example in content.get("examples", {}).values()]
            assert shown or media_type != MEDIA_TYPE
            for value in shown:
                assert_fits(jsonschema, value, content["schema"])
                assert str(value.get("status")) == status or media_type != MEDIA_TYPE


def test_the_document_is_made_without_a_warning():
    written = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=written)
    document = yaml.safe_load(written.getvalue())
    assert document["openapi"].startswith("3.1")


def test_each_task_type_has_its_own_schema():
    kinds = SCHEMAS["Submit"]["discriminator"]["mapping"]
    assert kinds.keys() == {kind.name for kind in registry.all_types()}
    for reference in kinds.values():
        assert reference.rpartition("/")[2] in SCHEMAS


def test_a_result_is_that_of_one_of_the_task_types():
    results = {one.get("$ref", "").rpartition("/")[2] for one in SCHEMAS["Task"]["properties"]["result_data"]["anyOf"]}
    assert {"DataProcessingResult", "EmailCampaignResult", "ImageProcessingResult", "NoopResult"} <= results
    assert results - {""} <= SCHEMAS.keys()


def test_every_path_is_described_once():
    assert not [path for path in DOCUMENT["paths"] if path.endswith("/")]
    assert {"/api/tasks", "/api/tasks/submit", "/api/tasks/{task_id}", "/api/health"} <= DOCUMENT["paths"].keys()


def test_each_operation_says_what_it_is():
    for _method, path, operation in OPERATIONS.values():
        assert operation["description"], path
        assert operation["tags"], path
