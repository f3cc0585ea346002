"""Error pages: plain words, the request's id, a way back."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.test import Client, RequestFactory

from tasks.web import errors
from tests.web.pages import inline_code

pytestmark = pytest.mark.django_db


def request_of_a_person():
    request = RequestFactory().get("/somewhere/")
    request.id = "7f3a91c204be"
    request.COOKIES = {}
    return request


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 500, 503])
def test_every_error_has_a_page_with_words_and_number(status):
    answer = errors.error_page(request_of_a_person(), status, retry_after=30 if status in {429, 503} else None)
    page = answer.content.decode()
    assert answer.status_code == status
    assert f"Error {status}" in page
    assert "7f3a91c204be" in page
    assert 'href="/"' in page
    assert inline_code(page) == []
    assert ("Try again in 30 seconds" in page) == (answer.get("Retry-After") == "30")


def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(client):
    page = client.get("/nowhere/")
    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()
    problem = client.get("/api/nowhere")
    assert problem.status_code == 404
    assert "json" in problem["Content-Type"]


def test_a_refusal_says_its_reason():
    answer = errors.forbidden(request_of_a_person(), PermissionDenied("Only staff may pause a queue."))
    assert "Only staff may pause a queue." in answer.content.decode()


def test_too_much_at_once_is_413():
    assert errors.bad_request(request_of_a_person(), RequestDataTooBig()).status_code == 413


def test_a_form_from_elsewhere_is_refused_with_what_to_do():
    answer = Client(enforce_csrf_checks=True).post("/preferences/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "Load the page again" in answer.content.decode()


def test_a_fault_of_ours_shows_no_detail_and_asks_no_database(monkeypatch, django_assert_num_queries):
    client = Client(raise_request_exception=False)
    monkeypatch.setattr("tasks.web.task_list.Listing", lambda request: 1 / 0)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "division" not in answer.content.decode()
    with django_assert_num_queries(0):
        errors.server_error(request_of_a_person())


def test_a_database_that_is_away_is_503(monkeypatch):
    def away(request):
        raise OperationalError("connection refused")

    monkeypatch.setattr("tasks.web.task_list.Listing", away)
    answer = Client(raise_request_exception=False).get("/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
