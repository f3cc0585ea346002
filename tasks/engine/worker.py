"""A worker process: runs one claimed task after another, each as a pipeline of named steps."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, connections
from django.utils import timezone
from django_q.worker import worker as django_q_worker
from rest_framework.exceptions import ValidationError

from tasks import files, registry
from tasks.context import LEVELS, Fail, ItemRecord, TaskContext, TaskInterrupted
from tasks.engine.outcome import ERROR_CAP, Claimed, Move, Outcome, back_off, clean_text, to_json
from tasks.engine.pulse import Pulse, Run
from tasks.engine.slot import Reason, Slot
from tasks.files import Content
from tasks.models import Task, TaskAttempt, TaskItem
from tasks.parameters import StoredFile

if TYPE_CHECKING:
    from tasks.engine.inline import InlinePulse

log = logging.getLogger("tasks.engine.worker")

FAST = 0.02  # seconds that a run of a fast type takes at most
FAST_RUNS = 3  # so many runs in a row make a type fast
LINES_CAP = 10_000
LINES_BYTES_CAP = 2 * 1024 * 1024
LINE_CAP = 4_000  # characters
MEMORY_LOOK_EVERY = 0.5  # seconds


class Worker:
    """What django-q2's `worker()` reads its tasks from: it calls `get()`, and runs what that gives."""

    def __init__(self, slot: Slot, pulse: Pulse | InlinePulse, parent: int) -> None:
        self.slot, self.pulse, self.parent = slot, pulse, parent
        self.fast_runs: dict[str, int] = {}
        self.armed = 0
        self.run: Run | None = None
        self.recorder: WorkerRecorder | None = None
        self.worn_out = False
        self.memory_looked = 0.0

    # --- django-q2's side

    def get(self) -> dict[str, Any] | str:
        """The next task as django-q2 wants it, or "STOP". Waits until there is one."""
        pulse = self.pulse
        assert isinstance(pulse, Pulse)
        while True:
            pulse.hungry = False
            if pulse.stopping or self.worn_out or os.getppid() != self.parent:
                return "STOP"
            try:
                pulse.handed = pulse.buffer[0]
                claimed = pulse.handed = pulse.buffer.popleft()
                break
            except IndexError:
                pulse.flowing = False
                pulse.ask_for_task()
                pulse.bell.get()
        name = str(claimed.id)
        return {"id": name, "name": name, "func": self.execute, "args": (claimed,), "kwargs": {}, "timeout": -1}

    # --- the pipeline

    def execute(self, claimed: Claimed) -> None:
        """Run one claimed task to the end of its claim."""
        run = self.begin(claimed)
        if self.start(run):
            value, error, trace = self.perform(run)
            outcome = self.classify(run, value, error, trace)
            self.record(run, outcome)
        self.finish()

    def begin(self, claimed: Claimed) -> Run:
        values = self.slot.values
        now = time.monotonic()
        run = self.run = Run(claimed, timezone.now(), now)
        values.since = now
        values.deadline = now + claimed.timeout if claimed.timeout else 0.0
        values.memory_mb = 0
        values.current = claimed.claim
        self.pulse.run_now = run
        return run

    def start(self, run: Run) -> bool:
        """RUNNING before the handler runs, but for fast types without a loss behind them."""
        claimed = run.claimed
        if not claimed.started and (claimed.losses or claimed.task_type not in self.pulse.fast_types):
            self.pulse.flowing = False
            if not self.pulse.start_task(claimed, run.began):
                self.pulse.hand_over(Outcome(Move.LET_GO, claimed))
                return False
        self.pulse.flowing = not claimed.started
        return True

    def perform(self, run: Run) -> tuple[Any, BaseException | None, str]:
        """Call the handler. Whatever it ends with is caught here: the value, or the error with its traceback."""
        claimed = run.claimed
        try:
            kind = registry.get(claimed.task_type)
            context, parameters = self.make_context(run, kind)
            try:
                self.armed = claimed.claim
                if self.slot.values.interrupt == claimed.claim:  # asked before we were armed
                    raise TaskInterrupted
                value = kind.handler(context, **parameters)
            finally:
                self.armed = 0
            return value, None, ""
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything, SystemExit too; the task takes it
            return None, error, _trace(error)

    def make_context(self, run: Run, kind: registry.TaskType) -> tuple[TaskContext, dict[str, Any]]:
        claimed = run.claimed
        if kind.memory_mb:
            self.slot.values.memory_mb = int(memory_mb()) + kind.memory_mb
        recorder = self.recorder = WorkerRecorder(self, run)
        context = TaskContext(
            claimed.uuid,
            recorder,
            attempt=claimed.attempts + 1,
            restored=_loaded(claimed.checkpoint),
            retry_items=frozenset(filter(None, claimed.retry_items.split(","))),
        )
        return context, _parameters(kind, claimed)

    def classify(self, run: Run, value: Any, error: BaseException | None, trace: str) -> Outcome:
        """What the handler's end means. After its interrupt was asked, whatever it ends with is that interrupt."""
        claimed = run.claimed
        reason = Reason.NONE
        if self.slot.values.interrupt == claimed.claim:
            reason = Reason(self.slot.values.reason)
            # An exception out of a signal can leave a lock held for ever: this process has done its work.
            self.worn_out = True
        if reason is Reason.CANCEL:
            return Outcome(Move.LET_GO, claimed)
        if reason is Reason.SHUTDOWN:
            return Outcome(Move.GIVE_BACK, claimed)
        ended = timezone.now()
        if reason is Reason.TIMEOUT:
            sentence = f"Timed out after {claimed.timeout:g} s."
            return self.failure(run, sentence, trace, ended, retry=True, outcome=TaskAttempt.Outcome.TIMED_OUT)
        if reason is Reason.MEMORY:
            return self.failure(run, "It used more memory than its limit.", trace, ended, retry=False)
        if error is None:
            try:
                result = to_json(value)
            except (TypeError, ValueError, RecursionError) as unfit:
                return self.failure(run, f"Its result is not JSON: {unfit}", "", ended, retry=False)
            summary = _summary(claimed.task_type, value)
            return Outcome(Move.SUCCEED, claimed, run.began, ended, result, summary)
        # Parameters that do not fit and a type that is gone will be no better next time.
        hopeless = isinstance(error, registry.UnknownTaskType | ValidationError)
        retry = error.retry if isinstance(error, Fail) else not hopeless
        return self.failure(run, _sentence(error, claimed), trace, ended, retry=retry)

    def failure(
        self, run: Run, sentence: str, trace: str, ended: Any, *, retry: bool, outcome: str = "failed"
    ) -> Outcome:
        claimed = run.claimed
        attempts = claimed.attempts + 1
        failed = Outcome(Move.FAIL, claimed, run.began, ended, error=clean_text(sentence)[:ERROR_CAP])
        failed.traceback, failed.attempt_outcome = clean_text(trace)[-ERROR_CAP * 2 :], outcome
        if retry and attempts < claimed.max_attempts:
            failed.move = Move.TRY_AGAIN_LATER
            failed.run_at = back_off(registry.get(claimed.task_type).backoff, attempts)
        return failed

    def record(self, run: Run, outcome: Outcome) -> None:
        """Fast tasks are written behind; the others before the worker goes on, together with the next claim."""
        self.learn(run, outcome)
        if run.dirty or run.told:  # also where all was written before: its files are published with the outcome
            outcome.run = run
        self.recorder = None
        run.stop = None
        if not run.claimed.started and outcome.run is None:
            self.pulse.hand_over(outcome)
            return
        self.pulse.flowing = False
        self.pulse.run_now = None
        self.pulse.write_now(outcome, ask=not self.worn_out)

    def learn(self, run: Run, outcome: Outcome) -> None:
        """Which types are fast, by their last runs in this worker."""
        values, kind = self.slot.values, run.claimed.task_type
        if outcome.move is Move.SUCCEED:
            values.done += 1
        elif outcome.move is Move.FAIL:
            values.failed += 1
        quick = time.monotonic() - run.since <= FAST
        runs = self.fast_runs.get(kind, 0)
        if quick and runs < FAST_RUNS:
            self.fast_runs[kind] = runs + 1
            if runs + 1 == FAST_RUNS:
                self.pulse.fast_types = (*self.pulse.fast_types, kind)
        elif not quick and runs:
            self.fast_runs[kind] = 0
            self.pulse.fast_types = tuple(name for name in self.pulse.fast_types if name != kind)

    def finish(self) -> None:
        self.pulse.run_now = self.run = None
        self.slot.values.current = 0
        now = time.monotonic()
        if now - self.memory_looked > MEMORY_LOOK_EVERY:
            self.memory_looked = now
            # By what it has now, not by its peak: one large file must not wear a worker out for good.
            self.worn_out = self.worn_out or memory_mb() > settings.WORKER_MAX_RSS_MB

    # --- signals

    def on_interrupt(self, signum: int, frame: Any) -> None:
        """Raise only while that very claim's handler runs: a late signal must not hit the next one."""
        held = self.recorder is not None and self.recorder.held
        if self.armed and self.slot.values.interrupt == self.armed and not held:
            raise TaskInterrupted


