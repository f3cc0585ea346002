"""How long a page and a program wait for the database."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from tasks import patience
from tasks.web.listing import Listing
from tests.web.pages import visible_text

only_on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="only on PostgreSQL")


@contextmanager
def no_patience(seconds=None):
    raise patience.TookTooLong
    yield


@pytest.mark.django_db
def test_a_search_that_takes_too_long_asks_to_narrow_the_filter_and_is_not_repeated(client, make_task, monkeypatch):
    make_task(name="one")
    monkeypatch.setattr("tasks.web.listing.patience", no_patience)
    page = client.get("/?q=one&order=oldest").content.decode()
    assert "Narrow the filter" in visible_text(page)
    assert "Look further" not in page
    assert 'hx-trigger="th:poll"' not in page
    assert 'value="one"' in page
    assert "one" in visible_text(client.get("/").content.decode())  # without a filter there is nothing to wait for


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["tasks", "many"])
def test_a_program_is_asked_to_narrow_the_filter_too(place, client, make_task, monkeypatch):
    make_task(name="one")
    monkeypatch.setattr(f"tasks.api.{place}.patience", no_patience)
    body = {"action": "cancel", "filter": {"q": "one"}}
    answer = (
        client.get("/api/tasks/?q=one")
        if place == "tasks"
        else client.post("/api/tasks/bulk-act", body, content_type="application/json")
    )
    assert answer.status_code == 422
    assert "Narrow the filter" in answer.json()["detail"]
    assert len(client.get("/api/tasks/").json()) == 1


@pytest.mark.django_db
def test_an_act_on_all_that_match_is_not_waited_for_either(client, make_task, monkeypatch):
    task = make_task(name="one")
    monkeypatch.setattr("tasks.web.bulk.patience", no_patience)
    answer = client.post("/tasks/bulk/?q=one", {"action": "cancel", "all": task.pk, "confirmed": "1"}, follow=True)
    assert "Narrow the filter" in visible_text(answer.content.decode())
    task.refresh_from_db()
    assert task.status == "PENDING"


@only_on_postgresql
@pytest.mark.django_db(transaction=True)
def test_postgresql_stops_looking(client, make_task, monkeypatch):
    make_task(name="one")
    slow = Listing.visible.func
    nap = "(SELECT 1 FROM pg_sleep(20)) = 1"
    monkeypatch.setattr(Listing, "visible", property(lambda listing: slow(listing).extra(where=[nap])))
    monkeypatch.setattr(patience, "PATIENCE", 0.1)
    assert "takes too long" in client.get("/tasks/_table/?status=PENDING").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.mark.django_db
def test_other_troubles_of_the_database_pass_through():
    with pytest.raises(OperationalError), patience.patience():
        raise OperationalError("the connection is lost")
