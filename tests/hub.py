"""A whole TaskHub in processes of its own, on a free port and with a data folder that is thrown away."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from tests.processes import ProcessInfo, children_of, living_in_sessions, wait_for

MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]


@contextmanager
def empty_database(folder: Path) -> Iterator[str]:
    """The address of a database of the kind under test, with nothing in it."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield f"sqlite:///{folder}/taskhub.sqlite3"
        return
    name = f"taskhub_{uuid.uuid4().hex[:12]}"
    base = server.rpartition("/")[0]
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{base}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """What a process of its own needs, and nothing that the test run has set for itself."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("TASKHUB_", "DJANGO_"))}
    return foreign | {"TASKHUB_DATA_DIR": str(folder)} | variables


class RunningHub:
    """A `manage.py up` under test."""

    def __init__(self, folder: Path, database: str, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self.environment = environment(folder, DATABASE_URL=database, **variables)
        self.output = folder.parent / f"{folder.name}.log"
        self.seen: set[int] = set()  # sessions
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*MANAGE, "up", "--port", "0", "--workers", "1", *arguments],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.address = wait_for(self._printed_address)
        wait_for(self.health)

    def _printed_address(self) -> str | None:
        assert self.process.poll() is None, self.said
        found = re.search(r"http://\S+/", self.said)
        return found and found[0]

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2].rstrip("/")

    def health(self) -> Any:
        """What /api/health answers; nothing while the web server is away."""
        try:
            return self.ask("api/health")
        except OSError:
            return None

    def processes(self) -> list[ProcessInfo]:
        """What lives of all its parts, those of earlier looks too."""
        self.seen |= self.sessions()
        return living_in_sessions(self.seen)

    def submit(self, task_type: str, **parameters: Any) -> str:
        """Submit a task by API; gives its id."""
        body = json.dumps({"task_type": task_type, "parameters": parameters}).encode()
        return self.ask("api/tasks/submit", body)["id"]

    def ask(self, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def works(self) -> bool:
        """Whether the web server answers and a cluster is at work."""
        return bool((self.health() or {}).get("queue_running"))

    def status_of(self, task_id: str) -> str:
        return self.ask(f"api/tasks/{task_id}")["status"]

    def part(self, word: str) -> ProcessInfo | None:
        """The part whose command line holds this word."""
        return next((child for child in children_of(self.process.pid) if word in child.command), None)

    def sessions(self) -> set[int]:
        """The sessions of the parts: each has its own, with all that it starts."""
        return {child.session for child in children_of(self.process.pid)}

    def stop_if_running(self) -> None:
        if self.process.poll() is None:
            self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)
