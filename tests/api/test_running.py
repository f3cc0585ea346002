"""Clusters, queues and statistics by API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.models import Cluster, Queue
from tasks.stats import rollup

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("seconds", "alive"), [(15, True), (-1, False)])
def test_a_cluster_is_alive_until_its_lease_expires(client, seconds, alive):
    until = timezone.now() + timedelta(seconds=seconds)
    Cluster.objects.create(id="c", host="h", hostname="one", pid=7, workers=[{"pid": 8}], lease_expires_at=until)
    [cluster] = client.get("/api/clusters").json()
    assert (cluster["hostname"], cluster["workers"], cluster["alive"]) == (
        "one",
        [{"pid": 8, "busy": False, "task": None}],
        alive,
    )


def test_a_worker_tells_its_task_to_who_may_see_it_alone(client, settings, owner, stranger, make_task):
    settings.ACCESS = "login"
    key, until = str(make_task(owner=owner).pk), timezone.now() + timedelta(seconds=15)
    Cluster.objects.create(id="c", host="h", hostname="h", pid=7, workers=[{"task": key}], lease_expires_at=until)
    for person, told in ((owner, key), (stranger, None)):
        client.force_login(person)
        assert client.get("/api/clusters").json()[0]["workers"] == [{"task": told, "busy": True}]


def test_a_queue_says_what_is_ready_and_runs(client, make_task):
    Queue.objects.get_or_create(name="slow")
    for fields in ({}, {"waits_for": "time"}, {"status": "RUNNING"}, {"status": "SUCCESS"}):
        make_task(queue="slow", **fields)
    queues = {queue["name"]: queue for queue in client.get("/api/queues").json()}
    assert queues["slow"] == {"name": "slow", "paused_at": None, "ready": 1, "running": 1}


def test_staff_pause_and_resume_a_queue(client):
    Queue.objects.get_or_create(name="slow")
    assert client.post("/api/queues/slow/pause").json()["paused_at"] is not None
    assert client.post("/api/queues/slow/resume").json()["paused_at"] is None
    assert client.post("/api/queues/fast/pause").status_code == 404


def test_nobody_else_does(client, settings, owner):
    settings.ACCESS = "login"
    Queue.objects.get_or_create(name="slow")
    client.force_login(owner)
    assert client.post("/api/queues/slow/pause").status_code == 403
    assert Queue.objects.get(name="slow").paused_at is None


def test_statistics_tell_what_ended(client, make_task):
    at = timezone.now() - timedelta(minutes=5)
    for status in ("SUCCESS", "SUCCESS", "FAILED"):
        make_task(status=status, started_at=at, completed_at=at + timedelta(seconds=2), error_message="No such column.")
    rollup.roll_up()
    statistics = client.get("/api/statistics?range=1h").json()
    assert (statistics["total"]["succeeded"], statistics["total"]["failed"]) == (2, 1)
    assert statistics["by_type"]["NOOP"]["succeeded"] == 2
    assert statistics["total"]["p50"] == pytest.approx(2, rel=0.3)


@pytest.mark.parametrize("range_name", ["", "2h", "year"])
def test_an_unknown_range_answers_422(client, range_name):
    assert client.get(f"/api/statistics?range={range_name}").status_code == 422