class WorkerRecorder:
    """Keeps what a handler reports in memory until the pulse writes it. No lock, no database call."""

    def __init__(self, worker: Worker, run: Run) -> None:
        self.worker, self.run, self.pulse = worker, run, worker.pulse
        self.held = False
        self.lines = self.bytes = 0
        self.full = False

    def checkpoint_now(self) -> None:
        if not self.held and self.worker.slot.values.interrupt == self.run.claimed.claim:
            raise TaskInterrupted

    def _changed(self) -> None:
        run = self.run
        if not run.dirty:
            run.dirty = True
            self.pulse.wake()

    def progress(self, percent: float | None, message: str | None) -> None:
        self.checkpoint_now()
        former = self.run.progress or (None, None)
        self.run.progress = (
            former[0] if percent is None else percent,
            former[1] if message is None else str(message),
        )
        self._changed()

    def log(self, level: str, message: str) -> None:
        self.checkpoint_now()
        self.add_lines(level, message)

    def add_lines(self, level: str, message: str) -> None:
        """Lines up to the caps; a last line says that there were more."""
        for line in clean_text(message).splitlines() or [""]:
            line = line[:LINE_CAP]
            self.lines += 1
            self.bytes += len(line)
            if self.lines > LINES_CAP or self.bytes > LINES_BYTES_CAP:
                if not self.full:
                    self.full = True
                    said = f"The log is full ({LINES_CAP:,} lines or 2 MB); further lines are left out."
                    self.run.lines.append((timezone.now(), "warning", said))
                break
            self.run.lines.append((timezone.now(), level, line))
        self._changed()

    def save_file(self, name: str, content: Content) -> uuid.UUID:
        self.checkpoint_now()
        row = files.save_output(self.run.claimed.uuid, name, content, claim=self.run.claimed.claim)
        self.run.files.append(row)
        self._changed()
        return row.id

    def save_checkpoint(self, data: Any) -> None:
        self.run.checkpoint = (data,)
        self._changed()

    def items(self) -> dict[str, ItemRecord]:
        self.refuse_in_transaction("items")
        rows = TaskItem.objects.filter(task_id=self.run.claimed.uuid)
        fields = ("position", "key", "state", "detail", "error")
        return {row[1]: ItemRecord(*row) for row in rows.values_list(*fields)}

    def add_items(self, records: list[ItemRecord]) -> None:
        self.run.new_items.extend(replace(record) for record in records)
        self._changed()

    def save_item(self, record: ItemRecord) -> None:
        self.run.items.append(replace(record))
        self._changed()

    def flush(self) -> None:
        self.checkpoint_now()
        self.refuse_in_transaction("commit")
        self.pulse.flush()

    def on_interrupt(self, stop: Callable[[], object] | None) -> None:
        self.run.stop = stop
        if stop is not None:
            self.checkpoint_now()

    def refuse_in_transaction(self, what: str) -> None:
        """On SQLite the handler's own transaction locks out its pulse: it would wait for itself."""
        if isinstance(self.pulse, Pulse) and connection.vendor == "sqlite" and connection.in_atomic_block:
            raise RuntimeError(
                f"context.{what} was called inside a transaction of the handler's own. On SQLite that locks out the"
                " worker's other connection: leave `atomic()` first."
            )


