"""The worker's pipeline, in the test's own process: TaskHub promises that whatever a handler does, its end is told."""

from __future__ import annotations

import inspect
import os
import signal
import socket
import time

import pytest
from django.utils import timezone
from django_q import worker as django_q_worker

from tasks import lifecycle, registry
from tasks.context import Fail, TaskInterrupted
from tasks.engine.birth import NoQueue, NoTimer
from tasks.engine.host import folders_of
from tasks.engine.inline import InlinePulse
from tasks.engine.outcome import Claimed, Move
from tasks.engine.pulse import Pulse
from tasks.engine.slot import Reason
from tasks.engine.worker import FAST, FAST_RUNS, Worker
from tests.engine.conftest import fresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(slot):
    return Worker(slot, InlinePulse(), os.getppid())


@pytest.fixture
def execute(worker, start):
    """Submits a task and runs it; its row afterwards."""

    def run(task_type, **parameters):
        lifecycle.submit(task_type, parameters)
        claimed = start()
        worker.execute(claimed)
        return fresh(claimed)

    return run


@pytest.fixture
def begun(worker, make_task, start):
    """A run of a claimed task with three attempts, its handler not called yet."""
    make_task(max_attempts=3, timeout=5)
    return worker.begin(start())


# --- what django-q2 sees


def test_django_q_runs_what_it_is_given_as_we_expect():
    """A contract test: it fails when an upgrade changes the parts that we stand on."""
    assert list(inspect.signature(django_q_worker.worker).parameters) == [
        "task_queue",
        "result_queue",
        "timer",
        "timeout",
    ]
    source = inspect.getsource(django_q_worker.worker)
    for words in ('iter(task_queue.get, "STOP")', 'f(*task["args"], **task["kwargs"])', "result_queue.put(task)"):
        assert words in source


class OneTask:
    """A queue of one task, for django-q2's own loop."""

    def __init__(self, task):
        self.tasks = ["STOP", task]

    def get(self):
        return self.tasks.pop()


def test_django_qs_own_loop_executes_a_task(worker, make_task, start, monkeypatch):
    monkeypatch.setattr(django_q_worker, "close_old_django_connections", lambda: None)  # the test's transaction
    make_task()
    claimed = start()
    task = {"id": "1", "name": "1", "func": worker.execute, "args": (claimed,), "kwargs": {}, "timeout": -1}
    django_q_worker.worker(OneTask(task), NoQueue(), NoTimer(), -1)
    assert fresh(claimed).status == "SUCCESS"


def test_a_task_that_falls_over_in_our_own_hands_is_logged_and_ends_the_process(worker, begun, cluster, slot, caplog):
    NoQueue().put({"success": False, "result": "Traceback: the engine's own mistake"})
    assert "the engine's own mistake" in caplog.text
    worker.pulse = Pulse(cluster.pk, slot)
    assert worker.run is begun
    assert worker.get() == "STOP"


def test_bells_rung_for_tasks_taken_without_waiting_are_forgotten(worker, cluster, slot, make_task, claim):
    make_task()
    pulse = worker.pulse = Pulse(cluster.pk, slot)
    pulse.buffer.extend(claim())
    for _ in range(5):
        pulse.bell.put(None)
    assert worker.get()["func"] == worker.execute
    assert pulse.bell.empty()


@pytest.mark.parametrize("why", ["stopping", "worn out", "orphaned"])
def test_a_worker_takes_nothing_more(why, worker, cluster, slot):
    worker.pulse = Pulse(cluster.pk, slot)
    worker.pulse.stopping = why == "stopping"
    worker.worn_out = why == "worn out"
    worker.parent = 1 if why == "orphaned" else worker.parent
    assert worker.get() == "STOP"


# --- the pipeline


@pytest.mark.parametrize(
    ("task_type", "parameters", "words"),
    [
        ("RAISE", {}, "KeyError: "),
        ("EXIT", {}, "SystemExit: 4"),
        ("RAISE_HOSTILE", {}, "Hostile"),
        ("GIVE", {"what": "hostile"}, "Its result is not JSON: no words"),
        ("GIVE", {"what": "object"}, "Its result is not JSON: Object of type object is not JSON serializable"),
        ("TELL_UNFIT", {"how": "checkpoint"}, "TypeError: Object of type set is not JSON serializable"),
        ("TELL_UNFIT", {"how": "detail"}, "TypeError: Object of type object is not JSON serializable"),
    ],
)
def test_whatever_a_handler_ends_with_is_told_in_words(task_type, parameters, words, execute):
    task = execute(task_type, **parameters)
    assert (task.status, task.claim) == ("FAILED", None)
    assert task.error_message.startswith(words)


