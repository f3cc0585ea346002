"""A task's story: created, waited, each try, its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from tasks.models import Cluster, Status, Task, TaskAttempt
from tasks.web import words


@dataclass(frozen=True)
class Step:
    title: Any
    at: datetime | None
    note: str = ""
    status: str = ""
    current: bool = False
    running_since: datetime | None = None


def seconds(start: datetime | None, end: datetime | None) -> float:
    """From one time to another, never negative: clocks of several machines differ."""
    return max(0.0, (end - start).total_seconds()) if start and end else 0.0


def steps(task: Task, attempts: list[TaskAttempt]) -> list[Step]:
    return [*_before(task), *_tries(task, attempts), *_now(task, attempts), *_end(task)]


def _before(task: Task) -> Iterator[Step]:
    yield Step(_("Created"), task.created_at)
    first_due = task.run_at if not task.attempts + task.losses else task.created_at
    if seconds(task.created_at, first_due) >= 1 and not (task.started_at and task.started_at < first_due):
        yield Step(_("Due"), first_due)


def nth(number: int) -> str:
    names = [_("First attempt"), _("Second attempt"), _("Third attempt")]
    return names[number - 1] if number <= 3 else _("Attempt %(number)s") % {"number": number}


def _tries(task: Task, attempts: list[TaskAttempt]) -> Iterator[Step]:
    before = task.created_at
    for number, attempt in enumerate(attempts, 1):
        if _is_last_try(task, attempt):
            continue
        note = (
            [_("waited %(time)s") % {"time": words.duration(wait)}]
            if (wait := seconds(before, attempt.started_at)) >= 0.1
            else []
        )
        ran = words.duration(seconds(attempt.started_at, attempt.ended_at))
        note.append(_("%(outcome)s after %(time)s") % {"outcome": attempt.get_outcome_display(), "time": ran})
        status = Status.CANCELLED if attempt.outcome == TaskAttempt.Outcome.LOST else Status.FAILED
        yield Step(nth(number), attempt.started_at or attempt.ended_at, ", ".join(note), status)
        before = attempt.ended_at


def _is_last_try(task: Task, attempt: TaskAttempt) -> bool:
    """Whether this try is the one the task's own times tell of."""
    return task.is_final and attempt.started_at is not None and attempt.started_at == task.started_at


def _now(task: Task, attempts: list[TaskAttempt]) -> Iterator[Step]:
    """The try under way, the one that ended the task, or the wait for the next."""
    earlier = [attempt for attempt in attempts if not _is_last_try(task, attempt)]
    title = nth(len(earlier) + 1) if earlier else _("Started")
    if task.status == Status.PENDING:
        yield Step(_("Waiting") if not earlier else title, None, _("not started yet"), Status.PENDING, current=True)
    elif task.started_at:
        ready = earlier[-1].ended_at if earlier else max(task.created_at, min(task.run_at, task.started_at))
        note = [_("waited %(time)s") % {"time": words.duration(seconds(ready, task.started_at))}]
        if where := _where(task):
            note.append(where)
        running = task.status == Status.RUNNING
        # Tries that failed before are red; the one that failed for good is no paler.
        failed = Status.FAILED if earlier and task.status == Status.FAILED else ""
        yield Step(
            title,
            task.started_at,
            ", ".join(note),
            Status.RUNNING if running else failed,
            current=running,
            running_since=task.started_at if running else None,
        )


def _where(task: Task) -> str:
    if task.worker is None:
        return ""
    host = _host(task)
    return (
        _("worker %(pid)s on %(host)s") % {"pid": task.worker, "host": host}
        if host
        else _("worker %(pid)s") % {"pid": task.worker}
    )


def _host(task: Task) -> str:
    try:
        return task.cluster.hostname if task.cluster else ""
    except Cluster.DoesNotExist:
        # The row of a cluster goes with it; tasks keep its id.
        return ""


def _end(task: Task) -> Iterator[Step]:
    if not task.is_final:
        return
    titles = {Status.SUCCESS: _("Finished"), Status.FAILED: _("Failed"), Status.CANCELLED: _("Cancelled")}
    ran = seconds(task.started_at, task.completed_at)
    note = _("ran %(time)s") % {"time": words.duration(ran)} if task.started_at else ""
    yield Step(titles[Status(task.status)], task.completed_at, note, task.status, current=True)


def eta(task: Task) -> str:
    """How long a running task will still take, judged by its progress so far."""
    if task.status != Status.RUNNING or not task.started_at or not 3 <= task.progress < 100:
        return ""
    so_far = seconds(task.started_at, timezone.now())
    left = so_far * (100 - task.progress) / task.progress
    return _("about %(time)s left") % {"time": words.largest_unit(left)} if so_far > 5 else ""
