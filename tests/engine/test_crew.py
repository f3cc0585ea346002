"""The crew: TaskHub promises that it stands on known ground, and that no refusal of the system brings it down."""

from __future__ import annotations

import inspect
import os
import select
import time
from types import SimpleNamespace

import pytest
from django_q import cluster as django_q_cluster

from tasks.engine.host import folders_of
from tasks.engine.member import Member
from tasks.engine.sentinel import Sentinel
from tasks.engine.slot import Slot
from tests.engine.conftest import Ear


@pytest.fixture
def crew():
    """That of a sentinel which has not begun to run: nothing is forked."""
    crew = Sentinel(workers=2)
    crew.ear = Ear()
    return crew


def test_django_q_spawns_and_forks_as_we_expect():
    """A contract test: it fails when an upgrade changes the parts that we stand on."""
    assert list(inspect.signature(django_q_cluster.Sentinel.spawn_process).parameters) == ["self", "target", "args"]
    assert issubclass(Sentinel, django_q_cluster.Sentinel)
    assert django_q_cluster.get_mp_context().get_start_method() == "fork"
    assert {"spawn_worker", "spawn_process"} <= set(vars(django_q_cluster.Sentinel))


def test_a_process_that_the_system_refuses_is_asked_for_again_later(crew, monkeypatch):
    def refuse(*_):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(crew, "spawn_process", refuse)
    crew.spawn_missing()
    before = os.listdir("/proc/self/fd")
    crew.spawn_after = 0
    crew.spawn_missing()
    assert os.listdir("/proc/self/fd") == before
    assert crew.spawn_after > time.monotonic()
    assert not crew.members


@pytest.mark.parametrize(("exitcode", "is_left"), [(-9, False), (0, True)])
def test_the_temporary_folders_of_a_worker_that_was_killed_are_removed(crew, settings, exitcode, is_left):
    """One that ended in order has removed its own."""
    folder = settings.TEMPORARY_DIR / f"{folders_of(crew.id, 77)}x"
    folder.mkdir()
    process = SimpleNamespace(pid=77, exitcode=exitcode)
    crew.pool.append(process)
    crew.members[77] = Member(process, Slot())
    crew._forget_member(crew.members[77], 0)
    assert folder.exists() == is_left


@pytest.mark.parametrize(("idle", "tasks", "rung"), [((1, 1), 1, 1), ((1, 1), 9, 2), ((0, 1), 1, 1), ((0, 0), 1, 0)])
def test_as_many_idle_workers_are_woken_as_there_are_tasks(crew, idle, tasks, rung):
    for number, value in enumerate(idle):
        slot = Slot()
        slot.values.idle = value
        crew.members[number] = Member(None, slot)
    crew.ring(tasks)
    woken = [member for member in crew.members.values() if select.select([member.slot.wake_fd], [], [], 0)[0]]
    assert len(woken) == rung
    for member in crew.members.values():
        member.slot.close()


def test_time_is_watched_as_long_as_a_worker_may_run_something(crew, slot):
    member = crew.members[1] = Member(None, slot)
    assert not crew.everybody_idle()  # it has just been born, or just been woken
    member.slot.values.idle = 1
    assert crew.everybody_idle()
    crew.ring(1)
    assert not crew.everybody_idle()
