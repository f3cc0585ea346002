"""The parent: keeps a cluster's lock, row and lease, hears news for its workers, and does duties by the clock.

It is `qcluster`'s own process. It runs no handler and has no thread; its only children are the workers, see `crew`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import time
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created
from django.utils import timezone

from tasks.engine import host, wakeup
from tasks.engine.crew import WATCH_EVERY, Crew
from tasks.engine.host import memory_mb
from tasks.engine.slot import Reason
from tasks.engine.upkeep import CLEARING, Duty, Reaper, further_duties, lock_path
from tasks.models import Cluster, Status

log = logging.getLogger("tasks.engine.sentinel")

STOP_INTERRUPT_GRACE = 3.0  # seconds from the interrupt to SIGKILL when the cluster stops
PROMOTE_AGAIN = 0.05  # seconds between tries for what is due and locked
CANCEL_SETTLES = 0.5  # seconds that something cancelled and not running yet is looked for
CANCEL_AGAIN = 0.02  # seconds between these looks
ENLIST_AGAIN = 1.0  # seconds between tries to start anew while the database is away
LOCK_PATIENCE = 1.0  # seconds to wait for a lock of the database
SECOND_SIGNAL = 1.0  # seconds after the first from which on a signal counts as a second one


class Sentinel(Crew):
    """A cluster's life: its lock, row and lease, the news it hears, its duties by the clock, its stop."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.stops: list[float] = []
        self.reaper = Reaper(self.store, self.id)
        self.next_due: float | None = None
        self.cancels_until = 0.0
        self.heartbeat = Duty(settings.LEASE / 4, self.renew)
        self.duties = [
            self.heartbeat,
            Duty(1.0, self.reap),
            Duty(WATCH_EVERY, self.watch),
            *(Duty(every, clear) for every, clear in CLEARING),
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
            self.do(duty, now)
        if not self.stops:
            self.wait(self._patience())

    def do(self, duty: Duty, now: float) -> None:
        """A duty's turn. Only the heartbeat may bring the cluster down: without it everybody takes us for dead."""
        try:
            self.safely(partial(duty.turn, now))
        except Exception:
            if duty is self.heartbeat:
                raise
            log.exception("A duty failed; it is tried again.")

    def _patience(self) -> float:
        """Seconds until the next thing that no news would tell of."""
        now = time.monotonic()
        until = [duty.due for duty in self.duties if duty.do != self.watch or not self.everybody_idle()]
        if self.next_due is not None:
            until.append(self.next_due)
        if now < self.cancels_until:
            until.append(now + CANCEL_AGAIN)
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

    def database_was_away(self) -> None:
        self.reaper.renewed(broken=True)

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
        now = time.monotonic()
        if cancelled:
            self.cancels_until = now + CANCEL_SETTLES
        if now < self.cancels_until and not self.safely(self.interrupt_cancelled):
            self.cancels_until = 0.0

    def _expect(self, seconds: float) -> None:
        due = time.monotonic() + max(0.0, seconds)
        self.next_due = due if self.next_due is None else min(due, self.next_due)

    def promote(self) -> int:
        count = self.store.promote()
        self.find_next_due()
        if not count and self.next_due is not None:
            # What is due is locked by somebody: no use in asking again without end.
            self.next_due = max(self.next_due, time.monotonic() + PROMOTE_AGAIN)
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
        host.forget_folders(self.id)
        self.ear.close()
        lock_path(self.id).unlink(missing_ok=True)
        self._close_lock()
        self.cluster_id = uuid.uuid4()
        self.id = self.reaper.cluster = str(self.cluster_id)
        while not (self.stops or self.safely(self.enlist)):
            time.sleep(ENLIST_AGAIN)

    def _report(self) -> list[dict[str, Any]]:
        running = self.store.held_by(self.id).guarded(status=Status.RUNNING).values_list("worker", "pk")
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
