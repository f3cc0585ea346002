"""`manage.py qcluster`: the workers. On any machine that reaches the database, as many clusters as you like."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tasks.engine.sentinel import Sentinel


class Command(BaseCommand):
    requires_system_checks = ("engine",)  # not the pages: a worker has no use for them
    help = "Start a cluster: a sentinel with its workers. SIGTERM or Ctrl-C stops it in order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workers", type=int, default=settings.WORKERS, help="How many tasks run at a time.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["workers"] < 1:
            raise CommandError("--workers must be at least 1.")
        Sentinel(options["workers"]).run()
