"""The parent: spawns workers, wakes them, interrupts and buries them, holds the cluster's lease.

It is `qcluster`'s own process. It runs no handler and has no thread; its only children are the workers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.db.backends.signals import connection_created
from django.utils import timezone
from django_q.cluster import Sentinel as DjangoQSentinel
from django_q.cluster import get_mp_context

from tasks.engine import host, wakeup
from tasks.engine.member import Member
from tasks.engine.slot import Reason, Slot
from tasks.engine.store import get_store
from tasks.engine.upkeep import Duty, Reaper, clear_away, further_duties, lock_path
from tasks.engine.worker import memory_mb, work
from tasks.models import Cluster, Status

log = logging.getLogger("tasks.engine.sentinel")

DATABASE_AWAY = (DatabaseError, InterfaceError)
WATCH_EVERY = 0.25  # seconds between looks at the clocks of running tasks, and at what was cancelled
INTERRUPT_GRACE = 10.0  # seconds from the interrupt to SIGKILL
STOP_INTERRUPT_GRACE = 3.0  # the same when the cluster stops
QUICK_DEATH = 1.0  # a worker that lived shorter died of its start: its successor waits
LOCK_PATIENCE = 1.0  # seconds to wait for a lock of the database
FORK_AGAIN = 1.0  # seconds after the system refused a process or a pipe
COMPLAIN_EVERY = 5.0  # seconds between lines in the log while the database is away
SECOND_SIGNAL = 1.0  # seconds after the first from which on a signal counts as a second one


class Sentinel(DjangoQSentinel):
    """django-q2's sentinel, without its shared queues, pusher and monitor: it keeps `spawn_process` and its names."""

    def __init__(self, workers: int) -> None:
        # Not super().__init__(): it makes queues and events that every child would share.
        self.cluster_id = uuid.uuid4()
        self.id = str(self.cluster_id)
        self.pool_size = workers
        self.pool: list[BaseProcess] = []
        self.members: dict[int, Member] = {}
        self.store = get_store()
        self.stops: list[float] = []
        self.lock_fd = -1
        self.ear: Any = None
        self.reaper = Reaper(self.store, self.id)
        self.quick_deaths = 0
        self.spawn_after = 0.0
        self.complained = float("-inf")
        self.next_due: float | None = None
        self.heartbeat = Duty(settings.LEASE / 4, self.renew)
        self.duties = [
            self.heartbeat,
            Duty(1.0, self.reap),
            Duty(WATCH_EVERY, self.watch),
            Duty(60.0, clear_away),
            *further_duties,
        ]

    # --- life

    def run(self) -> None:
        """Work until a signal says stop. Returns when no worker is left."""
        self._listen_to_signals()
        connection_created.connect(self._prepare_connection, dispatch_uid="sentinel")
        self.enlist()
        log.info("Cluster %s works with %d workers on %s.", self.id, self.pool_size, self.store.vendor)
        try:
            while not self.stops:
                self.turn()
            self.wind_down()
        finally:
            for member in self.members.values():
                member.kill()
            self.ear.close()

    def enlist(self) -> bool:
        """Take the cluster's lock and row; then it counts as alive."""
        os.environ[host.MARK] = self.id
        if self.lock_fd < 0:
            self.lock_fd = os.open(lock_path(self.id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            host.try_lock(self.lock_fd)
        self.store.register(
            Cluster(
                id=self.id, host=host.identity(), hostname=socket.gethostname(), pid=os.getpid(), queues=settings.QUEUES
            )
        )
        self.ear = wakeup.get_ear(self.id)
        return True

    def _prepare_connection(self, **kwargs: Any) -> None:
        self.store.prepare_connection(LOCK_PATIENCE)

    def turn(self) -> None:
        """One turn: bury, spawn, hear, do what the clock asks; then wait for news."""
        self.bury_dead()
        self.spawn_missing()
        self.hear()
        now = time.monotonic()
        for duty in self.duties:
            self.safely(partial(duty.turn, now))
        if not self.stops:
            self.wait(self._patience())

    def _patience(self) -> float:
        """Seconds until the next thing that no news would tell of."""
        now = time.monotonic()
        until = [duty.due for duty in self.duties if duty.do != self.watch or not self.everybody_idle()]
        if self.next_due is not None:
            until.append(self.next_due)
        if len(self.members) < self.pool_size:
            until.append(self.spawn_after)
        return max(0.0, min(min(until) - now, self.ear.patience))

    def wait(self, patience: float) -> None:
        heard_by = [self.signal_fd]
        if (descriptor := self.ear.fileno()) is not None:
            heard_by.append(descriptor)
        with contextlib.suppress(InterruptedError):
            select.select(heard_by, [], [], patience)
        with contextlib.suppress(BlockingIOError):
            os.read(self.signal_fd, 4096)

    def safely(self, do: Callable[[], Any]) -> Any:
        """What needs the database, tried: while it is away workers go on, and claims fence them."""
        try:
            return do()
        except DATABASE_AWAY as error:
            if time.monotonic() - self.complained > COMPLAIN_EVERY:
                self.complained = time.monotonic()
                log.warning("The database does not answer: %s", str(error).strip()[:200])
            connections.close_all()
            self.reaper.renewed(broken=True)
            return None

    # --- signals

    def _listen_to_signals(self) -> None:
        self.signal_fd, self.signal_ring_fd = os.pipe()
        os.set_blocking(self.signal_fd, False)
        os.set_blocking(self.signal_ring_fd, False)
        signal.set_wakeup_fd(self.signal_ring_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)

    def _on_stop(self, *_: Any) -> None:
        # Ctrl-C reaches a whole terminal at once, and `up` passes it on: together they are one wish.
        now = time.monotonic()
        if not self.stops or now - self.stops[-1] >= SECOND_SIGNAL:
            self.stops.append(now)

    # --- workers

    def spawn_missing(self) -> None:
        missing = self.pool_size - len(self.members)
        if missing <= 0 or time.monotonic() < self.spawn_after:
            return
        # No open socket crosses a fork.
        self.ear.before_fork()
        connections.close_all()
        try:
            for _ in range(missing):
                self.spawn_worker()
        except OSError as error:
            log.error("No worker could be started: %s", error)
            self.spawn_after = time.monotonic() + FORK_AGAIN
        self.ear.after_fork()
        self.ring(self.pool_size)  # nobody listened for a moment: look once

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
        self.find_next_due()
        if not member.process.exitcode:
            return
        log.error("Worker %d died %s; %d tasks freed.", member.pid, member.words_for_death(), freed)
        self.quick_deaths = self.quick_deaths + 1 if time.monotonic() - member.born < QUICK_DEATH else 0
        if self.quick_deaths > 2 * self.pool_size:
            self.spawn_after = time.monotonic() + min(5.0, 0.25 * self.quick_deaths)

    # --- news

    def hear(self) -> None:
        ready, cancelled = 0, False
        for news in self.ear.hear():
            ready += news.ready
            cancelled = cancelled or news.cancelled
            if news.due is not None:
                self._expect(news.due.timestamp() - time.time())
        if self.next_due is not None and time.monotonic() >= self.next_due:
            self.next_due = None  # should the database be away, `reap` finds it anew
            ready += self.safely(self.promote) or 0
        self.ring(ready)
        if cancelled:
            self.safely(self.interrupt_cancelled)

    def ring(self, tasks: int) -> None:
        """Wake as many idle workers as there are tasks."""
        for member in self.members.values():
            if tasks <= 0:
                return
            if member.slot.values.idle:
                member.slot.values.idle = 0
                member.slot.ring()
                tasks -= 1

    def _expect(self, seconds: float) -> None:
        due = time.monotonic() + max(0.0, seconds)
        self.next_due = due if self.next_due is None else min(due, self.next_due)

    def promote(self) -> int:
        count = self.store.promote()
        self.find_next_due()
        return count

    def find_next_due(self) -> None:
        due = self.safely(self.store.next_due)
        self.next_due = None
        if due is not None:
            self._expect((due - timezone.now()).total_seconds())

    # --- duties

    def renew(self) -> None:
        """The heartbeat. A cluster whose row is gone was taken for dead: it kills its workers before anything else."""
        broken = not self.store.renew(self.id, self._report())
        self.reaper.renewed(broken=broken)
        if broken and not self.stops:
            self.start_over()

    def start_over(self) -> None:
        log.critical("Cluster %s was taken for dead: its workers are killed, and it starts anew.", self.id)
        for member in self.members.values():
            member.kill()
        for member in self.members.values():
            member.process.join()
            self.pool.remove(member.process)
            member.slot.close()
        self.members.clear()
        self.ear.close()
        lock_path(self.id).unlink(missing_ok=True)
        self._close_lock()
        self.cluster_id = uuid.uuid4()
        self.id = self.reaper.cluster = str(self.cluster_id)
        while not (self.stops or self.safely(self.enlist)):
            time.sleep(FORK_AGAIN)

    def _report(self) -> list[dict[str, Any]]:
        running = self.store.held_by(self.id).filter(status=Status.RUNNING).values_list("worker", "pk")
        tasks = {worker: str(pk) for worker, pk in running}
        now, clock = time.monotonic(), timezone.now()
        return [
            {
                "pid": member.pid,
                "rss_mb": round(memory_mb(member.pid)),
                "task": tasks.get(member.pid),
                "since": (
                    (clock - timedelta(seconds=now - member.slot.values.since)).isoformat() if member.claim else None
                ),
                "done": member.slot.values.done,
                "failed": member.slot.values.failed,
            }
            for member in self.members.values()
        ]

    def reap(self) -> None:
        freed = self.reaper.reap()
        self.find_next_due()
        if self.next_due is not None and time.monotonic() >= self.next_due:
            freed += self.promote()
        self.ring(freed)

    def anybody_busy(self) -> bool:
        return any(member.claim for member in self.members.values())

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

    # --- interrupts

    def interrupt_cancelled(self) -> None:
        if not self.anybody_busy():
            return
        cancelled = self.store.cancelled_claims(self.id)
        for member in self.members.values():
            claim = member.claim
            if claim in cancelled:
                member.interrupt(claim, Reason.CANCEL, INTERRUPT_GRACE)

    # --- stop

    def wind_down(self) -> None:
        """Claims end; running tasks have the grace, then an interrupt, then SIGKILL. Nothing is counted."""
        log.info("Cluster %s stops: what runs has %g s.", self.id, settings.SHUTDOWN_GRACE)
        began = self.stops[0]
        for member in self.members.values():
            member.slot.values.stop = 1
            member.slot.ring()
        # Bodies that cannot be buried, for the database is away, keep nobody.
        while not all(member.is_dead() for member in self.members.values()):
            self.bury_dead(counted=time.monotonic() - began < settings.SHUTDOWN_GRACE and len(self.stops) < 2)
            self._hurry(began)
            self.safely(partial(self.heartbeat.turn, time.monotonic()))
            self.wait(0.1)
        self._leave()

    def _leave(self) -> None:
        if not self.bury_dead() or self.safely(partial(self.store.retire, self.id)) is None:
            # Our row stays, and so does the lock's file: once it can be taken, the next reaper knows us dead.
            log.warning("Cluster %s has stopped; what it held is freed once the database answers.", self.id)
            return
        lock_path(self.id).unlink(missing_ok=True)
        wakeup.tell(wakeup.News(ready=wakeup.EVERYBODY))
        log.info("Cluster %s has stopped.", self.id)

    def _hurry(self, began: float) -> None:
        now = time.monotonic()
        end = self.stops[1] if len(self.stops) > 1 else began + settings.SHUTDOWN_GRACE
        self.safely(self.interrupt_cancelled)
        if now < end:
            return
        grace = 1.0 if len(self.stops) > 1 else STOP_INTERRUPT_GRACE
        for member in self.members.values():
            if claim := member.claim:
                member.interrupt(claim, Reason.SHUTDOWN, grace)
            if now - end >= grace:
                member.kill(Reason.SHUTDOWN)
