"""The claimer: TaskHub promises that queues take turns, and that a paused one gives nothing more."""

from __future__ import annotations

import os
import time

import pytest
from django.utils import timezone

from tasks import lifecycle
from tasks.engine.claimer import AHEAD, AHEAD_MOST, QUEUES_EVERY, ROUND_MOST, Claimer
from tasks.models import Queue, Task
from tests.engine.conftest import fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def claimer(store, cluster):
    return Claimer(store, cluster.pk, os.getpid())


def submit(queue, count=1):
    return [lifecycle.submit("NOOP", queue=queue) for _ in range(count)]


def test_a_long_queue_does_not_keep_the_others_waiting(claimer):
    submit("a", 4)
    short = {task.pk for task in submit("b", 2)}
    order = [claimer.claim((), True)[0].uuid for _ in range(6)]
    assert [task_id in short for task_id in order] == [False, True, False, True, False, False]


def test_a_queue_that_was_paused_under_load_gives_nothing_a_second_later(claimer):
    submit("a", 3)
    assert claimer.claim((), True)
    Queue.objects.filter(name="a").update(paused_at=timezone.now())
    claimer.queues_read -= QUEUES_EVERY
    assert claimer.claim((), True) == []


def test_a_queue_that_was_just_opened_is_found_at_once(claimer):
    assert claimer.claim((), True) == []
    [task] = submit("new")
    assert claimer.claim((), True)[0].uuid == task.pk


@pytest.fixture
def used_queues(db):
    """Many that have nothing any more."""
    Queue.objects.bulk_create(Queue(name=f"used-{number}") for number in range(200))


def test_queues_that_were_once_used_cost_an_idle_worker_nothing(claimer, used_queues, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        assert claimer.claim((), True) == []


def test_a_lone_queue_is_claimed_from_without_another_look(claimer, django_assert_max_num_queries):
    submit("default", 2)
    assert claimer.claim((), True)
    with django_assert_max_num_queries(2):  # the claim and the start
        assert claimer.claim((), True)


def test_of_many_queues_each_that_has_something_has_its_turn(claimer, used_queues):
    submit("a", 3)
    submit("used-7", 3)
    submit("z", 1)
    queues = [fresh(claimer.claim((), True)[0]).queue for _ in range(7)]
    assert sorted(queues[:3]) == ["a", "used-7", "z"]
    assert claimer.claim((), True) == []
    [task] = submit("used-9")
    assert claimer.claim((), True)[0].uuid == task.pk


def test_what_others_took_meanwhile_bounds_a_round(claimer, used_queues, monkeypatch):
    for number in range(60):
        submit(f"used-{number}")
    claimer._read_queues()
    last = submit("zz")[0]
    asked = []
    monkeypatch.setattr(claimer, "_take", lambda queue, *_: asked.append(queue) or [])
    claimer._round((), True)
    assert len(asked) == len(set(asked)) == ROUND_MOST
    monkeypatch.undo()
    Task.objects.exclude(pk=last.pk).delete()
    assert claimer.claim((), True)[0].uuid == last.pk


def test_what_is_not_known_to_be_fast_is_started_with_its_claim(claimer):
    [task] = submit("a")
    [claimed] = claimer.claim((), True)
    assert claimed.started
    assert fresh(task).status == "RUNNING"


def test_fast_tasks_are_claimed_without_a_start(claimer):
    [task] = submit("a")
    [claimed] = claimer.claim(("NOOP",), True)
    assert not claimed.started
    assert fresh(task).status == "PENDING"


def test_a_task_cancelled_between_its_claim_and_its_start_is_not_started(claimer, store, monkeypatch):
    [task] = submit("a")
    claim = store.claim

    def claim_and_cancel(*arguments):
        claimed = claim(*arguments)
        lifecycle.cancel(task)
        return claimed

    monkeypatch.setattr(store, "claim", claim_and_cancel)
    [claimed] = claimer.claim((), True)
    assert not claimed.started
    assert fresh(task).status == "CANCELLED"


@pytest.mark.parametrize(
    ("ended", "seconds", "ahead"),
    [(100, 1.0, 100 * AHEAD), (3, 1.0, 1), (100_000, 1.0, AHEAD_MOST)],
)
def test_about_fifty_milliseconds_worth_is_taken_ahead(claimer, ended, seconds, ahead):
    claimer.rate_since = time.monotonic() - seconds
    claimer.count(ended)
    assert claimer.ahead == pytest.approx(ahead, abs=1)
