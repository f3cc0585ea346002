"""Refusals have one shape: a problem with a sentence, and the faults field by field."""

from __future__ import annotations

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError

from tasks.problems import first_sentence

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "title"),
    [
        ("get", "/api/tasks/no-id", None, 404, "Not Found"),
        ("get", "/api/tasks/submit", None, 405, "Method Not Allowed"),
        ("get", "/api/tasks/?status=NONE", None, 422, "Unprocessable Entity"),
        ("post", "/api/tasks/submit", "{", 400, "Bad Request"),
        ("post", "/api/tasks/submit", "{}", 422, "Unprocessable Entity"),
        ("get", "/api/no/such/path", None, 404, "Not Found"),
    ],
)
def test_every_refusal_is_a_problem(client, method, path, body, status, title):
    answer = getattr(client, method)(path, body, content_type="application/json")
    problem = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", title, status)
    assert problem["detail"]
    assert ("errors" in problem) == (status == 422)


@pytest.mark.parametrize(("fault", "status"), [(RequestDataTooBig(), 413), (OperationalError("connection lost"), 503)])
def test_a_fault_with_a_meaning_has_its_status_and_tells_nothing_of_the_inside(client, monkeypatch, fault, status):
    def fail(*args, **kwargs):
        raise fault

    monkeypatch.setattr("tasks.lifecycle.find", fail)
    answer = client.get("/api/tasks/01890000-0000-7000-8000-000000000000")
    assert answer.status_code == status
    assert "connection lost" not in answer.json()["detail"]


def test_a_fault_of_ours_tells_nothing_of_the_inside(client, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("secret")

    monkeypatch.setattr("tasks.lifecycle.find", fail)
    client.raise_request_exception = False
    answer = client.get("/api/tasks/01890000-0000-7000-8000-000000000000")
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/problem+json"
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        ({"task_type": ["Unknown."]}, "task_type: Unknown."),
        ({"parameters": {"images": {1: ["Not a file."]}}}, "parameters.images.1: Not a file."),
        ({"non_field_errors": ["No object."]}, "No object."),
        (["Plain."], "Plain."),
        ([], "The request is not valid."),
    ],
)
def test_the_sentence_names_the_first_fault_and_the_way_to_it(errors, sentence):
    assert first_sentence(errors) == sentence
