"""The sentinel: TaskHub promises that it keeps the time, and sits out a database that is away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from tasks import lifecycle
from tasks.engine import crew
from tasks.engine.member import Member
from tasks.engine.sentinel import CANCEL_AGAIN, SECOND_SIGNAL, Sentinel
from tasks.engine.upkeep import Duty
from tasks.engine.wakeup import News
from tests.engine.conftest import Ear, fresh


@pytest.fixture
def sentinel():
    """One that has not begun to run: nothing listens, nothing is forked."""
    return Sentinel(workers=2)


# --- what we stand on


def test_a_sentinel_has_one_thread_and_has_opened_neither_duckdb_nor_libvips():
    """A fork after either was used hangs the child."""
    program = (
        "import django, json, os, sys; django.setup()\n"
        "from tasks.engine.sentinel import Sentinel\n"
        "Sentinel(2)\n"
        "print(json.dumps([len(os.listdir('/proc/self/task')), sorted({'duckdb', 'pyvips'} & set(sys.modules))]))"
    )
    said = subprocess.check_output([sys.executable, "-c", program], cwd=settings.BASE_DIR)
    assert json.loads(said) == [1, []]


# --- signals


def test_only_a_later_signal_is_a_second_one(sentinel):
    sentinel._on_stop()
    sentinel._on_stop()  # Ctrl-C reaches a whole terminal at once, and `up` passes it on
    assert len(sentinel.stops) == 1
    sentinel.stops[0] -= SECOND_SIGNAL
    sentinel._on_stop()
    assert len(sentinel.stops) == 2


# --- what the database refuses


@pytest.mark.django_db
def test_a_task_that_is_due_while_the_database_is_away_keeps_nobody_spinning(sentinel, monkeypatch):
    def away(*_):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(crew.connections, "close_all", lambda: None)
    monkeypatch.setattr(sentinel.store, "promote", away)
    sentinel.ear, sentinel.pool_size = Ear(), 0
    sentinel.duties = [Duty(1.0, lambda: None, due=time.monotonic() + 1)]
    sentinel.next_due = time.monotonic() - 1
    sentinel.hear()
    assert sentinel._patience() > 0.5


def test_a_database_that_is_away_is_told_once_in_a_while(sentinel, monkeypatch, caplog):
    def away():
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(crew.connections, "close_all", lambda: None)
    before = sentinel.reaper.steady_since
    for _ in range(100):
        assert sentinel.safely(away) is None
    assert len(caplog.records) == 1
    assert sentinel.reaper.steady_since > before  # and nobody else is judged by what it missed


# --- what a duty raises


def test_a_duty_that_fails_costs_no_worker_and_is_tried_again(sentinel, caplog):
    done = []

    def refuse():
        done.append("refused")
        raise PermissionError("files/ab")

    sentinel.ear, sentinel.pool_size = Ear(), 0
    sentinel.duties = [Duty(0.0, refuse), Duty(0.0, lambda: done.append("next"))]
    sentinel.stops = [1.0]  # so that it waits for nothing
    sentinel.turn()
    sentinel.turn()
    assert done == ["refused", "next"] * 2
    assert "PermissionError" in caplog.text


def test_a_heartbeat_that_fails_is_no_fault_to_live_with(sentinel, monkeypatch):
    def fail(*_):
        raise ValueError("its own")

    monkeypatch.setattr(sentinel.heartbeat, "do", fail)
    with pytest.raises(ValueError, match="its own"):
        sentinel.do(sentinel.heartbeat, time.monotonic())


# --- time


@pytest.mark.django_db
def test_what_is_due_and_locked_by_somebody_keeps_nobody_spinning(sentinel, make_task, monkeypatch):
    sentinel.ear, sentinel.pool_size = Ear(), 0
    make_task(waits_for="time", run_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(sentinel.store, "promote", lambda: 0)
    sentinel.find_next_due()
    sentinel.hear()
    assert sentinel.next_due > time.monotonic()


@pytest.mark.django_db
def test_what_is_due_is_promoted_when_its_time_has_come(sentinel, make_task):
    sentinel.ear = Ear()
    due = make_task(waits_for="time", run_at=timezone.now() - timedelta(seconds=1))
    later = make_task(waits_for="time", run_at=timezone.now() + timedelta(seconds=60))
    sentinel.find_next_due()
    sentinel.hear()
    assert (fresh(due).waits_for, fresh(later).waits_for) == ("", "time")
    assert 55 < sentinel.next_due - time.monotonic() <= 60


def test_the_earliest_time_is_waited_for(sentinel):
    for seconds in (30, 10, 20):
        sentinel._expect(seconds)
    assert sentinel.next_due == pytest.approx(time.monotonic() + 10, abs=1)


# --- cancels


@pytest.mark.django_db
def test_a_cancel_that_is_told_before_its_worker_says_what_it_runs_is_looked_for_again(
    sentinel, cluster, make_task, start, slot, monkeypatch
):
    interrupted = []
    monkeypatch.setattr(Member, "interrupt", lambda member, claim, *_: interrupted.append(claim))
    sentinel.id, sentinel.pool_size, sentinel.ear = cluster.pk, 1, Ear(News(cancelled=True))
    sentinel.members[1] = Member(None, slot)
    make_task()
    claimed = start()
    lifecycle.cancel(fresh(claimed))
    sentinel.hear()
    assert not interrupted
    assert sentinel._patience() <= CANCEL_AGAIN
    slot.values.current = claimed.claim
    sentinel.hear()
    assert interrupted == [claimed.claim]
    sentinel.hear()
    assert interrupted == [claimed.claim]
