"""The engine's SQL: TaskHub promises that each move is one guarded write, and finds its rows by an index."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks import lifecycle
from tasks.engine.outcome import Move, Outcome
from tasks.engine.store import base, postgresql, sqlite
from tasks.engine.store.base import CLAIMED_COLUMNS
from tasks.models import Cluster, Status, Task, TaskAttempt
from tests.engine.conftest import fresh, make_cluster

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def ended(move, claimed, **fields):
    result = "1" if move is Move.SUCCEED else None
    return Outcome(move, claimed, NOW, NOW, result=result, error="It failed.", **fields)


# --- claims


def test_a_claim_takes_the_highest_priority_first_then_the_longest_due(make_task, claim):
    late = make_task(run_at=NOW)
    early = make_task(run_at=NOW - timedelta(seconds=1))
    high = make_task(priority=5)
    taken = claim(limit=10, fast=("NOOP",))
    assert [one.uuid for one in taken] == [high.pk, early.pk, late.pk]


def test_a_task_is_claimed_once(make_task, claim):
    make_task()
    assert len(claim(limit=10, fast=("NOOP",))) == 1
    assert claim(limit=10, fast=("NOOP",)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "RUNNING"},
        {"waits_for": "time"},
        {"waits_for": "task"},
        {"claim": 7},
        {"queue": "another"},
    ],
)
def test_a_claim_leaves_what_is_not_ready(fields, make_task, claim):
    make_task(**fields)
    assert claim(limit=10, fast=("NOOP",)) == []


def test_only_known_fast_tasks_are_taken_ahead_and_only_the_foremost(make_task, claim):
    make_task(priority=3)
    make_task("SLEEP", priority=2)
    make_task(priority=1)
    assert [one.priority for one in claim(limit=10, fast=("NOOP",))] == [3]
    assert claim(limit=10, fast=("NOOP",), one=False) == []
    assert [one.priority for one in claim(limit=10, fast=("NOOP",))] == [2]


def test_a_task_with_a_loss_behind_it_is_not_taken_ahead(make_task, claim):
    make_task(losses=1)
    assert claim(limit=10, fast=("NOOP",), one=False) == []


def test_a_cluster_whose_row_is_gone_claims_nothing(make_task, claim, cluster):
    make_task()
    cluster.delete()
    assert claim() == []


def test_claims_differ_for_each_task_and_each_time(make_task, claim, store):
    for _ in range(20):
        make_task()
    taken = claim(limit=20, fast=("NOOP",))
    store.give_back(taken)
    again = claim(limit=20, fast=("NOOP",))
    claims = {one.claim for one in (*taken, *again)}
    assert len(claims) == 40
    assert all(0 < claim < 2**62 for claim in claims)


def test_a_paused_queue_is_not_open(store, make_task):
    lifecycle.submit("NOOP", queue="reports")
    assert store.open_queues() == ["default", "reports"]
    lifecycle.Queue.objects.filter(name="reports").update(paused_at=NOW)
    assert store.open_queues() == ["default"]


def test_the_queues_with_ready_tasks_are_told(store, make_task, settings):
    for name in ("b", "a", "paused"):
        lifecycle.submit("NOOP", queue=name)
        lifecycle.submit("NOOP", queue=name)
    make_task(queue="later", waits_for="time")
    make_task(queue="ended", status="SUCCESS")
    lifecycle.pause_queue("paused")
    assert store.ready_queues() == ["a", "b"]
    settings.QUEUES = ["b", "later"]
    assert store.ready_queues() == ["b"]


def plan_of(sql, parameters):
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql}", parameters)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.fixture
def full_table(store, cluster):
    """5,000 rows that wait, 1,000 that have ended, the planner's statistics fresh."""
    Task.objects.bulk_create(Task(task_type="NOOP", priority=number % 7) for number in range(5000))
    Task.objects.bulk_create(Task(task_type="NOOP", status="SUCCESS") for _ in range(1000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")


def test_a_claim_reads_its_index_and_sorts_nothing_whatever_waits(full_table, cluster):
    if connection.vendor == "sqlite":
        sql = sqlite.CLAIM.format(mask=7, slow="1", columns=CLAIMED_COLUMNS)
        plan = plan_of(sql, [cluster.pk, 1, "default", 10, True, cluster.pk])
        assert "SCAN tasks_task" not in plan
    else:
        sql = postgresql.CLAIM.format(mask=7, columns="task.id")
        values = {"queue": "default", "limit": 10, "fast": [], "seed": 1, "cluster": cluster.pk, "worker": 1}
        plan = plan_of(sql, values | {"one": True})
        assert "Seq Scan on tasks_task" not in plan
    assert "task_claimable" in plan


def test_the_queues_with_ready_tasks_are_read_by_the_claims_index(full_table, store):
    store.pin_plans()
    plan = plan_of(base.NEXT_READY.format(after="'a'", index=store.claims_index), [])
    assert re.search(r"(SEARCH tasks_task USING INDEX|Index Scan using|Index Only Scan using) task_claimable", plan), (
        plan
    )
    assert "Sort" not in plan


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only on PostgreSQL: SQLite plans each statement anew")
@pytest.mark.parametrize("index", ["small", "large"])
def test_the_plan_that_a_worker_keeps_is_the_right_one_even_if_made_for_an_empty_table(index, store, cluster):
    values = {"queue": "default", "limit": 1, "fast": [], "seed": 1, "cluster": cluster.pk, "worker": 1, "one": True}
    with connection.cursor() as cursor:
        if index == "large":  # with levels so many that to sort by hand what waits looks cheaper
            Task.objects.bulk_create(Task(task_type="NOOP") for _ in range(3000))
            Task.objects.all()._raw_delete("default")
            cursor.execute("ALTER INDEX task_claimable SET (fillfactor = 10)")
            cursor.execute("REINDEX INDEX task_claimable")
        cursor.execute("ANALYZE tasks_task")
        store.pin_plans()
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)
    plan = plan_of(postgresql.CLAIM.format(mask=7, columns="task.id"), values)
    assert "Index Scan using task_claimable on tasks_task" in plan
    assert "Tid Scan on tasks_task task" in plan


@pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="only on PostgreSQL: SQLite asks for each row by its id"
)
def test_outcomes_are_written_by_id_however_old_the_statistics_are(store, cluster):
    """Made when nothing waited: by them the index on the status holds next to nothing that waits."""
    Task.objects.bulk_create(Task(task_type="NOOP", status="SUCCESS") for _ in range(1000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")
        store.pin_plans()
    held = {"task_type": "NOOP", "cluster_id": cluster.pk, "worker": 1}
    Task.objects.bulk_create(Task(**held, claim=number + 1) for number in range(5000))
    plan = plan_of(postgresql.SUCCEED, ["[]"])
    assert "Index Scan using tasks_task_pkey on tasks_task" in plan


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only on PostgreSQL: SQLite asks no statistics")
def test_no_move_goes_through_all_that_waits_however_old_the_statistics_are(store, cluster, make_task, start):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")  # nothing waits
    store.pin_plans()
    Task.objects.bulk_create(Task(task_type="NOOP") for _ in range(3000))
    for move in Move:
        make_task(max_attempts=2, priority=1)
        with CaptureQueriesContext(connection) as asked:
            claimed = start()
            lifecycle.cancel(Task.objects.get(pk=claimed.id)) if move is Move.LET_GO else None
            store.cancelled_claims(cluster.pk)
            store.promote()
            outcome = ended(move, claimed)
            outcome.run_at = NOW
            store.write([outcome])
        for query in asked.captured_queries:
            if query["sql"].startswith(("SELECT", "UPDATE")):
                assert "task_by_status" not in plan_of(query["sql"], None), query["sql"]


def test_what_the_engine_asks_every_second_reads_an_index(full_table, store, cluster):
    timed = Task.objects.filter(waits_for="time", status=Status.PENDING, run_at__lte=NOW).order_by("run_at")
    for rows, index in (
        (store.held_by(cluster.pk), "task_held"),
        (store.orphans(), "task_held"),
        (timed, "task_timed"),
    ):
        assert index in rows.explain()


# --- starts and ends


def test_a_task_starts_only_under_its_claim_and_may_be_told_so_again(make_task, claim, store):
    make_task()
    [claimed] = claim()
    assert not store.start(replace(claimed, claim=claimed.claim + 2), NOW)
    assert store.start(claimed, NOW)
    version = fresh(claimed).version
    assert store.start(claimed, NOW)
    assert (fresh(claimed).status, fresh(claimed).version) == ("RUNNING", version)


def test_a_task_that_was_cancelled_after_its_claim_does_not_start(make_task, claim, store):
    task = make_task()
    [claimed] = claim()
    lifecycle.cancel(task)
    assert not store.start(claimed, NOW)


@pytest.mark.parametrize("move", Move)
def test_a_late_worker_changes_nothing(move, make_task, start, store, cluster):
    make_task()
    late = start()
    store.release(store.held_by(cluster.pk), {late.claim}, "by signal 9")
    before = Task.objects.values().get()
    store.write([ended(move, late)])
    assert Task.objects.values().get() == before
    assert TaskAttempt.objects.count() == 1  # the loss


@pytest.mark.parametrize("move", [Move.SUCCEED, Move.FAIL, Move.TRY_AGAIN_LATER, Move.GIVE_BACK])
def test_a_late_worker_cannot_overwrite_a_cancel(move, make_task, start, store):
    task = make_task(max_attempts=3)
    claimed = start()
    lifecycle.cancel(task)
    store.write([ended(move, claimed, run_at=NOW)])
    task = fresh(task)
    assert (task.status, task.claim, task.result_data, task.attempts) == ("CANCELLED", None, None, 0)


def test_giving_back_many_counts_nothing_and_leaves_the_others(make_task, claim, store):
    tasks = [make_task() for _ in range(4)]
    taken = claim(limit=4, fast=("NOOP",))
    store.start(taken[0], NOW)
    lifecycle.cancel(tasks[1])
    Task.objects.filter(pk=tasks[2].pk).update(claim=99)  # somebody else's by now
    store.give_back(taken)
    rows = [fresh(task) for task in tasks]
    assert [(row.status, row.claim) for row in rows] == [
        ("PENDING", None),
        ("CANCELLED", None),
        ("PENDING", 99),
        ("PENDING", None),
    ]
    assert {(row.attempts, row.losses, row.started_at) for row in rows} == {(0, 0, None)}


def test_a_failed_attempt_waits_for_its_time(make_task, start, store):
    make_task(max_attempts=2)
    claimed = start()
    store.write([ended(Move.TRY_AGAIN_LATER, claimed, run_at=NOW + timedelta(seconds=9))])
    task = fresh(claimed)
    assert (task.status, task.waits_for, task.attempts, task.started_at) == ("PENDING", "time", 1, None)
    assert store.next_due() == task.run_at
    assert task.past_attempts.get().error == "It failed."


@pytest.mark.parametrize(("minutes", "waits_for"), [(60, "time"), (0, "")])
def test_the_retry_of_a_stopping_task_still_waits_for_its_time(minutes, waits_for, make_task, start, store):
    make_task()
    claimed = start()
    stopping = lifecycle.cancel(fresh(claimed))
    new = lifecycle.retry(stopping, run_at=timezone.now() + timedelta(minutes=minutes))
    assert new.waits_for == "task"
    store.write([ended(Move.LET_GO, claimed)])
    assert fresh(new).waits_for == waits_for


# --- death


def test_what_a_dead_worker_was_running_counts_a_loss_and_what_it_held_does_not(make_task, claim, store, cluster):
    make_task(priority=1)
    make_task()
    running, held = claim(limit=2, fast=("NOOP",))
    # Its slot alone knows that a fast task ran.
    assert store.release(store.held_by(cluster.pk, os.getpid()), {running.claim}, "by signal 9") == 2
    assert (fresh(running).losses, fresh(held).losses) == (1, 0)
    assert not Task.objects.exclude(claim=None).exists()


def test_a_loss_too_many_fails_in_words(make_task, start, store, cluster):
    task = make_task(max_losses=2)
    for _ in range(2):
        Task.objects.update(waits_for="")
        store.release(store.held_by(cluster.pk), {start().claim}, "by signal 11 (SIGSEGV)")
    task = fresh(task)
    assert (task.status, task.attempts, task.losses) == ("FAILED", 0, 2)
    assert task.error_message == "Its worker died 2 times, last by signal 11 (SIGSEGV)."
    assert [attempt.outcome for attempt in task.past_attempts.all()] == ["lost", "lost"]


def test_the_first_loss_is_taken_up_at_once_and_later_ones_after_growing_pauses(make_task, start, store, cluster):
    task, pauses = make_task(), []
    for _ in range(4):
        store.release(store.held_by(cluster.pk), {start().claim}, "by signal 9")
        row = fresh(task)
        pauses.append(round((row.run_at - timezone.now()).total_seconds()) if row.waits_for else 0)
        Task.objects.update(waits_for="", run_at=NOW)
    assert pauses == [0, 2, 4, 8]


@pytest.mark.parametrize(("max_attempts", "status"), [(1, "FAILED"), (2, "PENDING")])
def test_what_had_to_be_killed_at_its_timeout_has_had_its_attempt(max_attempts, status, make_task, start, store):
    make_task(max_attempts=max_attempts, timeout=3)
    claimed = start()
    store.time_out(Task.objects.filter(claim=claimed.claim))
    task = fresh(claimed)
    assert (task.status, task.attempts, task.losses, task.claim) == (status, 1, 0, None)
    assert task.error_message == "Timed out after 3 s, and was killed since it did not stop."
    attempt = task.past_attempts.get()
    assert (attempt.outcome, attempt.worker, attempt.hostname) == ("timed_out", os.getpid(), "here")


@pytest.mark.parametrize("how", ["let go", "succeed too late", "released"])
def test_a_retry_is_released_however_the_old_task_lets_go(how, make_task, start, store, cluster):
    old = make_task()
    claimed = start()
    new = lifecycle.retry(lifecycle.cancel(old))
    assert new.waits_for == "task"
    if how == "released":
        store.release(store.held_by(cluster.pk), {claimed.claim}, "by signal 9")
    else:
        store.write([ended(Move.LET_GO if how == "let go" else Move.SUCCEED, claimed)])
    assert (fresh(old).claim, fresh(new).waits_for) == (None, "")
    lifecycle.delete(old)
    assert fresh(new).status == "PENDING"


# --- time and clusters


def test_promotion_makes_ready_what_is_due_and_nothing_else(make_task, store):
    due = make_task(waits_for="time", run_at=NOW - timedelta(seconds=1))
    later = make_task(waits_for="time", run_at=NOW + timedelta(hours=1))
    cancelled = make_task(status="CANCELLED", waits_for="time", run_at=NOW)
    assert store.promote() == 1
    assert [fresh(task).waits_for for task in (due, later, cancelled)] == ["", "time", "time"]
    assert store.next_due() == later.run_at


def test_a_cluster_that_renewed_meanwhile_is_not_buried(make_task, start, store, cluster):
    make_task()
    start()
    Cluster.objects.update(lease_expires_at=NOW - timedelta(seconds=1))
    assert store.expired().get() == cluster
    assert store.renew(cluster.pk, [])
    assert store.bury(cluster, "with its host", store.expired()) == 0
    assert Cluster.objects.exists()


def test_the_heartbeat_of_a_buried_cluster_says_so(store, cluster):
    assert store.bury(cluster, "with its host", Cluster.objects.all()) == 0
    assert not store.renew(cluster.pk, [])


def test_an_orderly_end_counts_nothing(make_task, start, store, cluster):
    make_task()
    claimed = start()
    assert store.retire(cluster.pk) == 1
    task = fresh(claimed)
    assert (task.status, task.losses, task.claim) == ("PENDING", 0, None)


def test_what_is_held_for_a_cluster_that_is_gone_is_an_orphan(make_task, start, store, cluster):
    make_task()
    claimed = start()
    store.register(make_cluster())
    assert not store.orphans().exists()
    cluster.delete()
    assert store.orphans().filter(~Q(claim=None)).get().pk == claimed.uuid
