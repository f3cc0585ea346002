"""The slot: TaskHub promises that a sentinel and its worker share values, and nothing a dead one could hold."""

from __future__ import annotations

import os
import select
import signal

from tasks.engine.slot import Reason


def is_rung(slot):
    return bool(select.select([slot.wake_fd], [], [], 0)[0])


def test_what_a_worker_writes_its_sentinel_reads_also_after_its_death(slot):
    child = os.fork()
    if not child:
        slot.values.current = 2**61
        slot.values.since = 1.5
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (slot.values.current, slot.values.since) == (2**61, 1.5)


def test_a_ring_wakes_and_is_silenced(slot):
    assert not is_rung(slot)
    slot.ring()
    slot.ring()
    assert is_rung(slot)
    slot.silence()
    assert not is_rung(slot)
    slot.silence()


def test_a_worker_that_never_reads_blocks_nobody(slot):
    for _ in range(100_000):
        slot.ring()
    assert is_rung(slot)


def test_an_interrupt_names_the_claim_and_the_reason(slot):
    slot.interrupt(42, Reason.TIMEOUT)
    assert (slot.values.interrupt, slot.values.reason) == (42, Reason.TIMEOUT)
