"""The supervisor, with small processes in the place of the parts."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tasks.management import supervisor
from tasks.management.supervisor import Part, Supervisor, caught_signals
from tests.processes import living_in_sessions, wait_for

# How a part ends the supervisor that started it.
STOP = "kill -TERM $PPID"


def part(script: str, *, grace: float = 10) -> Part:
    return Part("part", ["sh", "-c", script], os.environ, grace)


def test_a_part_that_keeps_dying_is_given_ever_longer_pauses():
    dying = part("exit 1")
    dying.started_at = time.monotonic()
    assert [dying.plan_restart() for _ in range(6)] == [1, 2, 4, 5, 5, 5]


def test_a_part_that_ran_for_a_while_is_started_again_at_once():
    settled = part("exit 1")
    settled.quick_deaths = 3
    settled.started_at = time.monotonic() - supervisor.QUICK
    assert (settled.plan_restart(), settled.quick_deaths) == (0, 0)


def test_a_part_that_died_is_started_again_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "PAUSES", (0.01,))
    said: list[str] = []
    starts = tmp_path / "starts"
    counting = part(f"echo >> {starts}; [ $(wc -l < {starts}) = 1 ] && exit 3; {STOP}; sleep 60")
    Supervisor([counting], said.append, "Stopping.").run()
    assert said == ["The part ended (status 3); it is started again in 0.01 s.", "Stopping."]


def test_a_part_that_ignores_the_stop_is_killed_with_what_it_started(tmp_path):
    pids = tmp_path / "pids"
    deaf = part(f"trap '' TERM; sleep 60 & echo $$ > {pids}; {STOP}; wait", grace=0.3)
    begun = time.monotonic()
    Supervisor([deaf], print).run()
    assert 0.3 <= time.monotonic() - begun < 10
    wait_for(lambda: not living_in_sessions({int(pids.read_text())}))


def test_a_part_that_ends_in_time_is_not_killed(tmp_path):
    farewell = tmp_path / "farewell"
    polite = part(f"trap 'echo bye > {farewell}; exit 0' TERM; {STOP}; sleep 60 & wait")
    Supervisor([polite], print).run()
    assert farewell.read_text() == "bye\n"


def test_every_part_is_ended_when_the_supervisor_fails(tmp_path):
    pids = tmp_path / "pids"
    good, missing = part(f"echo $$ > {pids}; sleep 60"), Part("none", [str(tmp_path / "none")], os.environ, 1)
    with pytest.raises(FileNotFoundError):
        Supervisor([good, missing], print).run()
    assert good.process is None


def test_a_repeated_stop_counts_only_after_a_second():
    with caught_signals() as signals:
        for now in (10.0, 10.2, 10.9, 11.5):
            signals.count_request(now)
    assert signals.stop_requests == 2


def test_signals_are_as_before_once_the_supervisor_is_done():
    before = signal.getsignal(signal.SIGTERM)
    with caught_signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        signals.wait(5)
    assert (signals.stop_requests, signal.getsignal(signal.SIGTERM)) == (1, before)


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")
def test_a_child_dies_with_its_parent(tmp_path: Path):
    """The whole chain is tested with `manage.py up`; here, that a child whose parent is gone already ends at once."""
    child = os.fork()
    if not child:
        supervisor.die_with(parent=1 << 30)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
