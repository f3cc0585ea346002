"""Who has signed in on the pages may use the API, with a CSRF token."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tasks.models import Task

pytestmark = pytest.mark.django_db
TOKEN = "a" * 32
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def client(settings, owner) -> Client:
    settings.ACCESS = "login"
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    client.cookies["csrftoken"] = TOKEN
    return client


def post(client, path, body, content_type="application/json", **headers):
    return client.post(f"/api/tasks/{path}", body, content_type=content_type, headers=headers)


def test_with_the_token_in_a_header_it_is_let_in(client):
    assert post(client, "submit", {"task_type": "NOOP"}, **{"X-CSRFToken": TOKEN}).status_code == 201


@pytest.mark.parametrize("headers", [{}, {"X-CSRFToken": "b" * 32}])
def test_without_it_nothing_is_done(client, headers):
    assert post(client, "submit", {"task_type": "NOOP"}, **headers).status_code == 403
    for body in ({"task_type": "NOOP"}, {"task_type": "NOOP", "csrfmiddlewaretoken": "b" * 32}):
        assert client.post("/api/tasks/submit", body, headers=headers).status_code == 403
    assert not Task.objects.exists()


def test_a_form_may_carry_it_as_a_field(client):
    assert client.post("/api/tasks/submit", {"task_type": "NOOP", "csrfmiddlewaretoken": TOKEN}).status_code == 201


@pytest.mark.parametrize("content_type", [FORM, "multipart/form-data", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["bulk-submit", "submit"])
def test_a_list_under_a_forms_name_is_no_fault_of_ours(client, path, content_type):
    body = json.dumps([{"task_type": "NOOP"}])
    answer = post(client, path, body, content_type, **{"X-CSRFToken": TOKEN})
    assert answer.status_code in ({201} if path == "bulk-submit" else {400, 422})
    assert post(client, path, body, content_type).status_code == 403
