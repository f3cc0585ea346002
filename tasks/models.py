"""What a task is: its row, what belongs to it, and who works on it."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils import compat as uuid_utils

from tasks.querysets import TaskFileQuerySet, TaskQuerySet


def new_id() -> uuid.UUID:
    """A UUIDv7: ids sort by the time they were made (RFC 9562, section 5.7)."""
    return uuid_utils.uuid7()


class Status(models.TextChoices):
    PENDING = "PENDING", _("Pending")
    RUNNING = "RUNNING", _("Running")
    SUCCESS = "SUCCESS", _("Success")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")


FINAL = frozenset({Status.SUCCESS, Status.FAILED, Status.CANCELLED})


class WaitsFor(models.TextChoices):
    NOTHING = "", _("ready")
    TIME = "time", _("its time")
    QUEUE = "queue", _("its queue, which is paused")
    TASK = "task", _("another task")


class Cluster(models.Model):
    """A sentinel that is believed alive until `lease_expires_at`, with the workers it last reported."""

    id = models.CharField(primary_key=True, max_length=36)
    host = models.CharField(max_length=200, help_text="Boot id and pid namespace: what shares processes with us.")
    hostname = models.CharField(max_length=200)
    pid = models.IntegerField()
    queues = models.JSONField(default=list, help_text="The queues it serves; none: all.")
    workers = models.JSONField(default=list, help_text="One entry a worker: pid, memory, what it runs since when.")
    started_at = models.DateTimeField(default=timezone.now)
    renewed_at = models.DateTimeField(default=timezone.now)
    lease_expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.hostname} ({self.pid})"


class Queue(models.Model):
    """A named line of tasks. Its row is made when the first task is submitted to it."""

    name = models.CharField(primary_key=True, max_length=40)
    paused_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """One request to do something. The row is the queue: there is no second record of it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    task_type = models.CharField(max_length=64)
    name = models.CharField(max_length=200, blank=True, default="")
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    queue = models.CharField(max_length=40, default="default")
    priority = models.SmallIntegerField(default=0, help_text="Higher comes first.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="tasks", db_index=False
    )

    parameters = models.JSONField(default=dict)
    parameters_digest = models.CharField(max_length=16, blank=True, default="")
    timeout = models.FloatField(null=True, blank=True, help_text="Seconds; none: no limit.")

    progress = models.FloatField(default=0, help_text="0 to 100.")
    progress_message = models.CharField(max_length=200, blank=True, default="")
    result_data = models.JSONField(null=True, blank=True)
    error_message = models.TextField(null=True, blank=True)  # noqa: DJ001 - the contract promises null
    checkpoint = models.JSONField(null=True, blank=True)

    created_at = models.DateTimeField(default=timezone.now)
    run_at = models.DateTimeField(default=timezone.now, help_text="Not before this time; it is due from then on.")
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    waits_for = models.CharField(max_length=5, choices=WaitsFor, blank=True, default=WaitsFor.NOTHING)

    attempts = models.PositiveSmallIntegerField(default=0, help_text="Tries that the handler itself ended.")
    max_attempts = models.PositiveSmallIntegerField(default=1)
    losses = models.PositiveSmallIntegerField(default=0, help_text="Tries that ended because the process died.")
    max_losses = models.PositiveSmallIntegerField(default=5)

    claim = models.BigIntegerField(null=True, blank=True, help_text="A worker's hold: a new number each time.")
    cluster = models.ForeignKey(
        Cluster, null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    worker = models.IntegerField(null=True, blank=True, help_text="The process id of the worker.")
    retry_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries", db_index=False
    )
    retry_items = models.CharField(
        max_length=40, blank=True, default="", help_text="States of the former task's items to do again; none: all."
    )
    version = models.PositiveIntegerField(default=0, help_text="Grows with every visible change.")

    objects = TaskQuerySet.as_manager()

    class Meta:
        permissions = [
            ("view_all_tasks", "Can see the tasks of everybody"),
            ("manage_all_tasks", "Can act on the tasks of everybody"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="task_status_is_one_of_five"),
            models.CheckConstraint(condition=Q(progress__gte=0, progress__lte=100), name="task_progress_is_percent"),
            models.CheckConstraint(
                condition=Q(claim=None) | ~Q(status__in=[Status.SUCCESS, Status.FAILED]),
                name="task_ended_holds_no_claim",
            ),
        ]
        indexes = [
            # Serves the claim: only rows a worker may take now.
            models.Index(
                fields=["queue", "-priority", "run_at", "id"],
                condition=Q(status=Status.PENDING, claim=None, waits_for=""),
                name="task_claimable",
            ),
            # Serves promotion and "next due".
            models.Index(fields=["run_at"], condition=Q(waits_for="time"), name="task_timed"),
            # Serves release: what a dead worker or cluster held.
            models.Index(fields=["cluster", "worker"], condition=Q(claim__isnull=False), name="task_held"),
            # Serve the list's filters, newest first.
            models.Index(fields=["status", "-id"], name="task_by_status"),
            models.Index(fields=["task_type", "-id"], name="task_by_type"),
            models.Index(fields=["owner", "-id"], name="task_by_owner"),
            # Serves the roll-up, which counts tasks as they end, and pruning.
            models.Index(fields=["completed_at"], condition=Q(completed_at__isnull=False), name="task_by_end"),
            # Serves "retried as".
            models.Index(fields=["retry_of"], condition=Q(retry_of__isnull=False), name="task_retries"),
        ]

    def __str__(self) -> str:
        return self.name or self.task_type

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_stopping(self) -> bool:
        """Cancelled, but its worker has not let go yet."""
        return self.status == Status.CANCELLED and self.claim is not None

    @property
    def short_id(self) -> str:
        """The id's tail: ids are time-ordered, so their heads look alike."""
        return str(self.id)[-8:]


