"""TaskHub promises that whatever is killed, nothing is lost and nothing runs twice without need."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from django.db import connection, transaction

from tasks import lifecycle
from tasks.models import Cluster, Task
from tests.cluster.conftest import submit, wait_until
from tests.processes import after, living_processes, wait_for

pytestmark = pytest.mark.cluster


def test_killing_every_idle_worker_hangs_nothing(start_cluster):
    cluster = start_cluster(workers=2)
    for _ in range(3):
        former = {worker.pid for worker in cluster.workers}
        for pid in former:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: cluster.is_up() and not former & {worker.pid for worker in cluster.workers})  # noqa: B023
    tasks = [submit("SLEEP", seconds=0.05) for _ in range(6)]
    for task in tasks:
        wait_until(task, "SUCCESS", seconds=5)
    assert cluster.stop() == 0


def test_a_killed_workers_task_is_taken_up_again_within_half_a_second(start_cluster, mark, marks):
    start_cluster(workers=2)
    task, pauses = submit("SLEEP", seconds=3, mark=mark), []
    for kills in (1, 2, 3):
        wait_for(lambda: len(marks("start")) == kills)  # noqa: B023
        Task.objects.filter(pk=task.pk).update(losses=0)  # a later loss waits a little before it is taken up
        task = wait_until(task, "RUNNING")
        killed = time.monotonic()
        os.kill(task.worker, signal.SIGKILL)
        wait_for(lambda: len(marks("start")) == kills + 1)  # noqa: B023
        pauses.append(float(marks("start")[-1][2]) - killed)
    assert min(pauses) < 0.5  # a machine with more to do may be slower at times
    task = wait_until(task, "SUCCESS")
    assert (task.losses, task.attempts) == (1, 1)
    assert "by signal 9 (SIGKILL)" in task.past_attempts.first().error


def test_a_killed_clusters_tasks_are_taken_up_by_another_within_three_seconds(start_cluster, mark, marks):
    doomed = start_cluster(workers=1)
    task = wait_until(submit("SLEEP", seconds=4, mark=mark), "RUNNING")
    wait_for(lambda: marks("start"))
    start_cluster(workers=1)
    killed = time.monotonic()
    doomed.signal(signal.SIGKILL)
    wait_for(lambda: len(marks("start")) == 2)
    assert float(marks("start")[1][2]) - killed < 3
    wait_until(task, "SUCCESS")
    wait_for(doomed.is_gone)
    assert not Cluster.objects.filter(pid=doomed.pid).exists()


def test_everything_killed_and_started_again_goes_on(start_cluster):
    doomed = start_cluster(workers=2)
    tasks = [submit("SLEEP", seconds=0.5) for _ in range(6)]
    wait_until(tasks[1], "RUNNING")
    doomed.signal(signal.SIGKILL)
    wait_for(doomed.is_gone)
    start_cluster(workers=2)
    for task in tasks:
        wait_until(task, "SUCCESS")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only on PostgreSQL: SQLite has one host")
def test_a_dead_cluster_of_another_host_is_judged_by_its_lease(start_cluster, mark, marks):
    doomed = start_cluster(workers=1, TASKHUB_HOST="elsewhere", TASKHUB_LEASE="4")
    task = wait_until(submit("SLEEP", seconds=4, mark=mark), "RUNNING")
    wait_for(lambda: marks("start"))
    start_cluster(workers=1, TASKHUB_HOST="here", TASKHUB_LEASE="4")
    doomed.signal(signal.SIGKILL)
    wait_until(task, "SUCCESS", seconds=20)
    assert len(marks("start")) == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("SIGKILL", "last by signal 9 (SIGKILL)"),
        ("SIGSEGV", "last by signal 11 (SIGSEGV)"),
        ("exit", "last with exit code 3"),
        ("memory", "last using more memory than its limit"),
    ],
)
def test_a_task_that_kills_its_worker_fails_in_words_and_harms_nobody(start_cluster, how, words):
    start_cluster(workers=2)
    poison = submit("DIE", how=how)
    Task.objects.filter(pk=poison.pk).update(max_losses=2)
    others = [submit("SLEEP", seconds=0.1) for _ in range(6)]
    poison = wait_until(poison, "FAILED")
    assert poison.error_message == f"Its worker died 2 times, {words}."
    assert (poison.losses, poison.attempts) == (2, 0)
    for task in others:
        assert wait_until(task, "SUCCESS").losses == 0


def test_a_handlers_own_processes_die_with_its_worker(start_cluster):
    start_cluster(workers=1)
    task = wait_until(submit("CHILD_PROCESS", seconds=987.25), "RUNNING")

    def child():
        return [process for process in living_processes() if process.command == "sleep 987.25"]

    wait_for(child)
    lifecycle.cancel(task)
    wait_for(lambda: not child())


@pytest.mark.parametrize(
    ("seconds", "lease"), [(5, "2"), pytest.param(20, "15", marks=pytest.mark.slow)], ids=["quick", "default lease"]
)
@pytest.mark.parametrize("task_type", ["SLEEP", "C_CALL_HOLDING_THE_LOCK"])
def test_a_live_worker_that_is_slow_never_has_its_task_run_twice(start_cluster, mark, marks, task_type, seconds, lease):
    slow = start_cluster(workers=1, TASKHUB_LEASE=lease)
    task = wait_until(submit(task_type, seconds=seconds, mark=mark), "RUNNING")
    start_cluster(workers=1, TASKHUB_LEASE=lease)
    if task_type == "SLEEP":
        os.kill(slow.workers[0].pid, signal.SIGSTOP)
        wait_for(after(seconds + 1), 60)
        os.kill(slow.workers[0].pid, signal.SIGCONT)
    wait_until(task, "SUCCESS", seconds=60)
    assert len(marks("start")) == 1


def test_a_cluster_whose_row_is_gone_kills_its_workers_and_starts_anew(start_cluster, mark, marks):
    cluster = start_cluster(workers=1, TASKHUB_LEASE="2")
    task = wait_until(submit("SLEEP", seconds=600, mark=mark), "RUNNING")
    [worker] = cluster.workers
    Cluster.objects.filter(pid=cluster.pid).delete()
    wait_for(lambda: worker.pid not in {process.pid for process in living_processes()})
    wait_for(cluster.is_up)
    wait_for(lambda: len(marks("start")) == 2)  # after a lease: nobody knows the cluster that held it
    assert Task.objects.get(pk=task.pk).losses == 1


@pytest.mark.parametrize(
    ("task_type", "within"),
    [("SLEEP", 1.0), ("SPIN", 1.0), ("DUCKDB_QUERY", 1.0), ("C_CALL", 13.0), ("C_CALL_HOLDING_THE_LOCK", 13.0)],
)
def test_a_cancelled_task_stops_and_its_worker_takes_the_next(start_cluster, task_type, within):
    start_cluster(workers=1)
    task = wait_until(submit(task_type, seconds=60), "RUNNING")
    lifecycle.cancel(task)
    assert Task.objects.get(pk=task.pk).status == "CANCELLED"
    asked = time.monotonic()
    wait_for(lambda: Task.objects.get(pk=task.pk).claim is None)
    assert time.monotonic() - asked < within
    wait_until(submit("NOOP", x=1), "SUCCESS", seconds=5)
    task.refresh_from_db()
    assert (task.status, task.attempts, task.losses) == ("CANCELLED", 0, 0)


def test_a_cancelled_task_that_waited_never_starts(start_cluster, mark, marks):
    start_cluster(workers=1)
    wait_until(submit("SLEEP", seconds=1), "RUNNING")
    waiting = submit("SLEEP", seconds=0, mark=mark)
    lifecycle.cancel(waiting)
    wait_until(submit("NOOP", x=1), "SUCCESS")
    assert not marks()


def test_a_retry_starts_only_after_the_old_task_has_let_go(start_cluster):
    start_cluster(workers=2)
    old = wait_until(submit("SLEEP", seconds=60), "RUNNING")
    with transaction.atomic():  # else it may have let go already
        new = lifecycle.retry(lifecycle.cancel(old))
    assert new.waits_for == "task"
    new = wait_until(new, "RUNNING")
    assert Task.objects.get(pk=old.pk).claim is None


@pytest.mark.parametrize("group", [False, True])
def test_a_stop_interrupts_what_does_not_fit_into_the_grace_and_counts_nothing(start_cluster, group):
    cluster = start_cluster(workers=2, TASKHUB_SHUTDOWN_GRACE="2")
    tasks = [submit("SLEEP", seconds=seconds) for seconds in (0.8, 60)] + [submit("SLEEP", seconds=1)] * 3
    wait_until(tasks[0], "RUNNING", "SUCCESS")
    wait_until(tasks[1], "RUNNING")
    begun = time.monotonic()
    cluster.signal(signal.SIGTERM, group=group)
    assert cluster.process.wait(timeout=20) == 0
    assert time.monotonic() - begun < 2 + 5
    short, long = (Task.objects.get(pk=task.pk) for task in tasks[:2])
    assert short.status == "SUCCESS"
    assert (long.status, long.attempts, long.losses, long.claim) == ("PENDING", 0, 0, None)
    assert cluster.is_gone()


def test_a_second_signal_ends_the_grace(start_cluster):
    cluster = start_cluster(workers=1)
    task = wait_until(submit("SLEEP", seconds=60), "RUNNING")
    cluster.signal(signal.SIGTERM)
    wait_for(lambda: "stops" in cluster.log.read_text())
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() - begun > 1.2)
    cluster.signal(signal.SIGTERM)
    assert cluster.process.wait(timeout=2) == 0
    task.refresh_from_db()
    assert (task.status, task.attempts, task.losses) == ("PENDING", 0, 0)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only on PostgreSQL: SQLite has no connections to cut")
def test_cut_connections_lose_nothing(start_cluster, mark, marks):
    cluster = start_cluster(workers=2)
    tasks = [submit("SLEEP", seconds=0.02, mark=mark) for _ in range(100)]
    end = time.monotonic() + 6
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
        begun = time.monotonic()
        wait_for(lambda: time.monotonic() - begun > 0.5)  # noqa: B023
    for task in tasks:
        wait_until(task, "SUCCESS")
    assert len(marks("start")) == 100
    assert cluster.is_up()


def test_random_kills_under_load_lose_nothing_and_repeat_only_what_was_killed(start_cluster, mark, marks):
    chance = random.Random(42)
    clusters = [start_cluster(workers=2), start_cluster(workers=2)]
    tasks = [submit("SLEEP", seconds=0.05, mark=mark) for _ in range(200)]
    kills = 0
    while Task.objects.filter(status="PENDING").exists():
        workers = chance.choice(clusters).workers
        if workers:
            os.kill(chance.choice(workers).pid, signal.SIGKILL)
            kills += 1
        begun = time.monotonic()
        wait_for(lambda: time.monotonic() - begun > 0.3)  # noqa: B023
    for task in tasks:
        assert wait_until(task, "SUCCESS", "FAILED").status == "SUCCESS"
    losses = sum(Task.objects.values_list("losses", flat=True))
    assert losses <= kills
    assert len(marks("start")) <= 200 + losses
    for cluster in clusters:
        assert cluster.stop() == 0
        assert cluster.is_gone()
