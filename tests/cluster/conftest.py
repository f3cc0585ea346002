"""Real clusters on the test's database, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tasks import lifecycle
from tasks.models import Cluster, Task
from tests.hub import RunningHub
from tests.processes import ProcessInfo, children_of, living_in_sessions, wait_for


def database_url() -> str:
    """The address of the database that this test runs on."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    password = f":{values['PASSWORD']}" if values["PASSWORD"] else ""
    return f"postgres://{values['USER']}{password}@{values['HOST']}:{values['PORT'] or 5432}/{values['NAME']}"


class RunningCluster:
    """A `manage.py qcluster` under test, in a session of its own."""

    def __init__(self, log: Path, workers: int, variables: dict[str, str]) -> None:
        own = {
            "DJANGO_SETTINGS_MODULE": "taskhub.settings",
            "DATABASE_URL": database_url(),
            "TASKHUB_DATA_DIR": str(settings.DATA_DIR),
            "TASKHUB_APPS": "tests.work",
        }
        self.size = workers
        self.log = log
        with log.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster", "--workers", str(workers)],
                env=os.environ | own | variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def row(self) -> Cluster | None:
        return Cluster.objects.filter(pid=self.pid).first()

    @property
    def workers(self) -> list[ProcessInfo]:
        return children_of(self.pid)

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return self.row is not None and len(self.workers) == self.size

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        (os.killpg if group else os.kill)(self.pid, number)

    def stop(self, *, within: float = 40) -> int:
        """Ask it to stop; its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=within)

    def is_gone(self) -> bool:
        return self.process.poll() is not None and not living_in_sessions({self.pid})

    def clean_up(self) -> None:
        for process in living_in_sessions({self.pid}):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


StartCluster = Callable[..., RunningCluster]


@pytest.fixture
def start_cluster(transactional_db: None, tmp_path: Path) -> Iterator[StartCluster]:
    """Starts clusters: `start_cluster(workers=2, TASKHUB_LEASE="4")`. Whatever is left of them is killed at the end."""
    started: list[RunningCluster] = []

    def start(workers: int = 2, *, wait: bool = True, **variables: str) -> RunningCluster:
        cluster = RunningCluster(tmp_path / f"cluster-{len(started)}.log", workers, variables)
        started.append(cluster)
        if wait:
            wait_for(cluster.is_up)
        return cluster

    try:
        yield start
    finally:
        for cluster in started:
            cluster.clean_up()


@pytest.fixture
def marks(tmp_path: Path) -> Callable[[str], list[list[str]]]:
    """Reads what handlers have left as marks: `marks("start")` gives the fields of each such line."""
    path = tmp_path / "marks"

    def read(word: str | None = None) -> list[list[str]]:
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if word in (None, line[0])]

    return read


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """Where handlers leave their marks."""
    return str(tmp_path / "marks")


@pytest.fixture
def hub(transactional_db: None, tmp_path: Path) -> Iterator[RunningHub]:
    """A whole hub, web server and two workers, on the test's database."""
    folder = tmp_path / "hub"
    folder.mkdir()
    hub = RunningHub(folder, database_url(), "--workers", "2", TASKHUB_APPS="tests.work")
    try:
        wait_for(hub.works)
        yield hub
    finally:
        hub.stop_if_running()


def submit(task_type: str, /, *, options: dict[str, Any] | None = None, **parameters: Any) -> Task:
    return lifecycle.submit(task_type, parameters, **(options or {}))


def status_of(task: Task) -> str:
    return Task.objects.values_list("status", flat=True).get(pk=task.pk)


def wait_until(task: Task, *statuses: str, seconds: float = 30) -> Task:
    """The task, fresh, once it has one of these statuses."""
    wait_for(lambda: status_of(task) in statuses, seconds)
    task.refresh_from_db()
    return task
