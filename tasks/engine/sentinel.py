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
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.utils import timezone
from django_q.cluster import Sentinel as DjangoQSentinel
from django_q.cluster import get_mp_context

from tasks.engine import host, wakeup
from tasks.engine.slot import Reason, Slot
from tasks.engine.store import get_store
from tasks.engine.upkeep import Duty, Reaper, clear_away, further_duties, lock_path
from tasks.engine.worker import memory_mb, work
from tasks.models import Cluster, Status

log = logging.getLogger("tasks.engine.sentinel")

DATABASE_AWAY = (DatabaseError, InterfaceError)
WATCH_EVERY = 0.25  # seconds between looks at the clocks of running tasks, and at what was cancelled
SIGNAL_AGAIN = 2.0  # seconds: an exception raised in a destructor is swallowed, so the signal is sent again
INTERRUPT_GRACE = 10.0  # seconds from the interrupt to SIGKILL
STOP_INTERRUPT_GRACE = 3.0  # the same when the cluster stops
QUICK_DEATH = 1.0  # a worker that lived shorter died of its start: its successor waits
SECOND_SIGNAL = 1.0  # seconds after the first from which on a signal counts as a second one


@dataclass(eq=False)
class Member:
    """A worker process of this cluster, as its sentinel sees it."""

    process: BaseProcess
    slot: Slot
    born: float = field(default_factory=time.monotonic)
    interrupted: int = 0  # the claim
    interrupted_at: float = 0.0
    signalled_at: float = 0.0
    killed_for: Reason = Reason.NONE

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    def kill(self) -> None:
        """SIGKILL to it and to what its handler started."""
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, signal.SIGKILL)

    def words_for_death(self) -> str:
        """How it died, to go after "its worker died"."""
        code = self.process.exitcode or 0
        if self.killed_for is Reason.MEMORY:
            return "using more memory than its limit"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"by signal {-code} ({signal.Signals(-code).name})"
            return f"by signal {-code}"
        return f"with exit code {code}"


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
        self.next_due: float | None = None
        self.duties = [
            Duty(settings.LEASE / 4, self.renew),
            Duty(1.0, self.reap),
            Duty(WATCH_EVERY, self.watch),
            Duty(60.0, clear_away),
            *further_duties,
        ]

    # --- life

    def run(self) -> None:
        """Work until a signal says stop. Returns when no worker is left."""
        self._listen_to_signals()
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

    def enlist(self) -> None:
        """Take the cluster's lock and row; then it counts as alive."""
        os.environ[host.MARK] = self.id
        self.lock_fd = os.open(lock_path(self.id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        host.try_lock(self.lock_fd)
        self.store.register(
            Cluster(
                id=self.id, host=host.identity(), hostname=socket.gethostname(), pid=os.getpid(), queues=settings.QUEUES
            )
        )
        self.ear = wakeup.get_ear(self.id)

    def turn(self) -> None:
        """One turn: bury, spawn, hear, do what the clock asks; then wait for news."""
        self.bury_dead()
        self.spawn_missing()
        self.hear()
        now = time.monotonic()
        for duty in self.duties:
            self.safely(lambda duty=duty: duty.turn(now))  # type: ignore[misc]
        self.wait(self._patience())

    def _patience(self) -> float:
        """Seconds until the next thing that no news would tell of."""
        now = time.monotonic()
        until = [duty.due for duty in self.duties if duty.do != self.watch or self.anybody_busy()]
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
            log.warning("The database does not answer: %s", str(error).strip()[:200])
            connections.close_all()
            self.reaper.renewed(broken=True)
            return None

    # --- signals

    def _listen_to_signals(self) -> None:
        self.signal_fd, ring = os.pipe()
        os.set_blocking(self.signal_fd, False)
        os.set_blocking(ring, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
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
        if time.monotonic() < self.spawn_after:
            return
        missing = self.pool_size - len(self.members)
        if missing > 0:
            # No open socket crosses a fork.
            self.ear.before_fork()
            connections.close_all()
            for _ in range(missing):
                self.spawn_worker()
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
        process = self.spawn_process(work, self.id, slot, os.getpid(), self._forget(slot))
        self.members[process.pid or 0] = Member(process, slot)

    def _forget(self, own: Slot) -> Callable[[], None]:
        """What a new worker closes: the ears and pipes of its sentinel and of the other workers."""

        def forget() -> None:
            if isinstance(self.ear, wakeup.SocketEar):
                os.close(self.ear.fileno())
            os.close(self.signal_fd)
            for member in self.members.values():
                if member.slot is not own:
                    member.slot.close()
            os.register_at_fork(after_in_child=lambda: os.close(self.lock_fd))

        return forget

    def bury_dead(self, *, counted: bool = True) -> None:
        """Free what dead workers held, after waitpid: from then on nobody runs it."""
        for member in list(self.members.values()):
            if member.process.is_alive():
                continue
            freed = self.safely(lambda member=member: self._release(member, counted))  # type: ignore[misc]
            if freed is None:
                continue  # the database is away: the body is kept, and looked at again
            self._forget_member(member, freed)

    def _release(self, member: Member, counted: bool) -> int:
        if member.process.exitcode:
            member.kill()  # what its handler started
        running = [claim for claim in (member.slot.values.current,) if claim]
        deliberate = member.killed_for is Reason.SHUTDOWN
        with transaction.atomic():
            held = self.store.held_by(self.id, member.pid)
            return self.store.release(held, running, member.words_for_death(), counted=counted and not deliberate)

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
            ready += self.safely(self.promote) or 0
        if ready:
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
        os.close(self.lock_fd)
        lock_path(self.id).unlink(missing_ok=True)
        self.cluster_id = uuid.uuid4()
        self.id = self.reaper.cluster = str(self.cluster_id)
        self.enlist()

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
                    (clock - timedelta(seconds=now - member.slot.values.since)).isoformat()
                    if member.slot.values.current
                    else None
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
        return any(member.slot.values.current for member in self.members.values())

    def watch(self) -> None:
        """The clocks of what runs: timeouts, memory, interrupts that were not obeyed, and cancels nobody told of."""
        if not self.anybody_busy():
            return
        now = time.monotonic()
        asked = False
        for member in self.members.values():
            values = member.slot.values
            claim, since = values.current, values.since
            if not claim:
                continue
            asked = asked or now - since >= WATCH_EVERY
            if values.deadline and now >= values.deadline:
                self.interrupt(member, claim, Reason.TIMEOUT)
            elif values.memory_mb and memory_mb(member.pid) > values.memory_mb:
                member.killed_for = Reason.MEMORY
                member.kill()
            elif member.interrupted == claim:
                self.interrupt(member, claim, Reason(values.reason))
        if asked:
            self.interrupt_cancelled()

    # --- interrupts

    def interrupt_cancelled(self) -> None:
        if not self.anybody_busy():
            return
        cancelled = self.store.cancelled_claims(self.id)
        for member in self.members.values():
            claim = member.slot.values.current
            if claim and claim in cancelled:
                self.interrupt(member, claim, Reason.CANCEL)

    def interrupt(self, member: Member, claim: int, reason: Reason, grace: float = INTERRUPT_GRACE) -> None:
        """SIGUSR1 now and every SIGNAL_AGAIN seconds, SIGKILL to its process group after the grace."""
        now = time.monotonic()
        if member.interrupted != claim:
            member.interrupted, member.interrupted_at, member.signalled_at = claim, now, 0.0
            member.slot.interrupt(claim, reason)
        if now - member.interrupted_at >= grace:
            member.killed_for = Reason(member.slot.values.reason)
            member.kill()
        elif now - member.signalled_at >= SIGNAL_AGAIN:
            member.signalled_at = now
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGUSR1)
            member.slot.ring()  # its pulse calls what the handler named for an interrupt

    # --- stop

    def wind_down(self) -> None:
        """Claims end; running tasks have the grace, then an interrupt, then SIGKILL. Nothing is counted."""
        log.info("Cluster %s stops: what runs has %g s.", self.id, settings.SHUTDOWN_GRACE)
        began = self.stops[0]
        for member in self.members.values():
            member.slot.values.stop = 1
            member.slot.ring()
        while self.members:
            self.bury_dead(counted=time.monotonic() - began < settings.SHUTDOWN_GRACE and len(self.stops) < 2)
            self._hurry(began)
            now = time.monotonic()
            self.safely(lambda: self.duties[0].turn(now))  # noqa: B023 - called at once
            if self.members:
                self.wait(0.1)
        self.safely(lambda: self.store.retire(self.id))
        lock_path(self.id).unlink(missing_ok=True)
        wakeup.tell(wakeup.News(ready=len(self.stops) * 1000))
        log.info("Cluster %s has stopped.", self.id)

    def _hurry(self, began: float) -> None:
        now = time.monotonic()
        end = self.stops[1] if len(self.stops) > 1 else began + settings.SHUTDOWN_GRACE
        self.safely(self.interrupt_cancelled)
        if now < end:
            return
        grace = 1.0 if len(self.stops) > 1 else STOP_INTERRUPT_GRACE
        for member in self.members.values():
            claim = member.slot.values.current
            if claim:
                self.interrupt(member, claim, Reason.SHUTDOWN, grace)
            if now - end >= grace:
                member.killed_for = Reason.SHUTDOWN
                member.kill()
