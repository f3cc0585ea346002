"""Measures TaskHub's queue: on a queue of its own, so that nobody's tasks are touched."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tasks import lifecycle
from tasks.lifecycle import Submission
from tasks.management.bench.processes import cpu_seconds, percentiles, pss_mb, rate, running, wait_for
from tasks.models import Cluster, Queue, Task, TaskAttempt

KNOWN_FAST = 20  # tasks after which every worker knows that a no-op is fast


class TaskHubBench:
    def __init__(self, workers: int, tasks: int, samples: int) -> None:
        self.workers, self.tasks, self.samples = workers, tasks, samples
        self.queue = f"bench-{uuid.uuid4().hex[:8]}"

    @property
    def mine(self) -> Any:
        return Task.objects.filter(queue=self.queue)

    def submit(self, task_type: str = "NOOP", **parameters: Any) -> Task:
        return lifecycle.submit(task_type, parameters, queue=self.queue)

    def measure(self) -> dict[str, Any]:
        """Everything, one after the other: what is quiet first, for a drain keeps the database busy after its end."""
        try:
            figures: dict[str, Any] = self.submits()
            self.sweep()
            with self.cluster() as pid:
                figures["idle_cpu_percent"] = self.idle_cpu(pid)
                figures["latency_ms"] = self.latency()
                figures["recover_from_kill_ms"] = self.recover()
                figures["stop_running_ms"] = self.stop_running()
                figures["drain_per_s"] = self.drain()
                figures["latency_half_load_ms"] = self.latency_at_half_load(figures["drain_per_s"])
                figures["submit_beside_drain_ms"] = self.submit_beside_drain()
                figures["pss_mb"] = pss_mb(pid)
            return figures
        finally:
            self.sweep()
            Queue.objects.filter(pk=self.queue).delete()

    @contextmanager
    def cluster(self) -> Iterator[int]:
        with running(["manage.py", "qcluster", "--workers", str(self.workers)], TASKHUB_QUEUES=self.queue) as process:
            wait_for(lambda: Cluster.objects.filter(pid=process.pid).exists(), 30)
            yield process.pid

    def sweep(self) -> None:
        TaskAttempt.objects.filter(task__queue=self.queue).delete()
        self.mine._raw_delete(self.mine.db)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE tasks_task" if connection.vendor == "sqlite" else "VACUUM ANALYZE tasks_task")

    # --- the figures

    def submits(self) -> dict[str, float]:
        few = max(200, self.tasks // 20)
        begun = time.perf_counter()
        for number in range(few):
            self.submit(x=number)
        one_by_one = few / (time.perf_counter() - begun)
        begun = time.perf_counter()
        self.submit_many(self.tasks)
        together = self.tasks / (time.perf_counter() - begun)
        return {"submit_per_s": round(one_by_one, 1), "submit_many_per_s": round(together, 1)}

    def submit_many(self, count: int) -> None:
        lifecycle.submit_many([Submission("NOOP", {"x": number}, queue=self.queue) for number in range(count)])

    def done(self) -> int:
        return self.mine.filter(status="SUCCESS").count()

    def drain(self) -> float:
        """No-ops a second, each task's state kept, from workers that a first drain has warmed."""
        for _ in range(2):
            self.sweep()
            self.submit_many(self.tasks)
            per_second = rate(self.done, self.tasks)
        return per_second

    def idle_cpu(self, pid: int, seconds: float = 5.0) -> float:
        """Percent of one core that the whole cluster uses while there is nothing to do."""
        time.sleep(1.0)
        before = cpu_seconds(pid)
        time.sleep(seconds)
        return round(100 * (cpu_seconds(pid) - before) / seconds, 2)

    def timed(self, task_type: str = "NOOP", **parameters: Any) -> float:
        """Seconds from the submit's call to the SUCCESS that this process, which is none of the workers, sees."""
        begun = time.perf_counter()
        task = self.submit(task_type, **parameters)
        # Put together once: a query set's own work, over and over, would take the processor from who is measured.
        query = Task.objects.filter(pk=task.pk).values_list("status", flat=True).query.sql_with_params()
        with connection.cursor() as cursor:
            wait_for(lambda: cursor.execute(*query) and cursor.fetchone() == ("SUCCESS",), 30, pause=0.0002)
        return time.perf_counter() - begun

    def latency(self) -> dict[str, float]:
        for number in range(KNOWN_FAST):
            self.timed(x=number)
        seconds = []
        for number in range(self.samples):
            seconds.append(self.timed(x=number))
            time.sleep(0.01)
        return percentiles(seconds)

    def latency_at_half_load(self, drain_per_s: float) -> dict[str, float]:
        """The same while another thread submits half of what the cluster can drain, in small batches."""
        over = threading.Event()
        batch = max(1, int(drain_per_s / 2 / 20))

        def load() -> None:
            while not over.wait(0.05):
                self.submit_many(batch)
            connection.close()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            return percentiles([self.timed(x=number) for number in range(self.samples // 2)])
        finally:
            over.set()
            thread.join()

    def submit_beside_drain(self) -> dict[str, float]:
        """What one submit takes while the cluster drains a full queue."""
        self.submit_many(self.tasks)
        seconds = []
        while self.mine.filter(status="PENDING", claim=None).count() > self.tasks // 10:
            begun = time.perf_counter()
            self.submit(x=0)
            seconds.append(time.perf_counter() - begun)
        wait_for(lambda: not self.mine.filter(status="PENDING").exists(), 300)
        return percentiles(seconds or [0.0])

    def recover(self) -> float:
        """Milliseconds from a worker's SIGKILL until its task runs again."""
        task = self.submit("NAP", seconds=30)
        wait_for(lambda: self._worker_of(task), 30)
        worker = self._worker_of(task)
        begun = time.perf_counter()
        os.kill(worker or 0, signal.SIGKILL)
        wait_for(lambda: self._worker_of(task) not in (None, worker), 30)
        spent = time.perf_counter() - begun
        lifecycle.cancel(task)
        wait_for(lambda: self.mine.get(pk=task.pk).claim is None, 30)
        return round(1000 * spent, 1)

    def _worker_of(self, task: Task) -> int | None:
        return self.mine.filter(pk=task.pk, status="RUNNING").values_list("worker", flat=True).first()

    def stop_running(self) -> float:
        """Milliseconds from a cancel until the running handler has stopped and its worker let go."""
        task = self.submit("NAP", seconds=30)
        wait_for(lambda: self._worker_of(task), 30)
        begun = time.perf_counter()
        lifecycle.cancel(task)
        wait_for(lambda: self.mine.get(pk=task.pk).claim is None, 30)
        return round(1000 * (time.perf_counter() - begun), 1)
