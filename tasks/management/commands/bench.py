"""`manage.py bench`: how fast this queue is on this machine, as figures and as ratios to another queue."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from tasks.management.bench.taskhub import TaskHubBench
from tasks.models import Cluster


class Command(BaseCommand):
    help = "Measure the queue on the configured database. Uses a queue of its own and removes what it made."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workers", type=int, default=2)
        parser.add_argument("--tasks", type=int, default=20_000, help="How many no-ops are drained.")
        parser.add_argument("--samples", type=int, default=300, help="How many latencies are taken.")
        parser.add_argument("--against", choices=["django-q2"], help="Measure this queue too, in the same run.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        if Cluster.objects.filter(lease_expires_at__gt=timezone.now()).exists():
            raise CommandError("Workers are running on this database and would share the work: stop them first.")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is measured ends with us
        workers, tasks, samples = options["workers"], options["tasks"], options["samples"]
        figures: dict[str, Any] = {"database": connection.vendor, "workers": workers}
        figures["taskhub"] = TaskHubBench(workers, tasks, samples).measure()
        if options["against"]:
            figures["django_q2"] = self.stock(workers, max(500, tasks // 20), max(20, samples // 10))
            figures["ratio"] = ratio(figures["taskhub"], figures["django_q2"])
        self.stdout.write(json.dumps(figures) if options["json"] else "\n".join(lines(figures)))

    def stock(self, workers: int, tasks: int, samples: int) -> dict[str, Any]:
        """django-q2 as it comes, on the same database: its settings need a process of their own."""
        numbers = map(str, (workers, tasks, samples))
        done = subprocess.run(  # noqa: S603 - our own module
            [
                sys.executable,
                "-m",
                "tasks.management.bench.stock",
                "measure",
                f"bench-{uuid.uuid4().hex[:8]}",
                *numbers,
            ],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"django-q2 could not be measured: {done.stderr[-2000:]}")
        return json.loads(done.stdout)


def ratio(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Ours divided by theirs, for each figure that both have."""
    result: dict[str, Any] = {}
    for name, value in theirs.items():
        if isinstance(value, dict):
            result[name] = ratio(ours[name], value)
        elif name in ours and value:
            result[name] = round(ours[name] / value, 3)
    return result


def lines(figures: dict[str, Any], indent: str = "") -> list[str]:
    """The figures for people: a line each."""
    said = []
    for name, value in figures.items():
        if isinstance(value, dict):
            said += [f"{indent}{name}", *lines(value, indent + "  ")]
        else:
            said.append(
                f"{indent}{name:<24}{value:>12,}" if isinstance(value, int | float) else f"{indent}{name}  {value}"
            )
    return said
