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

WARM_UP = 10  # tasks before the first latency that counts


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


def submit(name: str, number: int) -> str:
    from django_q.tasks import async_task

    return str(async_task("builtins.int", number, group=name))


def measure(name: str, workers: int, tasks: int, samples: int) -> dict[str, Any]:
    """The figures that a queue without a RUNNING state, cancelling and recovery has."""
    from django_q.models import OrmQ, Task

    cluster = ["-m", "tasks.management.bench.stock", "work", name, str(workers)]
    mine = Task.objects.filter(group=name)
    try:
        quiet = {"latency_ms": latency(name, cluster, samples)}
        mine.delete()
        return quiet | throughput(name, cluster, tasks)
    finally:
        mine.delete()
        OrmQ.objects.filter(key=name).delete()


def latency(name: str, cluster: list[str], samples: int) -> dict[str, float]:
    """From a submit until its result is stored, one after the other."""
    from django_q.models import Task

    from tasks.management.bench.processes import percentiles, running, wait_for

    def timed(number: int) -> float:
        begun = time.perf_counter()
        task_id = submit(name, number)
        wait_for(lambda: Task.objects.filter(pk=task_id).exists(), 30, pause=0.0002)
        return time.perf_counter() - begun

    with running(cluster):
        for number in range(WARM_UP):
            timed(number)
        return percentiles([timed(number) for number in range(samples)])


def throughput(name: str, cluster: list[str], tasks: int) -> dict[str, float]:
    """Submits a second without workers; then, with them, how many end a second, and their memory."""
    from django_q.models import Task

    from tasks.management.bench.processes import pss_mb, rate, running

    begun = time.perf_counter()
    for number in range(tasks):
        submit(name, number)
    submit_per_s = round(tasks / (time.perf_counter() - begun), 1)
    with running(cluster) as process:
        drain_per_s = rate(Task.objects.filter(group=name).count, tasks)
        return {"submit_per_s": submit_per_s, "drain_per_s": drain_per_s, "pss_mb": pss_mb(process.pid)}


def main(what: str, name: str, workers: str, *numbers: str) -> None:
    configure(name, int(workers))
    if what == "work":
        work()
    else:
        tasks, samples = map(int, numbers)
        sys.stdout.write(json.dumps(measure(name, int(workers), tasks, samples)))


if __name__ == "__main__":
    main(*sys.argv[1:])
