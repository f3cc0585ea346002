"""TaskHub promises to sit out a database that is away, and to share a busy one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from tasks.lifecycle import Submission, submit_many
from tasks.models import Cluster, Task
from tests.cluster.conftest import submit, wait_until
from tests.hub import RunningHub
from tests.processes import after, wait_for

pytestmark = pytest.mark.cluster

only_on_postgresql = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="only on PostgreSQL: SQLite has no server to restart"
)
only_on_sqlite = pytest.mark.skipif(
    "connection.vendor != 'sqlite'", reason="only on SQLite: elsewhere writers do not lock the whole database"
)


# --- PostgreSQL


class PrivateServer:
    """A PostgreSQL of the test's own, that may be stopped at will."""

    def __init__(self) -> None:
        self.user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
        # Not below TMPDIR, which may let nobody in but its owner.
        self.folder = Path(tempfile.mkdtemp(prefix="taskhub-postgresql-", dir="/tmp"))
        if self.user:
            subprocess.run(["chown", self.user, str(self.folder)], check=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self.run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "--pgdata", str(self.folder / "data"))
        self.start()

    def run(self, program: str, *arguments: str) -> None:
        path = max(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        subprocess.run([str(path), *arguments], user=self.user, cwd=self.folder, check=True, capture_output=True)

    def control(self, action: str, *arguments: str) -> None:
        self.run("pg_ctl", action, "--wait", "--pgdata", str(self.folder / "data"), *arguments)

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self.control("start", "--log", str(self.folder / "log"), "--options", options)

    def stop(self) -> None:
        self.control("stop", "--mode", "fast")

    def restart(self) -> None:
        self.stop()
        self.start()


@pytest.fixture
def server():
    server = PrivateServer()
    yield server
    server.control("stop", "--mode", "immediate")
    subprocess.run(["rm", "-r", str(server.folder)], check=True)


@pytest.fixture
def hub_on_server(server, tmp_path):
    folder = tmp_path / "hub"
    folder.mkdir()
    hub = RunningHub(folder, server.url, "--workers", "2", TASKHUB_APPS="tests.work", TASKHUB_SHUTDOWN_GRACE="2")
    wait_for(hub.works)
    yield hub
    hub.stop_if_running()


@only_on_postgresql
def test_a_restarted_server_loses_nothing_and_repeats_nothing(server, hub_on_server, mark, marks):
    hub = hub_on_server
    workers = {process.pid for process in hub.processes()}
    tasks = []
    for _ in range(3):
        tasks += [hub.submit("SLEEP", seconds=0.05, mark=mark) for _ in range(40)]
        server.restart()
        wait_for(hub.works)
    for task in tasks:
        wait_for(lambda: hub.status_of(task) == "SUCCESS")  # noqa: B023
    assert len(marks("start")) == len(marks("end")) == len(tasks)
    assert {process.pid for process in hub.processes()} == workers  # nobody crashed


@only_on_postgresql
def test_an_outcome_waits_for_a_server_that_is_away_longer_than_the_tasks_own_timeout(server, hub_on_server):
    hub = hub_on_server
    task = hub.submit("SLEEP_TWO_SECONDS_AT_MOST", seconds=1.2)
    wait_for(lambda: hub.status_of(task) == "RUNNING")
    server.stop()
    wait_for(after(14))  # past the timeout, and past the ten seconds after which what does not stop is killed
    server.start()
    wait_for(hub.works)
    wait_for(lambda: hub.status_of(task) == "SUCCESS")
    assert hub.ask(f"api/tasks/{task}")["losses"] == 0


@only_on_postgresql
def test_a_stop_is_over_in_time_while_the_server_is_away(server, hub_on_server):
    hub = hub_on_server
    task = hub.submit("SLEEP", seconds=60)
    wait_for(lambda: hub.status_of(task) == "RUNNING")
    server.stop()
    begun = time.monotonic()
    assert hub.stop() == 0
    assert time.monotonic() - begun < 2 + 5 + 5  # the web server ends after the workers
    assert hub.processes() == []
    assert "Killing" not in hub.said
    server.start()


@only_on_postgresql
def test_late_writes_of_a_cluster_that_was_stopped_past_its_lease_change_nothing(start_cluster, mark, marks):
    stopped = start_cluster(workers=1, TASKHUB_HOST="elsewhere", TASKHUB_LEASE="3")
    task = wait_until(submit("SLEEP", seconds=2, mark=mark), "RUNNING")
    [worker] = stopped.workers
    for pid in (stopped.pid, worker.pid):
        os.kill(pid, signal.SIGSTOP)
    start_cluster(workers=1, TASKHUB_HOST="here", TASKHUB_LEASE="3")
    wait_until(task, "SUCCESS", seconds=60)
    before = Task.objects.values().get(pk=task.pk)
    os.kill(worker.pid, signal.SIGCONT)
    wait_for(lambda: len(marks("end")) == 2)
    wait_for(after(1))  # it would have written by now
    os.kill(stopped.pid, signal.SIGCONT)
    wait_for(lambda: "was taken for dead" in stopped.log.read_text())
    wait_for(stopped.is_up)
    assert Task.objects.values().get(pk=task.pk) == before
    assert len(marks("start")) == 2


@only_on_postgresql
@pytest.mark.slow
def test_connections_cut_every_second_lose_nothing(start_cluster, mark, marks):
    cluster = start_cluster(workers=2)
    workers = {worker.pid for worker in cluster.workers}
    tasks, end = [], time.monotonic() + 30
    while time.monotonic() < end:
        second = after(1)
        tasks += [submit("SLEEP", seconds=0.02, mark=mark) for _ in range(20)]
        tasks += submit_many([Submission("NOOP", {"x": number}) for number in range(200)])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
        wait_for(second)
    wait_for(lambda: not Task.objects.exclude(status="SUCCESS").exists(), 60)
    assert Task.objects.count() == len(tasks)
    assert not Task.objects.filter(losses__gt=0).exists()
    assert len(marks("start")) == 20 * len(tasks) // 220
    assert {worker.pid for worker in cluster.workers} == workers


@only_on_postgresql
def test_a_connection_that_was_cut_fails_the_task_that_met_it_and_not_the_next_ones(start_cluster):
    start_cluster(workers=1)
    for _ in range(5):
        wait_until(submit("ASK_DATABASE"), "SUCCESS")  # now known to be fast
    submit_many([Submission("ASK_DATABASE", {"cut": number == 100}) for number in range(1000)])
    wait_for(lambda: not Task.objects.filter(status__in=["PENDING", "RUNNING"]).exists())
    assert Task.objects.filter(status="FAILED").values_list("parameters__cut", flat=True).get() is True


# --- SQLite


@only_on_sqlite
@pytest.mark.slow
def test_everybody_at_once_on_one_file_never_meets_a_locked_database(hub, start_cluster):
    clusters = [start_cluster(workers=4), start_cluster(workers=4)]
    end = time.monotonic() + 60

    def read_for_long():
        """A reader that keeps its snapshot for the whole time, so that the log cannot be folded back."""
        own = connection.copy()
        with own.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            cursor.execute("SELECT count(*) FROM tasks_task")
            wait_for(lambda: time.monotonic() > end, 90)
            cursor.execute("ROLLBACK")
        own.close()

    def ask_and_submit(number):
        asked = 0
        while time.monotonic() < end:
            hub.submit("NOOP", x=number)
            hub.ask("api/tasks?page_size=20")
            asked += 1
        return asked

    with ThreadPoolExecutor(3) as pool:
        reading = pool.submit(read_for_long)
        asking = [pool.submit(ask_and_submit, number) for number in range(2)]
        while time.monotonic() < end:
            submit_many([Submission("NOOP", {"x": number}) for number in range(500)])
            wait_for(lambda: Task.objects.filter(status="PENDING").count() < 2000, 60)
        reading.result()
        assert all(future.result() > 10 for future in asking)
    wait_for(lambda: not Task.objects.exclude(status="SUCCESS").exists(), 90)
    said = "".join(log.read_text() for log in (hub.output, *(cluster.log for cluster in clusters)))
    assert "locked" not in said


@only_on_sqlite
def test_a_handlers_own_transaction_is_told_on_its_task_and_harms_nobody(start_cluster, mark, marks):
    start_cluster(workers=2)
    task = submit("HOLD_TRANSACTION", seconds=5, mark=mark)
    wait_for(lambda: marks("start"))
    ended = wait_until(task, "SUCCESS")
    assert "The handler holds a transaction open." in ended.log_lines.get().message
    assert (ended.losses, Cluster.objects.count()) == (0, 1)
    wait_until(submit("NOOP", x=1), "SUCCESS")
