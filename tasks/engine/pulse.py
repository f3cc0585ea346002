"""The worker's second thread: claims ahead and has its Writer write what comes of it, over its own connection.

What it shares with the main thread is lock-free (deques, a SimpleQueue, plain attributes): an interrupt may leave the
main thread anywhere, and must not leave a lock held. For the same reason it does not log, but `say`s.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
import traceback
from collections import deque
from queue import SimpleQueue
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, connections, transaction
from django.utils import timezone

from tasks.engine.claimer import Claimer
from tasks.engine.outcome import Claimed, Move, Outcome
from tasks.engine.run import Request, Run
from tasks.engine.slot import Slot
from tasks.engine.store import get_store
from tasks.engine.writer import PUBLISH_AFTER, REPORT_EVERY, UNFIT_DATA, Writer
from tasks.turnstile import turnstile

DATABASE_AWAY = (DatabaseError, InterfaceError)
OVERDUE = 0.1  # seconds that a task may be held without being started
LOOK_EVERY = 1.0  # seconds between looks at the table, should a wake-up be lost
LOCK_PATIENCE = 2.0  # seconds to wait for a lock of the database
HELD_TOO_LONG = 2.0  # seconds that a handler may lock everybody out without being told
PAUSE_MOST = 1.0  # seconds between tries while the database is away


class Pulse(threading.Thread):
    is_apart = True  # from the handler: it writes over another connection

    def __init__(self, cluster: str, slot: Slot) -> None:
        super().__init__(name="pulse", daemon=True)
        self.cluster, self.slot = cluster, slot
        self.fast_types: tuple[str, ...] = ()  # the main thread alone sets this
        self.pid = os.getpid()
        self.store = get_store()
        self.writer = Writer(self.store)
        self.claimer = Claimer(self.store, cluster, self.pid)
        self.handlers_connection = connections["default"]  # the main thread's: it makes the pulse
        self.buffer: deque[Claimed] = deque()
        self.outbox: deque[Outcome] = deque()
        self.requests: deque[Request] = deque()
        self.bell: SimpleQueue[None] = SimpleQueue()  # wakes the main thread
        self.run_now: Run | None = None
        self.handed: Claimed | None = None  # what the main thread took last
        self.hungry = False  # the main thread waits for a task; it alone sets this
        self.flowing = False  # fast tasks run, one after another; the main thread alone sets this
        self.asleep = False
        self.closing = False
        self.stopping = False
        self.broken = True  # a connection not yet prepared is as one that broke
        self.transaction: object = None  # a handler's, that locks everybody out
        self.transaction_since = 0.0
        self.next_look = 0.0

    # --- called by the main thread

    def wake(self) -> None:
        if self.asleep:
            self.asleep = False
            self.slot.ring()

    def ask_for_task(self) -> None:
        self.next_look = 0.0  # whatever the last look said
        self.hungry = True
        self.wake()

    def hand_over(self, outcome: Outcome) -> None:
        """Written behind: the main thread goes on."""
        self.outbox.append(outcome)
        self.wake()

    def write_now(self, outcome: Outcome, *, ask: bool) -> None:
        """Return once this outcome is stored; the next claim comes along with it if `ask`."""
        self.outbox.append(outcome)
        if ask and not self.stopping:
            self.ask_for_task()
        self.flush()

    def flush(self) -> bool:
        """Return once everything handed over so far is stored. False: the task at hand was taken from us."""
        return self._ask(Request(None, None, SimpleQueue()))

    def start_task(self, claimed: Claimed, began: Any) -> bool:
        """The guarded start. False: the task is no longer ours to run."""
        return self._ask(Request(claimed, began, SimpleQueue()))

    def _ask(self, request: Request) -> bool:
        self.requests.append(request)
        self.wake()
        return request.reply.get()

    def close(self) -> None:
        """Write what is left, give back the rest, and end. Called when the main thread's loop has ended."""
        self.closing = True
        self.slot.ring()
        self.join()

    # --- the thread

    def run(self) -> None:
        # The main thread takes the signals: a sleep or a read there must end by them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGINT})
        try:
            self._work()
        except BaseException:  # noqa: BLE001 - the main thread would wait for ever; the sentinel mends a death
            say(traceback.format_exc())
            os._exit(70)

    def _work(self) -> None:
        pause = 0.1
        while not self._is_finished():
            try:
                self._wait()
                self._beat()
                pause = 0.1
            except DATABASE_AWAY as error:
                say(f"The database does not answer: {str(error).strip()[:200]}")
                self.broken = True
                connection.close()
                time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
                pause = min(pause * 2, PAUSE_MOST)
        connection.close()

    def _is_finished(self) -> bool:
        return self.closing and not (
            self.outbox or self.writer.unwritten or self.requests or self.buffer or self.broken
        )

    def _wait(self) -> None:
        """Sleep until there is something to do. Who wakes us looks at `asleep`, so it is set before the last look."""
        self.asleep = True
        if not self._has_work():
            self.slot.wait(self._patience())
        self.asleep = False

    def _has_work(self) -> bool:
        if self.outbox or self.requests or self.writer.unwritten or self.broken or self.closing:
            return True
        if self.slot.values.stop and not self.stopping:
            return True
        return self._wants_task() and (not self.hungry or time.monotonic() >= self.next_look)

    def _wants_task(self) -> bool:
        if self.stopping:
            return False
        if self.hungry:
            return not self.buffer
        return self.claimer.ahead > 1 and len(self.buffer) <= self.claimer.ahead // 2 and self._runs_fast()

    def _runs_fast(self) -> bool:
        run = self.run_now
        if run is None or not self.flowing:
            return self.flowing
        return not run.claimed.started and time.monotonic() - run.since < PUBLISH_AFTER

    def _patience(self) -> float:
        run = self.run_now
        if self.buffer or (self._runs_fast() if run else not self.hungry):
            return PUBLISH_AFTER
        if run is not None and run.dirty:
            return max(0.0, run.reported + REPORT_EVERY - time.monotonic())
        return max(0.0, self.next_look - time.monotonic()) if self.hungry else LOOK_EVERY

    def _beat(self) -> None:
        """One turn: stop what is to stop, write what there is, claim what comes next."""
        self._interrupt_if_asked()
        self._watch_for_stop()
        self._watch_transaction()
        if self.broken:
            self._reconcile()
        self._write_turn()
        if self._wants_task():
            self._claim_turn()

    # --- writing

    def _write_turn(self) -> None:
        requests, present = self._take_requests(), self.run_now
        self._collect()
        try:
            self.claimer.count(self.writer.write(present, requests))
        except UNFIT_DATA:
            self.requests.extendleft(reversed(requests))
            self.writer.write_one_by_one(present)
        except DATABASE_AWAY:
            self.requests.extendleft(reversed(requests))
            raise

    def _collect(self) -> None:
        while self.outbox:
            self.writer.unwritten.append(self.outbox.popleft())
        self.writer.unwritten += [Outcome(Move.GIVE_BACK, one) for one in self._take_overdue()]

    def _take_requests(self) -> list[Request]:
        """Before the outbox is emptied: what was handed over before a request is written before its answer."""
        return [self.requests.popleft() for _ in range(len(self.requests))]

    def _take_overdue(self) -> list[Claimed]:
        """What was claimed too long ago to be held, whatever runs; everything, when we are to stop."""
        overdue: list[Claimed] = []
        limit = time.monotonic() - (0 if self.stopping or self.closing else OVERDUE)
        with contextlib.suppress(IndexError):  # the main thread takes from here too, and may be faster
            while self.buffer[0].taken < limit:
                overdue.append(self.buffer.popleft())
        return overdue

    # --- claiming

    def _claim_turn(self) -> None:
        hungry = self.hungry
        # Before the look, not after it: a task that comes in between would wake nobody.
        self.slot.values.idle = hungry
        try:
            with turnstile():
                claimed = self.claimer.claim(self.fast_types, hungry)
        except DATABASE_AWAY:
            self.broken = True  # it may have been committed although the reply was lost
            raise
        if claimed:
            self.slot.values.idle = 0
            self.buffer.extend(claimed)
            self.bell.put(None)
        elif hungry:  # else the main thread may have become so meanwhile, and nobody has looked for it yet
            self.next_look = time.monotonic() + LOOK_EVERY

    def _reconcile(self) -> None:
        """After a broken transaction: give back what the table says we hold and we know nothing of.

        Its claim may have been committed although the reply was lost.
        """
        self.store.prepare_connection(LOCK_PATIENCE)
        self.store.pin_plans()
        held = self.store.held_by(self.cluster, self.pid)
        # The table is read first: what is claimed later is not in question, what has moved on is known further on.
        lost = set(held.values_list("claim", flat=True)) - self._known_claims()
        if lost:
            with transaction.atomic():
                self.store.release(held.filter(claim__in=lost), (), "", counted=False)
        self.broken = False

    def _known_claims(self) -> set[int]:
        """All that is here, in the order in which a claim moves on: none slips past. The main thread goes on meanwhile.

        What runs is what was handed over last.
        """
        known = [*self.buffer.copy()]
        known += [self.handed] if self.handed else []
        known += [outcome.claimed for outcome in (*self.outbox.copy(), *self.writer.unwritten)]
        return {claimed.claim for claimed in known}

    # --- interrupts

    def _interrupt_if_asked(self) -> None:
        """C code that lets go of the interpreter lock is stopped from here, by what the handler named for it."""
        run = self.run_now
        if run is None or run.stopped or self.slot.values.interrupt != run.claimed.claim:
            return
        if (stop := run.stop) is not None:
            run.stopped = True
            try:
                stop()
            except Exception as error:  # noqa: BLE001 - a handler's own callable
                say(f"A handler's on_interrupt failed: {type(error).__name__}")

    def _watch_for_stop(self) -> None:
        if not self.stopping and (self.slot.values.stop or self.closing):
            self.stopping = True
            self.bell.put(None)

    def _watch_transaction(self) -> None:
        """A handler whose own transaction locks everybody out, this thread too: its log says so, once it can."""
        run, now = self.run_now, time.monotonic()
        held = self.store.transaction_that_locks(self.handlers_connection)
        if held is None or held is not self.transaction:
            self.transaction, self.transaction_since = held, now
        elif run is not None and not run.blamed and now - self.transaction_since >= HELD_TOO_LONG:
            run.blamed = run.dirty = True
            said = "The handler holds a transaction open. On SQLite nobody can write meanwhile, its own log included."
            run.lines.append((timezone.now(), "warning", said))


def say(text: str) -> None:
    """Straight to stderr: a logging handler's lock may be held for ever by a task that was interrupted in it."""
    with contextlib.suppress(OSError):
        os.write(2, f"{timezone.now():%Y-%m-%d %H:%M:%S} WARNING tasks.engine.pulse: {text}\n".encode())