def test_a_failed_attempt_names_who_ran_it(execute):
    attempt = execute("RAISE").past_attempts.get()
    assert (attempt.worker, attempt.hostname) == (os.getpid(), socket.gethostname())


def test_the_clocks_stop_when_the_handler_has_ended(worker, begun, slot):
    assert slot.values.deadline
    worker.perform(begun)
    worker.stop_clocks()
    assert (slot.values.deadline, slot.values.memory_mb) == (0, 0)
    assert slot.values.current == begun.claimed.claim  # until its outcome is written


def test_a_fast_type_is_known_by_its_last_runs(worker, execute, begun):
    worker.finish()
    for _ in range(FAST_RUNS):
        execute("NOOP", x=1)
    assert worker.pulse.fast_types == ("NOOP",)
    begun.since -= FAST * 2
    worker.learn(begun, worker.success(begun, 1, timezone.now()))
    assert worker.pulse.fast_types == ()


def test_a_handlers_temporary_folders_bear_the_name_of_its_worker(worker, begun):
    worker.pulse.cluster = "ours"
    context, _ = worker.make_context(begun, registry.get("NOOP"))
    with context.temporary_folder() as folder:
        assert folder.name.startswith(folders_of("ours", os.getpid()))


def test_a_worker_that_has_grown_too_large_ends_after_its_task(worker, execute, settings):
    settings.WORKER_MAX_RSS_MB = 1
    assert execute("NOOP", x=1).status == "SUCCESS"
    assert worker.worn_out


# --- interrupts


@pytest.mark.parametrize(
    ("reason", "move"),
    [
        (Reason.CANCEL, Move.LET_GO),
        (Reason.SHUTDOWN, Move.GIVE_BACK),
        (Reason.TIMEOUT, Move.TRY_AGAIN_LATER),
    ],
)
@pytest.mark.parametrize("error", [TaskInterrupted(), RuntimeError("from a C library"), Fail("not now"), None])
def test_whatever_a_handler_ends_with_after_its_interrupt_is_that_interrupt(reason, move, error, worker, begun, slot):
    slot.interrupt(begun.claimed.claim, reason)
    outcome = worker.classify(begun, None, error, "")
    assert outcome.move is move
    assert worker.worn_out


def test_an_interrupt_for_another_claim_changes_nothing(worker, begun, slot):
    slot.interrupt(begun.claimed.claim + 2, Reason.CANCEL)
    assert worker.classify(begun, 1, None, "").move is Move.SUCCEED
    assert not worker.worn_out


def test_a_late_signal_does_not_hit_the_next_task(worker, slot):
    slot.interrupt(5, Reason.CANCEL)
    worker.on_interrupt(signal.SIGUSR1, None)  # nothing runs
    worker.armed = 7
    worker.on_interrupt(signal.SIGUSR1, None)  # another task runs
    worker.armed = 5
    with pytest.raises(TaskInterrupted):
        worker.on_interrupt(signal.SIGUSR1, None)


def test_an_interrupt_that_was_asked_before_the_handler_began_keeps_it_from_beginning(worker, begun, slot):
    slot.interrupt(begun.claimed.claim, Reason.CANCEL)
    _, error, _ = worker.perform(begun)
    assert isinstance(error, TaskInterrupted)
    assert worker.armed == 0


def test_a_signal_interrupts_a_sleeping_handler(worker, slot, make_task, start):
    lifecycle.submit("SLEEP", {"seconds": 60})
    claimed: Claimed = start()
    former = signal.signal(signal.SIGUSR1, worker.on_interrupt)
    signal.signal(signal.SIGALRM, lambda *_: (slot.interrupt(claimed.claim, Reason.CANCEL), os.kill(os.getpid(), 10)))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    begun = time.monotonic()
    try:
        worker.execute(claimed)
    finally:
        signal.signal(signal.SIGUSR1, former)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert time.monotonic() - begun < 5
    assert fresh(claimed).status == "RUNNING"  # nobody has cancelled the row itself: it is still to be let go
