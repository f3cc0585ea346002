"""`bench` promises figures of both queues, and to leave nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from tasks.management.commands.bench import lines, ratio
from tasks.models import Cluster, Queue, Task, TaskAttempt
from tests.cluster.conftest import database_url

FIGURES = {"submit_per_s", "drain_per_s", "latency_ms", "pss_mb"}


def test_a_ratio_is_given_for_each_figure_that_both_have():
    ours = {"drain_per_s": 30.0, "recover_from_kill_ms": 5, "latency_ms": {"p50": 1.0}}
    theirs = {"drain_per_s": 2.0, "latency_ms": {"p50": 4.0}, "unknown": 1}
    assert ratio(ours, theirs) == {"drain_per_s": 15.0, "latency_ms": {"p50": 0.25}}


def test_the_figures_for_people_are_a_line_each():
    assert lines({"database": "sqlite", "taskhub": {"drain_per_s": 1234.5}}) == [
        "database  sqlite",
        "taskhub",
        "  drain_per_s                  1,234.5",
    ]


@pytest.mark.django_db
def test_it_refuses_to_share_the_database_with_workers():
    Cluster.objects.create(id="alive", host="h", pid=1, lease_expires_at=timezone.now() + timedelta(minutes=1))
    with pytest.raises(CommandError, match="stop them first"):
        call_command("bench")


@pytest.mark.cluster
@pytest.mark.django_db(transaction=True)
def test_both_queues_are_measured_and_nothing_is_left():
    person = Task.objects.create(task_type="NOOP", queue="somebody's")
    run = subprocess.run(
        [sys.executable, "manage.py", "bench", "--tasks", "600", "--samples", "10", "--against", "django-q2", "--json"],
        cwd=settings.BASE_DIR,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "taskhub.settings",
            "DATABASE_URL": database_url(),
            "TASKHUB_DATA_DIR": str(settings.DATA_DIR),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert {"database", "workers", "taskhub", "django_q2", "ratio"} == figures.keys()
    for queue in (figures["taskhub"], figures["django_q2"], figures["ratio"]):
        assert queue.keys() >= FIGURES
        assert all(value > 0 for value in queue["latency_ms"].values())
    assert [*Task.objects.all()] == [person]
    assert not TaskAttempt.objects.exists()
    assert not Queue.objects.filter(name__startswith="bench").exists()