class TaskLogHandler(logging.Handler):
    """Python's logging inside a handler goes to its task's log."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(logging.INFO)
        self.worker = worker

    def createLock(self) -> None:  # noqa: N802 - logging's name
        # No lock: an interrupt while it is held would hold it for ever.
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        recorder = self.worker.recorder
        if recorder is None or not self.worker.armed or record.name.startswith("tasks.engine"):
            return
        level = next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "debug")
        recorder.add_lines(level, record.getMessage())


class NoQueue:
    """Stands where django-q2 puts its results: the pulse has written them already."""

    def put(self, task: Any) -> None: ...


class NoTimer:
    """Stands for django-q2's shared timer, without the lock that a dead worker would hold for ever."""

    value = -1
    get_lock = staticmethod(nullcontext)


def work(cluster: str, slot: Slot, parent: int, forget: Callable[[], None]) -> None:
    """A worker's whole life; `forget` closes what it has inherited and must not share."""
    forget()
    _settle_in(parent)
    pulse = Pulse(cluster, slot)
    me = Worker(slot, pulse, parent)
    signal.signal(signal.SIGUSR1, me.on_interrupt)
    logging.getLogger().addHandler(TaskLogHandler(me))
    pulse.start()
    try:
        django_q_worker(me, NoQueue(), NoTimer(), -1)
    finally:
        # worker() leaves its loop on recycling without another get(): what is left must be written here.
        pulse.close()


