"""Measures stock django-q2 with its ORM queue, in processes of its own. Run as a module; prints one JSON object."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from typing import Any

import django


def measure(workers: int, tasks: int, samples: int) -> dict[str, Any]:
    """The figures that a queue without a RUNNING state, cancelling and recovery has."""
    from django_q.models import OrmQ, Task
    from django_q.tasks import async_task

    from tasks.management.bench.processes import percentiles, pss_mb, rate, running, wait_for

    group = f"bench-{uuid.uuid4().hex[:8]}"
    mine = Task.objects.filter(group=group)

    def submit(number: int) -> str:
        return str(async_task("builtins.int", number, group=group))

    def timed(number: int) -> float:
        begun = time.perf_counter()
        name = submit(number)
        wait_for(lambda: Task.objects.filter(pk=name).exists(), 30, pause=0.0002)
        return time.perf_counter() - begun

    try:
        begun = time.perf_counter()
        for number in range(tasks):
            submit(number)
        submit_per_s = tasks / (time.perf_counter() - begun)
        # Its own command, which ours hides.
        command = ["shell", "-c", "from django_q.cluster import Cluster; Cluster().start()"]
        with running(command, BENCH_WORKERS=str(workers)) as process:
            drain_per_s = rate(mine.count, tasks)
            for number in range(10):
                timed(number)
            latency = percentiles([timed(number) for number in range(samples)])
            memory = pss_mb(process.pid)
    finally:
        mine.delete()
        OrmQ.objects.filter(key=os.environ["BENCH_NAME"]).delete()
    return {
        "submit_per_s": round(submit_per_s, 1),
        "drain_per_s": drain_per_s,
        "latency_ms": latency,
        "pss_mb": memory,
    }


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(measure(*(int(argument) for argument in sys.argv[1:]))))
