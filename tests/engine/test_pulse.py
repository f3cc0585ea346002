"""The pulse, turn by turn in the test's own thread: TaskHub promises that what it holds is written or given back."""

from __future__ import annotations

import subprocess
import sys
import time
from queue import SimpleQueue

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from tasks import files, lifecycle
from tasks.engine.outcome import Move, Outcome
from tasks.engine.pulse import HELD_TOO_LONG, OVERDUE, Pulse
from tasks.engine.run import Request, Run
from tasks.engine.writer import PUBLISH_AFTER
from tasks.models import Task, TaskFile
from tests.engine.conftest import fresh

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def pulse(cluster, slot):
    pulse = Pulse(cluster.pk, slot)
    pulse._beat()
    return pulse


def success(claimed, run=None, result="1"):
    return Outcome(Move.SUCCEED, claimed, NOW, NOW, result=result, run=run)


def run_of(claimed, lines=0, file=None):
    run = Run(claimed, NOW, time.monotonic())
    for number in range(lines):
        run.lines.append((NOW, "info", f"line {number}"))
    if file:
        run.files.append(files.save_output(claimed.uuid, file, b"content", claim=claimed.claim))
    run.dirty = True
    return run


def texts_of(claimed):
    return list(fresh(claimed).log_lines.values_list("seq", "message"))


# --- after a broken transaction


def test_only_what_nobody_here_knows_is_given_back(pulse, make_task, claim):
    for _ in range(5):
        make_task()
    buffered, handed, ended, waiting, lost = claim(limit=5, fast=("NOOP",))
    pulse.buffer.append(buffered)
    pulse.handed = handed
    pulse.outbox.append(success(ended))
    pulse.writer.unwritten.append(success(waiting))
    pulse.broken = True
    pulse._reconcile()
    held = [fresh(one).claim is not None for one in (buffered, handed, ended, waiting, lost)]
    assert held == [True, True, True, True, False]
    assert not pulse.broken


@pytest.mark.django_db(transaction=True)  # a lone statement has no transaction around it
def test_a_bad_value_fails_its_task_also_after_a_broken_transaction(pulse, make_task, start):
    make_task()
    bad = start()
    pulse.handed, pulse.broken = bad, True
    pulse.outbox.append(success(bad, result="no JSON"))
    pulse._beat()
    pulse._beat()
    assert fresh(bad).status == "FAILED"
    assert [pulse.broken, pulse.writer.unwritten, list(pulse.outbox)] == [False, [], []]


def test_a_reply_that_was_lost_after_its_commit_tells_nothing_twice(pulse, make_task, start, monkeypatch):
    make_task()
    claimed = start()
    run = run_of(claimed, lines=2, file="a.txt")
    pulse.outbox.append(success(claimed, run))
    with monkeypatch.context() as broken:

        def lose_reply(*_):
            raise OperationalError("server closed the connection unexpectedly")

        broken.setattr(pulse.writer, "_settle", lose_reply)
        with pytest.raises(OperationalError):
            pulse._write_turn()
    pulse.broken = True
    run.lines.append((NOW, "info", "the last"))
    pulse._beat()
    assert texts_of(claimed) == [(1, "line 0"), (2, "line 1")]
    assert (fresh(claimed).status, fresh(claimed).attempts) == ("SUCCESS", 1)
    assert TaskFile.objects.get().claim is None