class TaskAttempt(models.Model):
    """A try that did not finish its task: the handler raised, its time ran out, or its process died."""

    class Outcome(models.TextChoices):
        FAILED = "failed", _("failed")
        TIMED_OUT = "timed_out", _("timed out")
        LOST = "lost", _("its worker died")
        CANCELLED = "cancelled", _("cancelled")

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="past_attempts")
    outcome = models.CharField(max_length=10, choices=Outcome)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(default=timezone.now)
    worker = models.IntegerField(null=True)
    hostname = models.CharField(max_length=200, blank=True, default="")
    error = models.TextField(blank=True, default="")
    traceback = models.TextField(blank=True, default="", help_text="Shown to staff only.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.task_id}: {self.outcome}"


class TaskLogLine(models.Model):
    """One line of a task's log. `seq` counts from 1 within its task."""

    class Level(models.TextChoices):
        DEBUG = "debug", "debug"
        INFO = "info", "info"
        WARNING = "warning", "warning"
        ERROR = "error", "error"

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="log_lines", db_index=False)
    seq = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=7, choices=Level, default=Level.INFO)
    message = models.TextField()

    class Meta:
        ordering = ["seq"]
        # Serves the log page, which asks for the lines after one it has.
        constraints = [models.UniqueConstraint(fields=["task", "seq"], name="log_line_once")]

    def __str__(self) -> str:
        return self.message


class TaskItem(models.Model):
    """One row, recipient or image inside a task, known by its key."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        WORKING = "working", _("working")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown")

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="items", db_index=False)
    position = models.PositiveIntegerField(help_text="Its place in the handler's list, from 0.")
    key = models.CharField(max_length=200)
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    detail = models.JSONField(null=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["task", "key"], name="item_key_once")]
        indexes = [
            # Serves the item list and its filter by state.
            models.Index(fields=["task", "state", "position"], name="item_by_state"),
        ]

    def __str__(self) -> str:
        return f"Item {self.position}"


def stored_path(file: TaskFile, name: str) -> str:
    """Where a file lies below the storage's root: its id and a known suffix, never its display name."""
    return f"{file.id.hex[-2:]}/{file.id}{file.suffix}"


class TaskFile(models.Model):
    """A file that was submitted with a task (input) or saved by its handler (output)."""

    class Kind(models.TextChoices):
        INPUT = "input", _("input")
        OUTPUT = "output", _("output")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="files")
    kind = models.CharField(max_length=6, choices=Kind)
    parameter = models.CharField(max_length=64, blank=True, default="", help_text="Of an input: which one it is for.")
    name = models.CharField(max_length=255, help_text="What people call it; never a path.")
    content = models.FileField(upload_to=stored_path, max_length=200)
    size = models.BigIntegerField(help_text="Bytes.")
    content_type = models.CharField(max_length=100, default="application/octet-stream")
    claim = models.BigIntegerField(null=True, blank=True, help_text="Of an output not yet published: whose try it is.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = TaskFileQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        # Serves the question whether a content is still named.
        indexes = [models.Index(fields=["content"], name="file_by_content")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name = self.name[-255:]
        super().save(*args, **kwargs)

    @property
    def suffix(self) -> str:
        """The name's ending, if it is a short plain one."""
        ending = self.name.rpartition(".")[2].lower() if "." in self.name else ""
        return f".{ending}" if ending.isascii() and ending.isalnum() and len(ending) <= 8 else ""


class Rollup(models.Model):
    """Ended tasks of one span of time, owner and type, counted: statistics read these rows, never the tasks.

    `owner` 0 is everybody. A `final` row was counted so late that no task of its span can still come in.
    """

    class Span(models.TextChoices):
        MINUTE = "minute", "minute"
        HOUR = "hour", "hour"
        DAY = "day", "day"

    span = models.CharField(max_length=6, choices=Span)
    start = models.DateTimeField()
    owner = models.IntegerField(default=0)
    task_type = models.CharField(max_length=64)
    final = models.BooleanField(default=False)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    durations = models.JSONField(default=dict, help_text="How many ran so long, by bin: see tasks/stats/bins.py.")
    waits = models.JSONField(default=dict, help_text="How many waited so long, by bin.")
    longest_wait = models.FloatField(default=0, help_text="Seconds.")
    slowest = models.JSONField(default=list, help_text="The slowest few, each seconds and id.")
    errors = models.JSONField(default=dict, help_text="The most frequent few: how often and when last, by fingerprint.")

    class Meta:
        # Serves statistics, which ask for a span's rows of one owner from a time on.
        constraints = [
            models.UniqueConstraint(fields=["span", "owner", "start", "task_type", "final"], name="rollup_once")
        ]

    def __str__(self) -> str:
        return f"{self.span} {self.start}: {self.task_type}"


class RollupCursor(models.Model):
    """How far the tasks that ended have been counted, by their `completed_at`."""

    final = models.BooleanField(primary_key=True)
    counted_to = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{'final' if self.final else 'first'} count to {self.counted_to}"
