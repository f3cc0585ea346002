"""Ends: TaskHub promises that whoever waits for one hears of it, and that nobody pays where nobody waits."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, transaction

from tasks import lifecycle
from tasks.engine import ends
from tasks.engine.bell import Bell
from tests.processes import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="only on PostgreSQL: LISTEN and NOTIFY")


@pytest.fixture
def other():
    """Another process's connection, that hears whatever is told."""
    other = connection.copy()
    other.ensure_connection()
    other.connection.autocommit = True
    other.connection.execute(f"LISTEN {ends.CHANNEL}")
    yield other.connection
    other.close()


def told(other):
    return len(list(other.notifies(timeout=0.2)))


@on_postgresql
def test_an_end_is_told_only_while_somebody_listens(make_task, other):
    lifecycle.cancel(make_task())
    assert told(other) == 0
    other.execute("SELECT pg_advisory_lock_shared(%s)", [ends.LISTENING])
    lifecycle.cancel(make_task())
    assert told(other) == 1
    lifecycle.delete(make_task(status="SUCCESS"))
    assert told(other) == 1


@on_postgresql
def test_submits_and_progress_tell_nobody(make_task, other):
    other.execute("SELECT pg_advisory_lock_shared(%s)", [ends.LISTENING])
    task = lifecycle.submit("NOOP")
    type(task).objects.filter(pk=task.pk).update(progress=50, claim=1)
    assert told(other) == 0


@on_postgresql
def test_two_that_write_at_once_do_not_take_each_other_for_a_listener(make_task, other):
    with transaction.atomic():
        lifecycle.cancel(make_task())
        other.execute("UPDATE tasks_task SET status = status WHERE false")
    assert told(other) == 0


@on_postgresql
def test_whoever_waits_hears_at_once_and_is_told_once(make_task, other, monkeypatch):
    monkeypatch.setattr(ends, "SETTLED", 60)
    monkeypatch.setattr(ends, "REST", 60)
    listener, bell = ends.get_ends(), Bell()
    assert listener.may_be()
    waiting = threading.Timer(0.2, lambda: other.execute("UPDATE tasks_task SET status = status WHERE false"))
    waiting.start()
    begun = time.monotonic()
    listener.wait(bell)
    assert time.monotonic() - begun < 10
    assert told(other) == 1
    other.execute("UPDATE tasks_task SET status = status WHERE false")
    assert told(other) == 0  # it rests, and will look by itself
    connection.close()


@on_postgresql
def test_a_lost_message_is_made_up_for(monkeypatch):
    monkeypatch.setattr(ends, "SETTLED", 0.01)
    monkeypatch.setattr(ends, "LOST", 0.02)
    listener, bell = ends.get_ends(), Bell()
    for _ in range(3):
        assert listener.may_be()
        listener.wait(bell)
    connection.close()


@on_postgresql
def test_what_a_dead_listener_held_costs_nobody(make_task, other):
    gone = connection.copy()
    gone.ensure_connection()
    gone.connection.execute("SELECT pg_advisory_lock_shared(%s)", [ends.LISTENING])
    gone.close()

    def nobody_is_told():
        lifecycle.cancel(make_task())
        return not told(other)

    wait_for(nobody_is_told)
