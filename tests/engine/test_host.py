"""What this machine tells of its processes: TaskHub promises to bury nobody who lives, and to count what is there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tasks.engine import host
from tests.processes import wait_for


@pytest.fixture
def named(settings):
    """Its answer is remembered for a process's life: each test asks anew."""
    host.identity.cache_clear()
    yield settings
    host.identity.cache_clear()


def test_processes_that_see_each_other_have_one_name(named):
    named.HOST = ""
    program = "import django; django.setup(); from tasks.engine import host; print(host.identity())"
    said = subprocess.check_output([sys.executable, "-c", program], cwd=named.BASE_DIR, text=True)
    assert said.strip() == host.identity()


def test_another_name_can_be_given(named):
    named.HOST = "elsewhere"
    assert host.identity() == "elsewhere"


def test_a_lock_is_free_once_its_holder_is_dead(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import fcntl, time; f = open({str(path)!r}, 'w'); fcntl.flock(f, 2); print(1, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline()
    descriptor = os.open(path, os.O_RDWR)
    assert not host.try_lock(descriptor)
    holder.kill()
    holder.wait()
    assert host.try_lock(descriptor)
    os.close(descriptor)
    holder.stdout.close()


def test_only_what_a_cluster_has_started_carries_its_mark():
    marked = subprocess.Popen(["sleep", "60"], env={host.MARK: "abc", "PATH": os.environ["PATH"]})
    try:
        assert marked.pid in set(host.processes())
        wait_for(lambda: host.carries(marked.pid, "abc"))  # it has its own environment once it is `sleep`
        assert not host.carries(marked.pid, "ab")
        assert not host.carries(os.getpid(), "abc")
    finally:
        marked.kill()
        marked.wait()
    assert not host.carries(marked.pid, "abc")


def test_memory_is_what_a_process_has_now_and_nothing_where_there_is_none():
    before = host.memory_mb()
    held = bytearray(64 * 1024 * 1024)
    assert host.memory_mb() - before > 50
    assert held
    assert host.memory_mb(2**22 + 1) == 0.0
