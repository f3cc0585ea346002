"""A request can wait for a task to end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from tasks import access, lifecycle
from tasks.api import waiting

pytestmark = pytest.mark.django_db(transaction=True)


def ask(task, seconds):
    try:
        return Client().get(f"/api/tasks/{task.pk}?wait={seconds}").json()["status"]
    finally:
        connection.close()


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def idle():
    return waiting.waiters._thread is None


@pytest.fixture(autouse=True)
def everybody_has_left():
    access.local_user()
    yield
    until(idle)


def test_whoever_waits_hears_of_the_end_at_once(make_task):
    tasks = [make_task(status="RUNNING") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(ask, task, 60) for task in tasks]
        until(lambda: len(waiting.waiters._waiting) == 3)
        begun = time.monotonic()
        for task in tasks:
            lifecycle.cancel(task)
        assert [answer.result() for answer in answers] == ["CANCELLED"] * 3
    assert time.monotonic() - begun < 5


def test_a_wait_that_is_over_answers_what_there_is(make_task):
    assert ask(make_task(status="RUNNING"), 1) == "RUNNING"


def test_a_task_that_has_ended_is_answered_without_waiting(make_task):
    ask(make_task(status="SUCCESS"), 60)
    assert idle()


def test_a_task_that_is_deleted_ends_the_wait(make_task):
    task = make_task(status="CANCELLED")
    waiting.waiters.wait(task.pk, 60)
    task.delete()
    waiting.waiters.wait(task.pk, 60)


def test_more_than_half_of_the_threads_never_wait(make_task, monkeypatch):
    monkeypatch.setattr(waiting, "places", threading.BoundedSemaphore(1))
    task = make_task(status="RUNNING")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, task, 60)
        until(lambda: waiting.waiters._waiting)
        assert ask(task, 60) == "RUNNING"
        lifecycle.cancel(task)
        assert first.result() == "CANCELLED"


def test_a_wrong_field_is_refused_before_the_wait(client, make_task):
    assert client.get(f"/api/tasks/{make_task().pk}?wait=60&fields=none").status_code == 422


@pytest.mark.parametrize("wait", ["-1", "61", "long"])
def test_a_wait_out_of_range_answers_422(client, make_task, wait):
    assert client.get(f"/api/tasks/{make_task().pk}?wait={wait}").status_code == 422
