"""A worker as its sentinel sees it: TaskHub promises to say how it died, and to kill what it leaves behind, once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time

import pytest

from tasks.engine.member import SIGNAL_AGAIN, Member
from tasks.engine.slot import Reason
from tests.processes import living_processes, wait_for


def live(pipe, child_seconds):
    os.setpgid(0, 0)
    signal.signal(signal.SIGUSR1, lambda *_: pipe.send("signalled"))
    if child_seconds:
        subprocess.Popen(["sleep", str(child_seconds)])
    pipe.send("up")
    while True:
        time.sleep(60)


@pytest.fixture
def start_member(slot):
    started = []

    def start(child_seconds=0):
        reader, writer = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=live, args=(writer, child_seconds))
        process.start()
        assert reader.recv() == "up"
        started.append(Member(process, slot))
        return started[-1], reader

    yield start
    for member in started:
        member.kill()
        member.process.join()


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGKILL, "by signal 9 (SIGKILL)"), (signal.SIGTERM, "by signal 15 (SIGTERM)")]
)
def test_its_death_is_told_in_words(number, words, start_member):
    member, _ = start_member()
    assert not member.is_dead()
    os.kill(member.pid, number)
    wait_for(member.is_dead)
    assert member.words_for_death() == words


def test_what_its_handler_had_started_dies_with_it(start_member):
    member, _ = start_member(child_seconds=987.75)
    os.kill(member.pid, signal.SIGKILL)
    wait_for(member.is_dead)
    wait_for(lambda: not [process for process in living_processes() if process.command == "sleep 987.75"])


def test_a_number_that_may_be_another_processs_by_now_is_not_killed(start_member, monkeypatch):
    member, _ = start_member()
    member.kill(Reason.MEMORY)
    wait_for(member.is_dead)
    killed = []
    monkeypatch.setattr(os, "kill", lambda *call: killed.append(call))
    monkeypatch.setattr(os, "killpg", lambda *call: killed.append(call))
    member.kill(Reason.TIMEOUT)
    assert member.is_dead()
    assert (killed, member.killed_for) == ([], Reason.MEMORY)
    assert member.words_for_death() == "using more memory than its limit"


def test_an_interrupt_is_signalled_again_and_ends_in_a_kill(start_member):
    member, reader = start_member()
    member.interrupt(42, Reason.TIMEOUT, grace=10)
    assert reader.recv() == "signalled"
    assert member.slot.values.interrupt == 42
    member.interrupt(42, Reason.TIMEOUT, grace=10)  # not yet again
    member.signalled_at -= SIGNAL_AGAIN
    member.interrupt(42, Reason.TIMEOUT, grace=10)
    assert reader.recv() == "signalled"
    assert not reader.poll(0)
    member.interrupted_at -= 10
    member.interrupt(42, Reason.TIMEOUT, grace=10)
    wait_for(member.is_dead)
    assert member.killed_for is Reason.TIMEOUT
