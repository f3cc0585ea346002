"""The worker's second thread: claims ahead, writes outcomes, progress and log lines, over its own connection.

What it shares with the main thread is lock-free (deques, a SimpleQueue, plain attributes): an interrupt may leave the
main thread anywhere, and must not leave a lock held.
"""

from __future__ import annotations

import logging
import os
import random
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connection, transaction
from django.utils import timezone

from tasks.engine import wakeup
from tasks.engine.outcome import Claimed, Move, Outcome, Report, clean_text
from tasks.engine.slot import Slot
from tasks.engine.store import get_store
from tasks.engine.store.reports import publish_files, write_report

log = logging.getLogger("tasks.engine.pulse")

DATABASE_AWAY = (DatabaseError, InterfaceError)
AHEAD = 0.05  # seconds' worth of fast tasks to hold
AHEAD_MOST = 200  # tasks
OVERDUE = 0.1  # seconds that a task may be held without being started
PUBLISH_AFTER = 0.05  # seconds after which a fast task that still runs is shown as RUNNING
REPORT_EVERY = 1.0  # seconds between writes of one task's progress and log
LOOK_EVERY = 1.0  # seconds between looks at the table, should a wake-up be lost


@dataclass(slots=True)
class Run:
    """The task that the main thread is at.

    The main thread appends to the deques; the pulse moves what is there into `report`, which it keeps until it is
    committed.
    """

    claimed: Claimed
    began: Any
    since: float
    progress: tuple[float | None, str | None] | None = None
    lines: deque[Any] = field(default_factory=deque)
    files: deque[Any] = field(default_factory=deque)
    new_items: deque[Any] = field(default_factory=deque)
    items: deque[Any] = field(default_factory=deque)
    checkpoint: tuple[Any] | None = None
    dirty: bool = False
    report: Report | None = None
    told: bool = False  # whether anything was ever reported
    reported: float = 0.0
    next_seq: int | None = None
    stop: Callable[[], object] | None = None
    stopped: bool = False

    def gather(self) -> Report:
        """Move what was reported into `report`. Called by the pulse."""
        self.told = True
        self.dirty = False  # before the rest: what comes from now on makes it dirty again
        report = self.report = self.report or Report()
        report.progress = self.progress
        if self.checkpoint is not None:
            report.has_checkpoint, report.checkpoint = True, self.checkpoint[0]
        for source, take in (
            (self.lines, report.lines.append),
            (self.files, report.files.append),
            (self.new_items, report.new_items.append),
            (self.items, lambda record: report.items.update({record.key: record})),
        ):
            while source:
                take(source.popleft())
        return report


@dataclass(slots=True)
class Request:
    """Something the main thread waits for: that a task is started, or that everything so far is stored."""

    start: Claimed | None
    began: Any
    reply: SimpleQueue[bool]


