"""Two connections at once: TaskHub promises that of two who want the same task, the database picks one."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from tasks import lifecycle
from tasks.engine.outcome import Move, Outcome
from tasks.engine.store import get_store
from tasks.models import Queue, Task
from tests.engine.conftest import fresh, make_cluster

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 15


@pytest.fixture
def store():
    Queue.objects.get_or_create(name="default")
    return get_store()


@pytest.fixture
def cluster(store):
    cluster = make_cluster()
    store.register(cluster)
    return cluster


def race(*acts):
    """Do these at the same moment, each on a connection of its own; what each gave."""
    barrier = threading.Barrier(len(acts))

    def run(act):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=10)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result(timeout=30) for future in [pool.submit(run, act) for act in acts]]


def start_one(store, cluster):
    """A running task and its claim."""
    task = lifecycle.submit("NOOP")
    [claimed] = store.claim(cluster.pk, os.getpid(), "default", 1, (), True)
    assert store.start(claimed, timezone.now())
    return task, claimed


def success(claimed):
    return Outcome(Move.SUCCEED, claimed, timezone.now(), timezone.now(), result="1")


def test_workers_that_claim_at_once_never_get_the_same_task(store, cluster):
    tasks = {lifecycle.submit("NOOP").pk for _ in range(60)}

    def claim_all():
        mine = []
        while batch := store.claim(cluster.pk, os.getpid(), "default", 7, ("NOOP",), True):
            mine += batch
        return mine

    taken = [claimed.uuid for batch in race(*[claim_all] * 4) for claimed in batch]
    assert len(taken) == len(set(taken))
    # On PostgreSQL one passes over rows that another holds at that moment: they are left for the next look.
    left = {claimed.uuid for claimed in claim_all()}
    assert {*taken, *left} == tasks


def test_of_a_cancel_and_a_finish_one_wins(store, cluster):
    for _ in range(ROUNDS):
        task, claimed = start_one(store, cluster)

        def cancel(task=task):
            try:
                lifecycle.cancel(task)
            except lifecycle.TransitionRefused:
                return False
            return True

        cancelled, _ = race(cancel, lambda claimed=claimed: store.write([success(claimed)]))
        row = fresh(task)
        assert (row.status, row.result_data) == (("CANCELLED", None) if cancelled else ("SUCCESS", 1))
        assert row.claim is None


def test_of_a_rescue_and_a_late_finish_one_wins(store, cluster):
    for _ in range(ROUNDS):
        task, claimed = start_one(store, cluster)

        def rescue():
            with lifecycle.transaction.atomic():
                return store.release(store.held_by(cluster.pk), (), "by signal 9")

        race(rescue, lambda claimed=claimed: store.write([success(claimed)]))
        row = fresh(task)
        outcome = (row.status, row.attempts, row.losses, row.past_attempts.count(), row.claim)
        assert outcome in {("SUCCESS", 1, 0, 0, None), ("PENDING", 0, 1, 1, None)}
        Task.objects.all().delete()


def test_of_a_cancel_and_a_start_one_wins(store, cluster):
    for _ in range(ROUNDS):
        task = lifecycle.submit("NOOP")
        [claimed] = store.claim(cluster.pk, os.getpid(), "default", 1, (), True)
        _, started = race(
            lambda task=task: lifecycle.cancel(task),
            lambda claimed=claimed: store.start(claimed, timezone.now()),
        )
        row = fresh(task)
        assert (row.status, row.claim) == ("CANCELLED", claimed.claim)  # a cancel wins also over what runs
        assert bool(row.started_at) == started


def test_a_retry_asked_while_the_old_task_lets_go_is_never_left_waiting(store, cluster):
    for _ in range(ROUNDS):
        old, claimed = start_one(store, cluster)
        lifecycle.cancel(old)
        new, _ = race(
            lambda old=old: lifecycle.retry(old),
            lambda claimed=claimed: store.write([Outcome(Move.LET_GO, claimed)]),
        )
        assert (fresh(old).claim, fresh(new).waits_for) == (None, "")
        Task.objects.all().delete()


def test_of_two_reapers_one_buries(store, cluster, make_task):
    for _ in range(ROUNDS):
        dead = make_cluster()
        store.register(dead)
        task, _ = start_one(store, dead)
        freed = race(*[lambda dead=dead: store.bury(dead, "with its host", type(dead).objects.all())] * 2)
        assert sorted(freed) == [0, 1]
        assert fresh(task).losses == 1
        Task.objects.all().delete()
