"""Measures stock django-q2 with its ORM queue, in processes of its own, with settings of its own.

Run as a module: `measure NAME WORKERS TASKS SAMPLES` prints one JSON object, `work NAME WORKERS` is its cluster.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import django
from django.conf import settings


def configure(name: str, workers: int) -> None:
    """TaskHub's settings, but for django-q2 as it comes, with its ORM queue on the same database."""
    from taskhub import settings as ours

    values = {key: getattr(ours, key) for key in dir(ours) if key.isupper()}
    values["Q_CLUSTER"] = {
        "name": name,
        "orm": "default",
        "workers": workers,
        "timeout": 60,
        "retry": 120,
        "save_limit": 0,
        "log_level": "ERROR",
    }
    settings.configure(**values)
    django.setup()


def work() -> None:
    """Its own command, which ours hides."""
    from django_q.cluster import Cluster

    Cluster().start()


def measure(name: str, workers: int, tasks: int, samples: int) -> dict[str, Any]:
    """The figures that a queue without a RUNNING state, cancelling and recovery has."""
    from django_q.models import OrmQ, Task
    from django_q.tasks import async_task

    from tasks.management.bench.processes import percentiles, pss_mb, rate, running, wait_for

    mine = Task.objects.filter(group=name)

    def submit(number: int) -> str:
        return str(async_task("builtins.int", number, group=name))

    def timed(number: int) -> float:
        begun = time.perf_counter()
        task_id = submit(number)
        wait_for(lambda: Task.objects.filter(pk=task_id).exists(), 30, pause=0.0002)
        return time.perf_counter() - begun

    cluster = ["-m", "tasks.management.bench.stock", "work", name, str(workers)]
    try:
        figures: dict[str, Any] = {}
        with running(cluster):
            for number in range(10):
                timed(number)
            figures["latency_ms"] = percentiles([timed(number) for number in range(samples)])
        mine.delete()
        begun = time.perf_counter()
        for number in range(tasks):
            submit(number)
        figures["submit_per_s"] = round(tasks / (time.perf_counter() - begun), 1)
        with running(cluster) as process:
            figures["drain_per_s"] = rate(mine.count, tasks)
            figures["pss_mb"] = pss_mb(process.pid)
        return figures
    finally:
        mine.delete()
        OrmQ.objects.filter(key=name).delete()


def main(what: str, name: str, workers: str, *numbers: str) -> None:
    configure(name, int(workers))
    if what == "work":
        work()
    else:
        tasks, samples = map(int, numbers)
        sys.stdout.write(json.dumps(measure(name, int(workers), tasks, samples)))


if __name__ == "__main__":
    main(*sys.argv[1:])
