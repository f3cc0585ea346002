"""A task as the list shows it: what it is doing, the time that matters, what can be done about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tasks import registry
from tasks.models import Status, Task, WaitsFor
from tasks.web import words
from tasks.web.hub import Hub

ERROR_SHOWN = 200  # characters of an error in a row


def kind_label(task_type: str) -> str:
    """The type's label, or its name where no handler bears it any more."""
    try:
        return str(registry.get(task_type).label)
    except registry.UnknownTaskType:
        return task_type


def for_rows(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Without what no row shows: parameters and results may be large."""
    return (
        tasks.defer("parameters", "result_data", "checkpoint", "error_message")
        .annotate(error_start=Left("error_message", ERROR_SHOWN))
        .select_related("owner")
    )


@dataclass(frozen=True)
class Act:
    """What can be done about a task: the name of its address, its symbol, its word."""

    address: str
    symbol: str
    label: Any

    @property
    def word(self) -> str:
        return str(self.label)


CANCEL = Act("tasks:cancel", "stop", gettext_lazy("Cancel"))
RETRY = Act("tasks:retry", "retry", gettext_lazy("Retry"))
RUN_AGAIN = Act("tasks:again", "retry", gettext_lazy("Run again"))


@dataclass
class TaskRow:
    task: Task
    hub: Hub

    @property
    def signature(self) -> str:
        """Changes with whatever the row shows."""
        return signature(self.task.version, self.task.queue in self.hub.paused_queues)

    @cached_property
    def name(self) -> str:
        return str(self.task) or self.kind

    @cached_property
    def kind(self) -> str:
        return kind_label(self.task.task_type)

    @cached_property
    def doing(self) -> str:
        """One line on where the task stands."""
        return doing(self.task, self.hub)

    @cached_property
    def error(self) -> str:
        """The first line of what went wrong, of a failed task."""
        if self.task.status != Status.FAILED:
            return ""
        # Where the rows were read for a list, the whole message was left behind.
        text = self.task.error_start if hasattr(self.task, "error_start") else self.task.error_message
        lines = (text or "").strip().splitlines()
        return Truncator(lines[0]).chars(160) if lines else ""

    @cached_property
    def when(self) -> tuple[datetime, str]:
        """The time that matters for the state, and what happened then."""
        return when(self.task)

    @property
    def took(self) -> float | None:
        return took(self.task)

    @property
    def took_words(self) -> str:
        """ "01:12", which ticks while it runs; "0.4 s" for what was over in less than a second."""
        is_short = self.took is not None and self.took < 1 and self.task.is_final
        return words.duration(self.took) if is_short else words.clock(self.took)

    @property
    def act(self) -> Act:
        """What a click in the row does."""
        if not self.task.is_final:
            return CANCEL
        return RUN_AGAIN if self.task.status == Status.SUCCESS else RETRY

    @property
    def tries(self) -> str:
        # A first attempt is worth a word only while more may come.
        least = 1 if self.task.status in {Status.PENDING, Status.FAILED} else 2
        if self.task.attempts < least or self.task.max_attempts < 2:
            return ""
        return f"{self.task.attempts}/{self.task.max_attempts}"


def rows(tasks: Iterable[Task], hub: Hub) -> list[TaskRow]:
    return [TaskRow(task, hub) for task in tasks]


def signature(version: int, paused: bool) -> str:
    return f"{version}p" if paused else str(version)


def took(task: Task) -> float | None:
    """Seconds a task ran, or has been running."""
    if task.started_at is None or task.status == Status.PENDING:
        return None
    return max(0.0, ((task.completed_at or timezone.now()) - task.started_at).total_seconds())


ENDED = {
    Status.SUCCESS: gettext_lazy("Finished"),
    Status.FAILED: gettext_lazy("Failed"),
    Status.CANCELLED: gettext_lazy("Cancelled"),
}


def when(task: Task) -> tuple[datetime, Any]:
    if task.completed_at and task.is_final:
        return task.completed_at, ENDED[Status(task.status)]
    if task.status == Status.RUNNING and task.started_at:
        return task.started_at, _("Started")
    if task.waits_for == WaitsFor.TIME:
        return task.run_at, _("Starts")
    return task.created_at, _("Queued")


def doing(task: Task, hub: Hub) -> str:
    if task.status == Status.PENDING:
        return _waiting(task, hub)
    if task.status == Status.RUNNING:
        percent = _("%(percent)s %%") % {"percent": words.thousands(int(task.progress))}
        return f"{percent} · {task.progress_message}" if task.progress_message else percent
    if task.is_stopping:
        return _("Cancelling: its worker is letting go")
    if task.status == Status.CANCELLED:
        if task.started_at is None:
            return _("Cancelled before it started")
        return _("Stopped at %(percent)s %%") % {"percent": int(task.progress)}
    return task.progress_message


def _waiting(task: Task, hub: Hub) -> str:
    if task.waits_for == WaitsFor.TASK:
        return _("Waiting for another task")
    if task.waits_for == WaitsFor.TIME:
        time = words.ago(task.run_at)
        tries = task.attempts + task.losses
        return (
            _("Attempt %(number)s %(time)s") % {"number": tries + 1, "time": time}
            if tries
            else _("Starts %(time)s") % {"time": time}
        )
    if task.queue in hub.paused_queues or task.waits_for == WaitsFor.QUEUE:
        return _("Queue %(queue)s is paused") % {"queue": task.queue}
    return (
        _("Waiting for a worker")
        if task.attempts + task.losses == 0
        else ngettext(
            "Waiting for a worker, after %(count)s attempt",
            "Waiting for a worker, after %(count)s attempts",
            task.attempts + task.losses,
        )
        % {"count": task.attempts + task.losses}
    )