def test_a_report_that_was_written_without_a_reply_goes_on_where_it_ended(pulse, make_task, start, monkeypatch):
    make_task()
    pulse.run_now = run = run_of(start(), lines=2)
    with monkeypatch.context() as broken:
        broken.setattr(run.__class__, "settle", lambda run: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pulse._write_turn()
    run.lines.append((NOW, "info", "the last"))
    pulse._write_turn()
    assert texts_of(run.claimed) == [(1, "line 0"), (2, "line 1"), (3, "the last")]


# --- writing


def test_one_bad_value_fails_its_own_task_alone(pulse, make_task, start):
    for _ in range(3):
        make_task()
    first, bad, last = start(), start(), start()
    runs = [run_of(claimed, lines=1, file="out.txt") for claimed in (first, bad, last)]
    pulse.outbox += [success(first, runs[0]), success(bad, runs[1], result="no JSON"), success(last, runs[2])]
    pulse._write_turn()
    pulse._write_turn()
    assert [fresh(one).status for one in (first, bad, last)] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert fresh(bad).error_message.startswith("Its result could not be stored: ")
    assert texts_of(first) == texts_of(last) == [(1, "line 0")]
    assert set(TaskFile.objects.published().values_list("task", flat=True)) == {first.uuid, last.uuid}


def test_a_stale_worker_publishes_no_file_and_removes_none(pulse, make_task, start, store, cluster):
    task = make_task()
    stale = start()
    pulse.run_now = stale_run = run_of(stale, file="out.txt")
    pulse._write_turn()
    store.release(store.held_by(cluster.pk), {stale.claim}, "by signal 9")
    current = start()
    pulse.outbox.append(success(current, run_of(current, file="out.txt")))
    pulse._write_turn()
    pulse.outbox.append(success(stale, stale_run))
    pulse._write_turn()
    [published] = TaskFile.objects.filter(task=task)
    assert published.claim is None
    assert published.content.storage.exists(published.content.name)


def test_what_a_try_saved_is_not_published_when_the_task_goes_on(pulse, make_task, start):
    make_task()
    claimed = start()
    pulse.outbox.append(Outcome(Move.GIVE_BACK, claimed, run=run_of(claimed, file="half.txt")))
    pulse._write_turn()
    assert TaskFile.objects.get().claim == claimed.claim


def test_a_file_saved_under_a_lost_claim_leaves_nothing_on_the_disk(pulse, make_task, start, store, cluster):
    make_task()
    stale = start()
    store.release(store.held_by(cluster.pk), {stale.claim}, "by signal 9")
    pulse.run_now = run = run_of(stale, file="late.txt")
    [row] = run.files
    with connection.cursor():
        pulse._write_turn()
    assert not TaskFile.objects.exists()
    for forget in connection.run_on_commit:
        forget[1]()
    assert not row.content.storage.exists(row.content.name)


def test_a_running_tasks_report_is_written_once_a_second(pulse, make_task, start):
    make_task()
    pulse.run_now = run = run_of(start(), lines=1)
    pulse._write_turn()
    run.lines.append((NOW, "info", "soon after"))
    run.dirty = True
    pulse._write_turn()
    assert len(texts_of(run.claimed)) == 1
    assert 0.5 < pulse._patience() <= 1
    run.reported -= 1
    pulse._write_turn()
    assert len(texts_of(run.claimed)) == 2


def test_a_fast_task_that_is_not_so_fast_after_all_is_shown_as_running(pulse, make_task, claim):
    make_task()
    [claimed] = claim()
    pulse.run_now = Run(claimed, NOW, time.monotonic() - PUBLISH_AFTER)
    pulse._write_turn()
    assert (fresh(claimed).status, claimed.started) == ("RUNNING", True)


def test_between_two_tasks_the_pulse_looks_again_soon(pulse):
    pulse.hungry = False  # the main thread has taken a task, and not begun it
    assert pulse._patience() == PUBLISH_AFTER


# --- claiming


def test_what_is_held_too_long_goes_back_whatever_runs(pulse, make_task, claim):
    for _ in range(3):
        make_task()
    pulse.buffer.extend(claim(limit=3, fast=("NOOP",)))
    pulse.buffer[0].taken -= OVERDUE
    overdue, *held = pulse.buffer
    pulse._write_turn()
    assert fresh(overdue).claim is None
    assert list(pulse.buffer) == held


def test_a_stop_gives_back_all_that_is_held(pulse, slot, make_task, claim):
    for _ in range(3):
        make_task()
    taken = claim(limit=3, fast=("NOOP",))
    pulse.buffer.extend(taken)
    slot.values.stop = 1
    pulse._beat()
    assert not pulse.buffer
    assert not any(fresh(one).claim for one in taken)
    pulse.hungry = True
    assert not pulse._wants_task()


def test_a_hungry_worker_is_woken_with_a_started_task(pulse, slot, make_task):
    make_task()
    pulse.ask_for_task()
    pulse._beat()
    assert pulse.buffer[0].started
    assert not pulse.bell.empty()
    assert slot.values.idle == 0


def test_a_worker_that_finds_nothing_says_that_it_is_idle(pulse, slot):
    pulse.ask_for_task()
    pulse._beat()
    assert slot.values.idle == 1
    assert not pulse._has_work()
    assert 0.5 < pulse._patience() <= 1


# --- what the sentinel and the handler ask of it


def test_what_the_handler_named_for_an_interrupt_is_called_once(pulse, slot, make_task, start):
    make_task()
    calls = []
    pulse.run_now = run = run_of(start())
    run.stop = lambda: calls.append(1)
    pulse._interrupt_if_asked()
    slot.values.interrupt = run.claimed.claim
    pulse._interrupt_if_asked()
    pulse._interrupt_if_asked()
    assert calls == [1]


def test_a_failing_on_interrupt_does_no_harm(pulse, slot, make_task, start, capfd):
    make_task()
    pulse.run_now = run = run_of(start())
    run.stop = lambda: 1 / 0
    slot.values.interrupt = run.claimed.claim
    pulse._interrupt_if_asked()
    assert "on_interrupt failed: ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only on SQLite: elsewhere rows are locked, not all")
