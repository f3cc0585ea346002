"""TaskHub promises that any of its processes may be killed at any moment, the web server's too."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tasks.models import Task
from tests.cluster.conftest import status_of, submit, wait_until
from tests.processes import after, children_of, wait_for

pytestmark = pytest.mark.cluster

PLACES = ("sentinel", "worker", "web server", "web worker")


def process_of(hub, place):
    """The process that has this place now; none while its successor is not there yet."""
    part = hub.part("qcluster" if place in ("sentinel", "worker") else "gunicorn")
    if part is None or place in ("sentinel", "web server"):
        return part
    return next(iter(children_of(part.pid)), None)


def is_whole(hub):
    """Its two parts with two processes each, and all of it at work."""
    return len(hub.processes()) == 6 and hub.works()


@pytest.mark.parametrize("busy", [False, True])
def test_each_process_may_be_killed_one_after_another(hub, busy):
    for place in PLACES:
        wait_for(lambda: is_whole(hub))
        task = wait_until(submit("SLEEP", seconds=1), "RUNNING") if busy else None
        killed = process_of(hub, place).pid
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: killed not in {process.pid for process in hub.processes()})  # noqa: B023
        wait_for(lambda: is_whole(hub))
        if task:
            assert wait_until(task, "SUCCESS", "FAILED").status == "SUCCESS"
        asked = hub.submit("NOOP", x=1)
        wait_for(lambda: hub.status_of(asked) == "SUCCESS", 10)  # noqa: B023
    assert hub.stop() == 0
    assert hub.processes() == []


def starts_of(path):
    return path.read_text().count("start") if path.exists() else 0


@pytest.mark.slow
def test_a_minute_of_random_kills_loses_nothing_and_repeats_only_what_was_killed(hub, tmp_path):
    chance = random.Random(7)
    tasks, asked = {}, []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        second = after(1)
        for _ in range(10):
            path = tmp_path / f"mark-{len(tasks)}"
            tasks[submit("SLEEP", seconds=0.05, mark=str(path)).pk] = path
        if victims := hub.processes():
            os.kill(chance.choice(victims).pid, signal.SIGKILL)
        if hub.health():
            asked.append(ask_for_task(hub))
        wait_for(second)
    wait_for(lambda: not Task.objects.filter(status__in=["PENDING", "RUNNING"]).exists(), 60)
    for task in Task.objects.filter(pk__in=tasks):
        assert task.status == "SUCCESS"
        assert 1 <= starts_of(tasks[task.pk]) <= 1 + task.losses
    assert any(asked)
    assert {status_of(Task(pk=task_id)) for task_id in filter(None, asked)} == {"SUCCESS"}
    wait_for(lambda: is_whole(hub))
    assert hub.stop() == 0
    assert hub.processes() == []


def ask_for_task(hub):
    """The id of a task that the web server took; none if it was killed just then."""
    try:
        return hub.submit("NOOP", x=1)
    except OSError:
        return None


def test_a_cluster_that_buried_many_workers_keeps_no_descriptor_of_them(start_cluster):
    cluster = start_cluster(workers=2)

    def descriptors():
        return len(os.listdir(f"/proc/{cluster.pid}/fd"))

    def replace_a_worker():
        killed = cluster.workers[0].pid
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: cluster.is_up() and killed not in {worker.pid for worker in cluster.workers})

    replace_a_worker()
    wait_until(submit("NOOP", x=1), "SUCCESS")
    before = descriptors()
    for _ in range(4):
        replace_a_worker()
    wait_until(submit("NOOP", x=1), "SUCCESS")
    wait_for(lambda: descriptors() <= before)


def test_no_worker_holds_a_socket_or_pipe_of_its_sentinel_or_of_another(start_cluster):
    cluster = start_cluster(workers=2)
    wait_until(submit("NOOP", x=1), "SUCCESS")

    def shared(pid):
        folder = f"/proc/{pid}/fd"
        names = [os.readlink(f"{folder}/{number}") for number in os.listdir(folder) if int(number) > 2]
        return {name for name in names if name.startswith(("socket:", "pipe:"))}

    one, other = (shared(worker.pid) for worker in cluster.workers)
    # multiprocessing keeps a pair of pipes for each child, of which nothing is ever read or written.
    assert not {name for name in one & other if name.startswith("socket:")}
    assert not {name for name in (one | other) & shared(cluster.pid) if name.startswith("socket:")}
