"""TaskHub promises that a stop is over in time, cuts nothing off that fits, and loses nothing, whatever is away."""

from __future__ import annotations

import signal
import time

import pytest
from django.db import connection, transaction  # noqa: F401 - a skip below looks at the connection

from tasks.models import Cluster, Task
from tests.cluster.conftest import submit, wait_until
from tests.processes import wait_for

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("group", [False, True])
def test_a_stop_with_a_long_queue_lets_finish_what_runs_and_leaves_the_rest(start_cluster, mark, marks, group):
    cluster = start_cluster(workers=2, TASKHUB_SHUTDOWN_GRACE="6")
    tasks = [submit("SLEEP", seconds=2, mark=mark) for _ in range(32)]
    for task in tasks[:2]:
        wait_until(task, "RUNNING")
    wait_for(lambda: len(marks("start")) == 2)
    begun = time.monotonic()
    cluster.signal(signal.SIGTERM, group=group)
    assert cluster.process.wait(timeout=20) == 0
    assert time.monotonic() - begun < 6 + 5
    wait_for(cluster.is_gone)
    assert len(marks("start")) == len(marks("end")) == 2
    statuses = list(Task.objects.order_by("id").values_list("status", "attempts", "losses", "claim"))
    assert statuses == [("SUCCESS", 1, 0, None)] * 2 + [("PENDING", 0, 0, None)] * 30
    Task.objects.filter(pk__in=[task.pk for task in tasks[4:]]).update(status="CANCELLED")
    start_cluster(workers=2)
    for task in tasks[2:4]:
        wait_until(task, "SUCCESS")


def test_a_second_stop_ends_it_within_two_seconds_and_loses_nothing(start_cluster, mark, marks):
    cluster = start_cluster(workers=2)
    tasks = [submit("SLEEP", seconds=60, mark=mark) for _ in range(6)]
    wait_for(lambda: len(marks("start")) == 2)
    cluster.signal(signal.SIGTERM)
    wait_for(lambda: "stops" in cluster.log.read_text())
    first = time.monotonic()
    wait_for(lambda: time.monotonic() - first > 1.2)
    cluster.signal(signal.SIGTERM)
    assert cluster.process.wait(timeout=2.5) == 0
    kept = Task.objects.filter(status="PENDING", attempts=0, losses=0, claim=None).count()
    assert kept == len(tasks)


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only on SQLite: PostgreSQL's turn is in test_databases.py")
def test_a_stop_is_over_in_time_while_the_database_is_locked(start_cluster):
    cluster = start_cluster(workers=2, TASKHUB_SHUTDOWN_GRACE="1")
    task = wait_until(submit("SLEEP", seconds=60), "RUNNING")
    with transaction.atomic():
        Task.objects.filter(pk=task.pk).update(name="locked")
        begun = time.monotonic()
        cluster.signal(signal.SIGTERM)
        assert cluster.process.wait(timeout=30) == 0
        assert time.monotonic() - begun < 1 + 5 + 5  # a try for the lock takes a second
    assert Cluster.objects.filter(pid=cluster.pid).exists()
    start_cluster(workers=1)  # it finds what the other could not give back
    task = wait_until(task, "PENDING", "RUNNING")
    wait_for(lambda: not Cluster.objects.filter(pid=cluster.pid).exists())