class Pulse(threading.Thread):
    def __init__(self, cluster: str, slot: Slot) -> None:
        super().__init__(name="pulse", daemon=True)
        self.cluster, self.slot = cluster, slot
        self.fast_types: tuple[str, ...] = ()  # the main thread alone sets this
        self.pid = os.getpid()
        self.store = get_store()
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
        self.unwritten: list[Outcome] = []
        self.ahead, self.rate_since, self.rate_count = 1, time.monotonic(), 0
        self.next_look = 0.0
        self.queues: list[str] = []
        self.turn = 0

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

    def flush(self) -> None:
        """Return once everything handed over so far is stored."""
        self._ask(Request(None, None, SimpleQueue()))

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
        pause = 0.1
        while not self._is_finished():
            try:
                self._wait()
                self._beat()
                pause = 0.1
            except DATABASE_AWAY as error:
                log.warning("The database does not answer: %s", str(error).strip()[:200])
                self.broken = True
                connection.close()
                time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
                pause = min(pause * 2, 2.0)
        connection.close()

    def _is_finished(self) -> bool:
        return self.closing and not (self.outbox or self.unwritten or self.requests or self.buffer or self.broken)

    def _wait(self) -> None:
        """Sleep until there is something to do. Who wakes us looks at `asleep`, so it is set before the last look."""
        self.asleep = True
        if not self._has_work():
            select.select([self.slot.wake_fd], [], [], self._patience())
            # Now, not later: who rings during the coming turn must find us awake after it.
            self.slot.silence()
        self.asleep = False

    def _has_work(self) -> bool:
        if self.outbox or self.requests or self.unwritten or self.broken or self.closing:
            return True
        if self.slot.values.stop and not self.stopping:
            return True
        return self._wants_task() and (not self.hungry or time.monotonic() >= self.next_look)

    def _wants_task(self) -> bool:
        if self.stopping:
            return False
        if self.hungry:
            return not self.buffer
        return self.ahead > 1 and len(self.buffer) <= self.ahead // 2 and self._runs_fast()

    def _runs_fast(self) -> bool:
        run = self.run_now
        if run is None or not self.flowing:
            return self.flowing
        return not run.claimed.started and time.monotonic() - run.since < PUBLISH_AFTER

    def _patience(self) -> float:
        if self.buffer or (self.run_now is not None and self._runs_fast()):
            return PUBLISH_AFTER
        run = self.run_now
        if run is not None and run.dirty:
            return max(0.0, run.reported + REPORT_EVERY - time.monotonic())
        return max(0.0, self.next_look - time.monotonic()) if self.hungry else LOOK_EVERY

    def _beat(self) -> None:
        """One turn: stop what is to stop, write what there is, claim what comes next."""
        self._interrupt_if_asked()
        self._watch_for_stop()
        self._write_turn()
        if self._wants_task():
            self._claim_turn()

    def _write_turn(self) -> None:
        """Outcomes, reports, starts and answers, in one transaction."""
        requests = self._take_requests()
        self._collect()
        overdue = self._take_overdue()
        self.unwritten += [Outcome(Move.GIVE_BACK, one) for one in overdue]
        runs = self._runs_to_report(requests)
        publish = self._run_to_publish()
        if not (self.unwritten or runs or publish or requests or self.broken):
            return
        plain = not (runs or publish or requests or self.broken)
        try:
            # One statement is a transaction of its own: a BEGIN and a COMMIT would be two more journeys.
            with nullcontext() if plain and self.store.is_one_statement(self.unwritten) else transaction.atomic():
                if self.broken:
                    self._reconcile(requests)
                for run in runs:
                    run.next_seq = write_report(run.claimed, run.gather(), run.next_seq)
                self._write()
                if publish:
                    publish.claimed.started = self.store.start(publish.claimed, publish.began)
                answers = [self._answer(request) for request in requests]
        except DATABASE_AWAY as error:
            self.requests.extendleft(reversed(requests))
            if not isinstance(error, DataError | IntegrityError) or self.broken:
                raise
            self._write_one_by_one(runs)
            return
        for run in runs:
            run.report, run.reported = None, time.monotonic()
        self._settle(requests, answers, len(overdue))

    def _settle(self, requests: list[Request], answers: list[bool], given_back: int) -> None:
        """After the commit: tell who waits for it."""
        self._count(len(self.unwritten))
        again = [outcome.run_at for outcome in self.unwritten if outcome.move is Move.TRY_AGAIN_LATER]
        self.unwritten, self.broken = [], False
        for request, answer in zip(requests, answers, strict=True):
            request.reply.put(answer)
        if given_back or again:
            wakeup.tell(wakeup.News(ready=given_back, due=min(filter(None, again), default=None)))

    def _claim_turn(self) -> None:
        hungry = self.hungry
        # Before the look, not after it: a task that comes in between would wake nobody.
        self.slot.values.idle = hungry
        try:
            claimed = self._claim(hungry)
        except DATABASE_AWAY:
            self.broken = True  # it may have been committed although the reply was lost
            raise
        if claimed:
            self.slot.values.idle = 0
            self.buffer.extend(claimed)
            self.bell.put(None)

    def _collect(self) -> None:
        while self.outbox:
            self.unwritten.append(self.outbox.popleft())

    def _take_requests(self) -> list[Request]:
        """Before the outbox is emptied: what was handed over before a request is written before its answer."""
        taken = []
        while self.requests:
            taken.append(self.requests.popleft())
        return taken

    def _take_overdue(self) -> list[Claimed]:
        """What was claimed too long ago to be held, whatever runs; everything, when we are to stop."""
        overdue: list[Claimed] = []
        limit = time.monotonic() - (0 if self.stopping or self.closing else OVERDUE)
        while self.buffer and self.buffer[0].taken < limit:
            try:
                overdue.append(self.buffer.popleft())
            except IndexError:  # the main thread was faster
                break
        return overdue

    def _runs_to_report(self, requests: list[Request]) -> list[Run]:
        """Ended runs first have their last words written; the present one's turn comes once in REPORT_EVERY."""
        ended = [outcome.run for outcome in self.unwritten if outcome.run is not None]
        run = self.run_now
        if run is None or run in ended or not (run.dirty or run.report):
            return ended
        asked = any(request.start is None for request in requests)
        due = time.monotonic() - run.reported >= REPORT_EVERY
        return [*ended, run] if asked or due else ended

    def _run_to_publish(self) -> Run | None:
        """A fast task that was not written as RUNNING and is not so fast after all."""
        run = self.run_now
        if run is None or run.claimed.started or time.monotonic() - run.since < PUBLISH_AFTER:
            return None
        return run

    def _answer(self, request: Request) -> bool:
        if request.start is None:
            return True
        request.start.started = self.store.start(request.start, request.began)
        return request.start.started

    def _write(self) -> None:
        for outcome in self.unwritten:
            if outcome.run is not None:
                publish_files(outcome.claimed)
        self.store.write(self.unwritten)

    def _write_one_by_one(self, runs: list[Run]) -> None:
        """One bad value fails its whole batch, for ever: find it, and let its task fail instead."""
        for run in runs:
            run.report = None
        outcomes, self.unwritten = self.unwritten, []
        for outcome in outcomes:
            try:
                with transaction.atomic():
                    self.store.write([outcome])
            except (DataError, IntegrityError) as error:
                sentence = f"Its result could not be stored: {str(error).strip()[:300]}"
                failure = Outcome(Move.FAIL, outcome.claimed, outcome.began, outcome.ended, error=clean_text(sentence))
                self.outbox.append(failure)

    def _claim(self, hungry: bool) -> list[Claimed]:
        """The next tasks. Queues take turns; a list that gave nothing is read anew before the last word."""
        fast = self.fast_types
        limit = self.ahead if fast else 1
        for attempt in range(2):
            if attempt or not self.queues:
                fresh = self.store.open_queues()
                if attempt and fresh == self.queues:
                    break
                self.queues = fresh
            for place in range(len(self.queues)):
                queue = self.queues[(self.turn + place) % len(self.queues)]
                claimed = self._take(queue, limit, fast, hungry)
                if claimed:
                    self.turn += place
                    return claimed
        if hungry:  # else the main thread may have become so meanwhile, and nobody has looked for it yet
            self.next_look = time.monotonic() + LOOK_EVERY
        return []

    def _take(self, queue: str, limit: int, fast: tuple[str, ...], hungry: bool) -> list[Claimed]:
        """Claim from one queue. What is not known to be fast is started at once: the main thread waits for it."""
        claimed = self.store.claim(self.cluster, self.pid, queue, limit, fast, hungry)
        if claimed and (claimed[0].losses or claimed[0].task_type not in fast):
            claimed[0].started = self.store.start(claimed[0], timezone.now())
        return claimed

    def _reconcile(self, requests: list[Request]) -> None:
        """After a broken transaction: give back what the table says we hold and we know nothing of.

        Its claim may have been committed although the reply was lost.
        """
        known = {one.claim for one in self.buffer} | {outcome.claimed.claim for outcome in self.unwritten}
        known |= {request.start.claim for request in requests if request.start}
        known |= {run.claim for run in (self.handed, self.run_now and self.run_now.claimed) if run}
        self.store.prepare_connection()
        held = self.store.held_by(self.cluster, self.pid)
        lost = held.exclude(claim__in=known)
        self.store.release(lost, (), "", counted=False)

    def _count(self, ended: int) -> None:
        """Learn how many tasks are about AHEAD seconds' worth."""
        self.rate_count += ended
        spent = time.monotonic() - self.rate_since
        if spent > AHEAD:
            self.ahead = max(1, min(AHEAD_MOST, int(self.rate_count / spent * AHEAD)))
            self.rate_since, self.rate_count = time.monotonic(), 0

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
                log.warning("A handler's on_interrupt failed: %r", error)

    def _watch_for_stop(self) -> None:
        if not self.stopping and (self.slot.values.stop or self.closing):
            self.stopping = True
            self.bell.put(None)
