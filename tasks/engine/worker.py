"""A worker process: runs one claimed task after another, each as a pipeline of named steps."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from tasks import registry
from tasks.context import Fail, TaskContext, TaskInterrupted
from tasks.engine.handling import loaded, parameters_for, sentence_for, summary_of, trace_of, words_of
from tasks.engine.host import folders_of, memory_mb
from tasks.engine.outcome import ERROR_CAP, Claimed, Move, Outcome, back_off, clean_text, to_json
from tasks.engine.pulse import Pulse
from tasks.engine.recorder import WorkerRecorder
from tasks.engine.run import Run
from tasks.engine.slot import Reason, Slot
from tasks.models import TaskAttempt

if TYPE_CHECKING:
    from tasks.engine.inline import InlinePulse

log = logging.getLogger("tasks.engine.worker")

FAST = 0.02  # seconds that a run of a fast type takes at most
FAST_RUNS = 3  # so many runs in a row make a type fast
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
        """The next task as django-q2 wants it, or "STOP". Waits until there is one.

        Fast tasks are run in here: what django-q2's loop does around each would cost as much as the task itself.
        """
        while (claimed := self.next_claimed()) is not None:
            if self.must_start(claimed):
                name = str(claimed.id)
                return {"id": name, "name": name, "func": self.execute, "args": (claimed,), "kwargs": {}, "timeout": -1}
            self.execute(claimed)
        return "STOP"

    def next_claimed(self) -> Claimed | None:
        """What is to be run next; None when this process is to end."""
        pulse = self.pulse
        assert isinstance(pulse, Pulse)
        while True:
            pulse.hungry = False
            while not pulse.bell.empty():  # rung for tasks that were taken without waiting
                pulse.bell.get()
            # A run that is still there fell over in our own hands: only the end of this process frees its task.
            if pulse.stopping or self.worn_out or self.run is not None or os.getppid() != self.parent:
                return None
            try:
                pulse.handed = pulse.buffer[0]
                pulse.handed = pulse.buffer.popleft()
                return pulse.handed
            except IndexError:
                pulse.flowing = False
                close_old_connections()
                pulse.ask_for_task()
                pulse.bell.get()

    # --- the pipeline

    def execute(self, claimed: Claimed) -> None:
        """Run one claimed task to the end of its claim."""
        run = self.begin(claimed)
        if self.start(run):
            value, error, trace = self.perform(run)
            self.stop_clocks()
            if error is not None and self.pulse.is_apart:  # else the connection is our caller's
                close_old_connections()  # one that broke must not fail the tasks after this one too
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
        if not claimed.started and self.must_start(claimed):
            self.pulse.flowing = False
            if not self.pulse.start_task(claimed, run.began):
                self.pulse.hand_over(Outcome(Move.LET_GO, claimed))
                return False
        self.pulse.flowing = not claimed.started
        return True

    def must_start(self, claimed: Claimed) -> bool:
        """Whether it is written as RUNNING before its handler runs."""
        return claimed.started or claimed.losses > 0 or claimed.task_type not in self.pulse.fast_types

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
            self.armed = 0  # here too: an interrupt may have come before the line above that says so
            return None, error, trace_of(error)

    def stop_clocks(self) -> None:
        """The handler has ended, and its outcome may have to wait for the database: that is not its time any more."""
        self.slot.values.deadline = 0.0
        self.slot.values.memory_mb = 0

    def make_context(self, run: Run, kind: registry.TaskType) -> tuple[TaskContext, dict[str, Any]]:
        claimed = run.claimed
        if kind.memory_mb:
            self.slot.values.memory_mb = int(memory_mb()) + kind.memory_mb
        recorder = self.recorder = WorkerRecorder(self.slot, self.pulse, run)
        if claimed.attempts or claimed.losses:
            recorder.count_former_lines()
        context = TaskContext(
            claimed.uuid,
            recorder,
            attempt=claimed.attempts + 1,
            restored=loaded(claimed.checkpoint),
            retry_items=frozenset(filter(None, claimed.retry_items.split(","))),
            folders=folders_of(self.pulse.cluster, os.getpid()),
        )
        return context, parameters_for(kind, claimed)

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
        if error is None:
            return self.success(run, value, ended)
        # Parameters that do not fit and a type that is gone will be no better next time.
        hopeless = isinstance(error, registry.UnknownTaskType | ValidationError)
        retry = error.retry if isinstance(error, Fail) else not hopeless
        return self.failure(run, sentence_for(error, claimed.task_type), trace, ended, retry=retry)

    def success(self, run: Run, value: Any, ended: Any) -> Outcome:
        try:
            result = to_json(value)
        except Exception as unfit:  # noqa: BLE001 - a result may be of any class, whose own methods are called here
            return self.failure(run, f"Its result is not JSON: {words_of(unfit)}", "", ended, retry=False)
        summary = summary_of(run.claimed.task_type, value)
        return Outcome(Move.SUCCEED, run.claimed, run.began, ended, result, summary)

    def failure(
        self, run: Run, sentence: str, trace: str, ended: Any, *, retry: bool, outcome: str = "failed"
    ) -> Outcome:
        claimed = run.claimed
        attempts = claimed.attempts + 1
        failed = Outcome(Move.FAIL, claimed, run.began, ended, error=clean_text(sentence)[:ERROR_CAP])
        failed.traceback, failed.attempt_outcome = clean_text(trace)[-ERROR_CAP * 2 :], outcome
        failed.worker, failed.hostname = os.getpid(), socket.gethostname()
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

    def present_recorder(self) -> WorkerRecorder | None:
        """Of the handler that runs now."""
        return self.recorder if self.armed else None
