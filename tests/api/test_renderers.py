"""Answers to people, and to whoever asks for what we do not have."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("accept", ["application/xml", "image/png", "nonsense", "text/plain;q=0.1"])
def test_who_asks_for_another_type_gets_json(client, accept):
    answer = client.get("/api/health", headers={"accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("path", ["/api/health", "/api/tasks/", "/api/task-types", "/api/tasks/no-id"])
def test_the_browsable_api_has_no_code_within_its_page(client, path):
    page = client.get(path, headers={"accept": "text/html"}).content.decode()
    assert "<style" not in page
    assert "<script>" not in page


def test_a_refusal_is_a_page_for_people_and_a_problem_for_programs(client):
    page = client.get("/api/tasks/no-id", headers={"accept": "text/html"})
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
    problem = client.get("/api/tasks/no-id")
    assert problem["Content-Type"] == "application/problem+json"


def test_the_browsable_api_sends_what_is_typed_in_as_json(client):
    page = client.get("/api/tasks/?format=api").content.decode()
    offered = page.partition('name="_content_type"')[2].partition("</select>")[0]
    assert 'value="application/json" selected' in offered
    assert offered.count("<option") == 1
