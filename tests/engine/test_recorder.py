"""The recorder: TaskHub promises that a handler may talk without end, and hears at once what cannot be stored."""

from __future__ import annotations

import logging
import math

import pytest
from django.db import connection  # noqa: F401 - the skip below looks at it
from django.utils import timezone

from tasks.context import ItemRecord, TaskInterrupted
from tasks.engine.inline import InlinePulse
from tasks.engine.recorder import LINE_CAP, LINES_BYTES_CAP, LINES_CAP, TaskLogHandler, WorkerRecorder
from tasks.engine.run import Run
from tasks.engine.slot import Reason
from tasks.engine.store.reports import write_report
from tasks.masking import MASK
from tasks.models import Task, TaskItem, TaskLogLine

pytestmark = pytest.mark.django_db


@pytest.fixture
def recorder(slot, make_task, start):
    make_task()
    return WorkerRecorder(slot, InlinePulse(), Run(start(), timezone.now(), 0.0))


@pytest.fixture
def logger(recorder):
    """A logger whose records go to the recorder alone."""
    logger = logging.Logger("somebody's library")
    logger.addHandler(TaskLogHandler(lambda: recorder))
    return logger


def lines_of(recorder):
    return [(level, text) for _, level, text in recorder.run.lines]


def test_a_log_is_capped_by_lines_and_says_so_once(recorder):
    for number in range(LINES_CAP + 5):
        recorder.log("info", f"line {number}")
    assert len(recorder.run.lines) == LINES_CAP + 1
    assert lines_of(recorder)[-1][0] == "warning"
    assert lines_of(recorder)[-1][1].startswith("The log is full (10,000 lines or 2 MB)")


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_a_log_is_capped_by_its_bytes(letter, recorder):
    while not recorder.full:
        recorder.log("info", letter * LINE_CAP * 2)
    stored = sum(len(text.encode()) for _, text in lines_of(recorder)[:-1])
    assert LINES_BYTES_CAP - 2 * LINE_CAP < stored <= LINES_BYTES_CAP


def test_what_earlier_tries_have_logged_counts(recorder):
    task_id = recorder.run.claimed.uuid
    TaskLogLine.objects.bulk_create(TaskLogLine(task_id=task_id, seq=seq, message="x") for seq in range(LINES_CAP))
    recorder.count_former_lines()
    recorder.log("info", "one more")
    assert [level for level, _ in lines_of(recorder)] == ["warning"]


def test_what_pythons_logging_is_told_goes_to_the_tasks_log_with_its_traceback(recorder, logger):
    logger.warning("%d of %d", 1, 2)
    try:
        math.sqrt(-1)
    except ValueError:
        logger.exception("no root")
    told = lines_of(recorder)
    assert told[0] == ("warning", "1 of 2")
    assert told[1] == ("error", "no root")
    assert told[-1][1].startswith("ValueError: ")


def test_a_log_call_that_cannot_be_formatted_harms_nobody(recorder, logger, capsys):
    logger.warning("%d", "no number")
    assert not recorder.run.lines
    assert "Logging error" in capsys.readouterr().err


def test_what_cannot_be_stored_is_refused_where_it_is_told(recorder):
    with pytest.raises(TypeError):
        recorder.save_checkpoint({1})
    with pytest.raises(TypeError):
        recorder.save_item(ItemRecord(0, "a", detail=object()))
    assert recorder.run.checkpoint is None
    assert not recorder.run.items


def test_no_secret_is_stored_in_what_people_read_of_a_run(recorder):
    url = "https://example.com/?token=hunter2"
    recorder.log("info", f"Asking {url}")
    recorder.progress(50, f"Asking {url}")
    record = ItemRecord(0, "a", TaskItem.State.FAILED, error=f"No answer from {url}")
    recorder.add_items([record])
    recorder.save_item(record)
    write_report(recorder.run.claimed, recorder.run.gather(), None)
    task = Task.objects.get()
    said = [task.progress_message, task.log_lines.get().message, task.items.get().error]
    assert [text.rpartition(" ")[2] for text in said] == [f"https://example.com/?token={MASK}"] * 3


def test_what_was_told_is_a_copy(recorder):
    data, detail = {"a": [1]}, [1.5, math.nan]
    recorder.save_checkpoint(data)
    recorder.save_item(ItemRecord(0, "a", detail=detail, error=ValueError("nul \0")))
    data["a"].append(2)
    detail.append(3)
    assert recorder.run.checkpoint == ({"a": [1]},)
    assert recorder.run.items[0].detail == [1.5, None]
    assert recorder.run.items[0].error == "nul \ufffd"


def test_every_call_raises_once_the_task_is_to_stop_but_not_while_it_is_held(recorder, slot):
    slot.interrupt(recorder.run.claimed.claim, Reason.CANCEL)
    recorder.held = True
    recorder.progress(1, None)
    recorder.held = False
    for call in (lambda: recorder.progress(1, None), lambda: recorder.log("info", "x"), recorder.flush):
        with pytest.raises(TaskInterrupted):
            call()


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only on SQLite: there a transaction locks out everybody")
def test_waiting_for_the_pulse_inside_a_transaction_is_refused_in_a_sentence(recorder, monkeypatch):
    monkeypatch.setattr(InlinePulse, "is_apart", True)
    with pytest.raises(RuntimeError, match="leave `atomic\\(\\)` first"):
        recorder.flush()