def test_a_handlers_own_transaction_is_told_on_its_task_once(pulse, make_task, start):
    make_task()
    pulse.run_now = run = run_of(start())
    pulse._watch_transaction()  # the test's own is open on this connection
    pulse.transaction_since -= HELD_TOO_LONG
    pulse._watch_transaction()
    pulse._watch_transaction()
    pulse._write_turn()
    [(_, said)] = texts_of(run.claimed)
    assert said.startswith("The handler holds a transaction open.")


def test_a_pulse_that_fails_ends_its_process_for_the_sentinel_to_see():
    program = (
        "import django; django.setup()\n"
        "from tasks.engine.pulse import Pulse\n"
        "from tasks.engine.slot import Slot\n"
        "pulse = Pulse('none', Slot())\n"
        "pulse.store = None\n"
        "pulse.start()\n"
        "pulse.flush()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=settings.BASE_DIR, capture_output=True, timeout=60)
    assert (ended.returncode, b"AttributeError" in ended.stderr) == (70, True)


def test_a_retry_that_waited_is_ready_once_the_old_task_let_go(pulse, make_task, start):
    old = make_task()
    claimed = start()
    new = lifecycle.retry(lifecycle.cancel(old))
    pulse.outbox.append(Outcome(Move.LET_GO, claimed))
    pulse._write_turn()
    assert fresh(new).waits_for == ""


# --- starts


def test_a_task_that_is_published_while_its_start_is_asked_for_is_started(pulse, make_task, claim):
    make_task()
    [claimed] = claim(fast=("NOOP",))
    pulse.run_now = Run(claimed, NOW, time.monotonic() - 2 * PUBLISH_AFTER)
    request = Request(claimed, NOW, SimpleQueue())
    pulse.requests.append(request)
    pulse._write_turn()
    assert request.reply.get(timeout=1) is True
    assert fresh(claimed).status == "RUNNING"


def test_a_flush_tells_that_the_task_was_taken_but_cuts_no_step_of_a_cancelled_one(pulse, make_task, start):
    make_task()
    claimed = start()
    pulse.run_now = Run(claimed, NOW, time.monotonic())
    for ours, change in ((True, {}), (True, {"status": "CANCELLED"}), (False, {"claim": 1})):
        Task.objects.filter(pk=claimed.id).update(**change)
        request = Request(None, None, SimpleQueue())
        pulse.requests.append(request)
        pulse._write_turn()
        assert request.reply.get(timeout=1) is ours
