"""The workers of a cluster: spawned, woken, watched, interrupted and buried by their sentinel."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, transaction
from django.db.backends.signals import connection_created
from django_q.cluster import Sentinel as DjangoQSentinel
from django_q.cluster import get_mp_context

from tasks.engine import wakeup
from tasks.engine.birth import work
from tasks.engine.host import forget_folders, memory_mb
from tasks.engine.member import Member
from tasks.engine.slot import Reason, Slot
from tasks.engine.store import get_store

log = logging.getLogger("tasks.engine.crew")

DATABASE_AWAY = (DatabaseError, InterfaceError)
WATCH_EVERY = 0.25  # seconds between looks at the clocks of running tasks, and at what was cancelled
INTERRUPT_GRACE = 10.0  # seconds from the interrupt to SIGKILL
QUICK_DEATH = 1.0  # a worker that lived shorter died of its start: its successor waits
FORK_AGAIN = 1.0  # seconds after the system refused a process or a pipe
COMPLAIN_EVERY = 5.0  # seconds between lines in the log while the database is away


class Crew(DjangoQSentinel):
    """django-q2's sentinel, without its shared queues, pusher and monitor: it keeps `spawn_process` and its names."""

    def __init__(self, workers: int) -> None:
        # Not super().__init__(): it makes queues and events that every child would share.
        self.cluster_id = uuid.uuid4()
        self.id = str(self.cluster_id)
        self.pool_size = workers
        self.pool: list[BaseProcess] = []
        self.members: dict[int, Member] = {}
        self.store = get_store()
        self.ear: Any = None
        self.lock_fd = self.signal_fd = self.signal_ring_fd = -1
        self.quick_deaths = 0
        self.spawn_after = 0.0
        self.complained = float("-inf")

    def safely(self, do: Callable[[], Any]) -> Any:
        """What needs the database, tried: while it is away workers go on, and claims fence them."""
        try:
            return do()
        except DATABASE_AWAY as error:
            if time.monotonic() - self.complained > COMPLAIN_EVERY:
                self.complained = time.monotonic()
                log.warning("The database does not answer: %s", str(error).strip()[:200])
            connections.close_all()
            self.database_was_away()
            return None

    def database_was_away(self) -> None:
        """Called after each time."""

    # --- from birth to burial

    def spawn_missing(self) -> None:
        missing = self.pool_size - len(self.members)
        if missing <= 0 or time.monotonic() < self.spawn_after:
            return
        # No open socket crosses a fork.
        self.ear.before_fork()
        connections.close_all()
        gc.freeze()  # what a worker's garbage collector does not touch stays shared with us
        try:
            for _ in range(missing):
                self.spawn_worker()
        except OSError as error:
            log.error("No worker could be started: %s", error)
            self.spawn_after = time.monotonic() + FORK_AGAIN
        self.ear.after_fork()

    def spawn_process(self, target: Callable[..., Any], *args: Any) -> BaseProcess:
        """As django-q2's, but never a daemon: a handler may start processes of its own."""
        process = get_mp_context().Process(target=target, args=args, name=f"Worker-{uuid.uuid4().hex[:8]}")
        process.start()
        self.pool.append(process)
        return process

    def spawn_worker(self) -> None:
        slot = Slot()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            process = self.spawn_process(work, self.id, slot, os.getpid(), partial(self._forget, slot))
        except OSError:
            slot.close()
            raise
        self.members[process.pid or 0] = Member(process, slot)

    def _forget(self, own: Slot) -> None:
        """What a new worker closes: the ears and pipes of its sentinel and of the other workers."""
        connection_created.disconnect(dispatch_uid="sentinel")
        signal.set_wakeup_fd(-1)
        for descriptor in (self.signal_fd, self.signal_ring_fd):
            os.close(descriptor)
        if isinstance(self.ear, wakeup.SocketEar):
            os.close(self.ear.fileno())
        for member in self.members.values():
            if member.slot is not own:
                member.slot.close()
        os.register_at_fork(after_in_child=self._close_lock)

    def _close_lock(self) -> None:
        """Give up the cluster's lock. It is a process's part of it: whoever else inherited it still holds it."""
        descriptor, self.lock_fd = self.lock_fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def bury_dead(self, *, counted: bool = True) -> bool:
        """Free what dead workers held, after waitpid: from then on nobody runs it. False: the database is away."""
        for member in list(self.members.values()):
            if not member.is_dead():
                continue
            freed = self.safely(partial(self._release, member, counted))
            if freed is None:
                return False  # the bodies are kept, and looked at again
            self._forget_member(member, freed)
        return True

    def _release(self, member: Member, counted: bool) -> int:
        """Free what a dead worker held. What did not stop at its timeout has had its attempt; the rest is a loss."""
        counted = counted and member.killed_for is not Reason.SHUTDOWN
        held = self.store.held_by(self.id, member.pid)
        with transaction.atomic():
            if counted and member.killed_for is Reason.TIMEOUT:
                self.store.time_out(held.filter(claim=member.interrupted))
            return self.store.release(held, {member.claim}, member.words_for_death(), counted=counted)

    def _forget_member(self, member: Member, freed: int) -> None:
        del self.members[member.pid]
        self.pool.remove(member.process)
        member.slot.close()
        self.ring(freed)
        if not member.process.exitcode:
            return
        forget_folders(self.id, member.pid)
        log.error("Worker %d died %s; %d tasks freed.", member.pid, member.words_for_death(), freed)
        self.quick_deaths = self.quick_deaths + 1 if time.monotonic() - member.born < QUICK_DEATH else 0
        if self.quick_deaths > 2 * self.pool_size:
            self.spawn_after = time.monotonic() + min(5.0, 0.25 * self.quick_deaths)

    # --- while they live

    def ring(self, tasks: int) -> None:
        """Wake as many idle workers as there are tasks."""
        for member in self.members.values():
            if tasks <= 0:
                return
            if member.slot.values.idle:
                member.slot.values.idle = 0
                member.slot.ring()
                tasks -= 1

    def everybody_idle(self) -> bool:
        """Whether each worker waits to be woken: whoever was woken may run something by now."""
        return all(member.slot.values.idle for member in self.members.values())

    def watch(self) -> None:
        """The clocks of what runs: timeouts, memory, interrupts that were not obeyed, and cancels nobody told of."""
        now = time.monotonic()
        busy = [member for member in self.members.values() if member.claim]
        for member in busy:
            self._watch_member(member, now)
        if any(now - member.slot.values.since >= WATCH_EVERY for member in busy):
            self.interrupt_cancelled()

    def _watch_member(self, member: Member, now: float) -> None:
        values, claim = member.slot.values, member.claim
        if values.deadline and now >= values.deadline:
            member.interrupt(claim, Reason.TIMEOUT, INTERRUPT_GRACE)
        elif values.memory_mb and memory_mb(member.pid) > values.memory_mb:
            member.kill(Reason.MEMORY)
        elif member.interrupted == claim:
            member.interrupt(claim, Reason(values.reason), INTERRUPT_GRACE)

    def interrupt_cancelled(self) -> bool:
        """Interrupt what was cancelled and runs. Gives whether more was cancelled that may be about to run.

        A task is RUNNING in the table a moment before its worker's slot says so.
        """
        cancelled = self.store.cancelled_claims(self.id)
        for member in self.members.values():
            claim = member.claim
            if claim in cancelled:
                member.interrupt(claim, Reason.CANCEL, INTERRUPT_GRACE)
                cancelled.discard(claim)
        return bool(cancelled)
