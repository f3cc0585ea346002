"""`manage.py seed_demo --tasks 1000 --seed 42`: fill the hub with made-up tasks that have ended."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.utils import timezone

from tasks.management import demo
from tasks.models import Queue, Task, TaskLogLine
from tasks.stats import count_anew, roll_up

WITH_LOG = 50  # of the newest tasks


class Command(BaseCommand):
    help = "Fills the hub with made-up tasks that have ended: the same ones for the same seed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tasks", type=int, default=1000, help="how many (default: 1000)")
        parser.add_argument("--seed", type=int, default=42, help="what they are drawn from (default: 42)")

    def handle(self, *, tasks: int, seed: int, **options: Any) -> None:
        began = time.monotonic()
        for name in set(demo.QUEUES):
            Queue.objects.get_or_create(name=name)
        owner = User.objects.filter(is_superuser=True).order_by("pk").first()
        demo.insert(demo.rows(tasks, seed, timezone.now(), owner.pk if owner else None))
        self.add_log_lines()
        count_anew()  # these tasks ended long before what is counted already
        while roll_up(budget=5):
            pass
        self.tell_planner()
        self.stdout.write(f"{tasks} tasks made in {time.monotonic() - began:.0f} s.")

    def tell_planner(self) -> None:
        """PostgreSQL would plan for a small table until it looks by itself, which a server may be told never to do."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")

    def add_log_lines(self) -> None:
        newest = Task.objects.newest_first().exclude(completed_at=None).filter(log_lines=None)[:WITH_LOG]
        lines = [
            TaskLogLine(
                task=task, seq=seq, at=at, level="error" if text == task.error_message else "info", message=text
            )
            for task in newest
            for seq, (at, text) in enumerate(
                [
                    (task.started_at or task.created_at, "Started"),
                    (task.completed_at or task.created_at, task.error_message or task.progress_message or "Stopped"),
                ],
                1,
            )
        ]
        TaskLogLine.objects.bulk_create(lines)
