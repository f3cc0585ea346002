"""Writes what a handler reports while it runs: progress, log lines, files, items. All of it names the claim."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F, Max, Q
from django.utils import timezone

from tasks import files
from tasks.engine.outcome import Claimed, Move, Outcome, Report, clean_text
from tasks.masking import masked_text
from tasks.models import Status, Task, TaskFile, TaskItem, TaskLogLine

ENDS = (Move.SUCCEED, Move.FAIL, Move.LET_GO)


def write_report(claimed: Claimed, report: Report, first_seq: int | None) -> int | None:
    """Write a report within the caller's transaction, unless the claim is no longer held.

    Gives the number of the report's first log line. It is asked of the database where `first_seq` is None.
    The same report may be written again: nothing of it is there twice.
    """
    held = Task.objects.under(claimed.claim, claimed.id)
    if not held.select_for_update().exists():
        files.forget(report.files)
        return first_seq
    _write_progress(held, report)
    if report.files:
        TaskFile.objects.bulk_create(report.files, batch_size=500, ignore_conflicts=True)
    if report.new_items or report.items:
        _write_items(claimed, report)
    if report.lines:
        first_seq = _write_lines(claimed, report, first_seq)
    return first_seq


def _write_progress(held: Any, report: Report) -> None:
    values: dict[str, Any] = {}
    percent, message = report.progress or (None, None)
    if percent is not None:
        values["progress"] = percent
    if message is not None:
        values["progress_message"] = clean_text(masked_text(message))[:200]
    if report.has_checkpoint:
        values["checkpoint"] = report.checkpoint
    if values:
        held.guarded(status=Status.RUNNING).update(version=F("version") + 1, **values)


def _write_items(claimed: Claimed, report: Report) -> None:
    # By what is stored: two keys may become the same, and no statement may write a row twice.
    records = {clean_text(record.key): record for record in (*report.new_items, *report.items.values())}
    rows = [
        TaskItem(
            task_id=claimed.uuid,
            position=record.position,
            key=key,
            state=record.state,
            detail=record.detail,
            error=record.error[:2000],
        )
        for key, record in records.items()
    ]
    TaskItem.objects.bulk_create(
        rows,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["task", "key"],
        update_fields=["state", "detail", "error"],
    )


def _write_lines(claimed: Claimed, report: Report, first_seq: int | None) -> int:
    if first_seq is None:
        last = TaskLogLine.objects.filter(task_id=claimed.uuid).aggregate(last=Max("seq"))["last"]
        first_seq = (last or 0) + 1
    rows = [
        TaskLogLine(task_id=claimed.uuid, seq=first_seq + place, at=at, level=level, message=message)
        for place, (at, level, message) in enumerate(report.lines)
    ]
    TaskLogLine.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)
    return first_seq


def publish_files(outcome: Outcome) -> None:
    """Make what a task saved visible as it ends, if the claim is still held.

    What an earlier try saved is published too: it belongs to items that are not done again. Of two tries that saved
    the same name, the later one's stays.
    """
    claimed = outcome.claimed
    held = Task.objects.under(claimed.claim, claimed.id)
    if outcome.move not in ENDS or not held.select_for_update().exists():
        return
    saved = TaskFile.objects.filter(task_id=claimed.uuid, kind=TaskFile.Kind.OUTPUT)
    mine = saved.filter(claim=claimed.claim)
    former = list(saved.exclude(claim=claimed.claim).filter(name__in=mine.values("name")))
    saved.filter(pk__in=[row.pk for row in former]).delete()
    files.forget(former)
    saved.filter(claim__isnull=False).update(claim=None)


def forget_unpublished(limit: int = 500) -> int:
    """Remove what tries saved whose tasks ended without them. Gives how many files."""
    ended = Q(task__status__in=[Status.SUCCESS, Status.FAILED, Status.CANCELLED], task__claim=None)
    settled = timezone.now() - timedelta(minutes=1)
    rows = list(TaskFile.objects.filter(ended, claim__isnull=False, created_at__lt=settled)[:limit])
    TaskFile.objects.filter(pk__in=[row.pk for row in rows]).delete()
    files.forget(rows)
    return len(rows)