def _settle_in(parent: int) -> None:
    """Die with the sentinel, be killable with one's own children, leave the terminal's signals to the sentinel."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connections.close_all()


def memory_mb(pid: int | str = "self") -> float:
    """What a process holds in memory now, in MB; 0 where that cannot be told."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2
    return 0.0


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _parameters(kind: registry.TaskType, claimed: Claimed) -> dict[str, Any]:
    """What the handler gets. Validated again only when the declaration has changed since the submit."""
    stored = _loaded(claimed.parameters)
    if kind.is_plain and claimed.parameters_digest == kind.digest:
        return stored
    if kind.file_parameters:
        by_id = files.stored_files(Task(id=claimed.uuid))
        stored = {
            name: _with_files(value, by_id) if name in kind.file_parameters else value for name, value in stored.items()
        }
    return kind.validate(stored)


def _with_files(value: Any, by_id: dict[str, StoredFile]) -> Any:
    if isinstance(value, list):
        return [_with_files(one, by_id) for one in value]
    if value is None:
        return None
    if value not in by_id:
        raise Fail(f"Its file {value} is no longer there.")
    return by_id[value]


def _sentence(error: BaseException, claimed: Claimed) -> str:
    """What people read of an error."""
    if isinstance(error, Fail):
        return str(error)
    if isinstance(error, registry.UnknownTaskType):
        return f"No task type {claimed.task_type} is known here: its handler was removed, or its app is not in TASKHUB_APPS."
    if isinstance(error, ValidationError):
        return f"Its parameters do not fit: {' '.join(_words(error.detail))}"
    if isinstance(error, MemoryError):
        return "It ran out of memory."
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _words(detail: Any) -> Iterator[str]:
    """The sentences of a ValidationError, however deep."""
    if isinstance(detail, str):
        yield str(detail)
    else:
        for inner in detail.values() if isinstance(detail, dict) else detail:
            yield from _words(inner)


def _trace(error: BaseException) -> str:
    if isinstance(error, Fail | TaskInterrupted | registry.UnknownTaskType):
        return ""
    with contextlib.suppress(Exception):
        return "".join(traceback.format_exception(error, limit=-50))
    return ""


def _summary(task_type: str, value: Any) -> str:
    summarize = registry.get(task_type).summarize
    if summarize is None:
        return ""
    try:
        return clean_text(str(summarize(value)))[:200]
    except Exception as error:  # noqa: BLE001 - a type's own callable; its task has succeeded all the same
        log.warning("The summary of a %s failed: %r", task_type, error)
        return ""
