"""Submits as multipart forms, with files."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework import serializers

from tasks import registry
from tasks.models import Task, TaskFile
from tasks.parameters import FileParameter, FilesParameter
from tasks.registry import task_type

pytestmark = pytest.mark.django_db


class Parameters(serializers.Serializer):
    file = FileParameter(required=False, extensions=[".csv"])
    images = FilesParameter(required=False)
    size = serializers.IntegerField(default=1, max_value=9)


@pytest.fixture(autouse=True)
def with_files(monkeypatch):
    """A task type WITH_FILES, for this test alone."""
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    task_type("WITH_FILES", label="With files", parameters=Parameters)(lambda context, **parameters: None)


def upload(name="a.csv", content=b"a,b\n1,2\n"):
    return SimpleUploadedFile(name, content)


def submit(client, **fields):
    return client.post("/api/tasks/submit", {"task_type": "WITH_FILES"} | fields)


def test_a_file_comes_under_its_parameters_name(client):
    answer = submit(client, file=upload(), parameters=json.dumps({"size": 3}), name="Mine", priority="7")
    assert answer.status_code == 201
    stored = TaskFile.objects.get()
    assert answer.json()["parameters"] == {"file": str(stored.pk), "size": 3}
    assert (answer.json()["name"], answer.json()["priority"]) == ("Mine", 7)
    with stored.content.open() as content:
        assert content.read() == b"a,b\n1,2\n"


@pytest.mark.parametrize("count", [1, 3])
def test_several_files_make_one_parameter(client, count):
    answer = submit(client, images=[upload(f"{number}.png") for number in range(count)])
    assert len(answer.json()["parameters"]["images"]) == count


def test_a_form_without_files_is_a_submit_too(client):
    assert submit(client, parameters='{"size": 2}').json()["parameters"] == {"size": 2}


def test_a_file_that_taskhub_has_can_be_named_by_its_id(client):
    first = submit(client, file=upload()).json()["parameters"]["file"]
    answer = client.post(
        "/api/tasks/submit", {"task_type": "WITH_FILES", "parameters": {"file": first}}, content_type="application/json"
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"file": upload("a.exe")}, ("parameters", "file")),
        ({"unheard_of": upload()}, ("parameters", "unheard_of")),
        ({"file": [upload("a.csv"), upload("b.csv")]}, ("parameters", "file")),
        ({"parameters": '{"size": 99}'}, ("parameters", "size")),
        ({"parameters": "{"}, ("parameters",)),
        ({"parameters": "[]"}, ("parameters",)),
        ({"priority": "high"}, ("priority",)),
        ({"task_type": "UNHEARD_OF", "file": upload()}, ("task_type",)),
        ({"parameters": '{"file": "01890000-0000-7000-8000-000000000000"}'}, ("parameters", "file")),
    ],
)
def test_a_wrong_form_answers_422_and_stores_neither_task_nor_file(client, fields, path):
    answer = submit(client, **fields)
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    for name in path:
        errors = errors[name]
    assert not Task.objects.exists()
    assert not TaskFile.objects.exists()


def test_a_form_that_breaks_off_answers_400(client):
    body = b'--x\r\nContent-Disposition: form-data; name="task_type"\r\n'
    answer = client.post("/api/tasks/submit", body, content_type="multipart/form-data")
    assert answer.status_code == 400


def test_a_file_of_somebody_elses_task_cannot_be_used(client, settings, owner, stranger):
    settings.ACCESS = "login"
    client.force_login(owner)
    file_id = submit(client, file=upload()).json()["parameters"]["file"]
    client.force_login(stranger)
    assert submit(client, parameters=json.dumps({"file": file_id})).status_code == 422
