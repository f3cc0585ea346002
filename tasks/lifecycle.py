"""The moves that a person or program asks for, and TRANSITIONS, the one table of all moves.

Each move is one UPDATE that names the statuses it may start from. One row changed: done. None: TransitionRefused.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import F, Model, QuerySet
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from tasks import files, quotas, registry
from tasks.inserting import insert_tasks
from tasks.masking import holds_mask
from tasks.models import Queue, Status, Task, TaskFile, TaskItem, WaitsFor, new_id
from tasks.turnstile import turnstile
from tasks.visible import one_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PENDING, RUNNING, SUCCESS, FAILED, CANCELLED = Status


@dataclass(frozen=True)
class Transition:
    """A move: the statuses it may start from, the one it leads to (None: the row is gone), who makes it."""

    sources: frozenset[Status]
    target: Status | None
    by: str
    guard: str = ""


def _move(sources: Iterable[Status], target: Status | None, by: str, guard: str = "") -> Transition:
    return Transition(frozenset(sources), target, by, guard)


TRANSITIONS = {
    "submit": _move([], PENDING, "person, API", "parameters valid"),
    "promote": _move([PENDING], PENDING, "upkeep", "`run_at` reached"),
    "claim": _move([PENDING], PENDING, "worker", "ready, unclaimed, own cluster's row exists"),
    "start": _move([PENDING], RUNNING, "worker", "same claim"),
    "progress": _move([RUNNING], RUNNING, "worker", "same claim"),
    "succeed": _move([PENDING, RUNNING], SUCCESS, "worker", "same claim"),
    "fail": _move([PENDING, RUNNING], FAILED, "worker", "same claim"),
    "try again later": _move([PENDING, RUNNING], PENDING, "worker", "same claim, attempts left"),
    "give back": _move([PENDING, RUNNING], PENDING, "worker, sentinel", "same claim; nothing counted"),
    "cancel": _move([PENDING, RUNNING], CANCELLED, "person", ""),
    "let go": _move([CANCELLED], CANCELLED, "worker, sentinel, reaper", "same claim, or its process is dead"),
    "lose": _move([PENDING, RUNNING], PENDING, "sentinel, reaper", "its process is known dead; losses left"),
    "lose for good": _move([PENDING, RUNNING], FAILED, "sentinel, reaper", "its process is known dead; no losses left"),
    "retry": _move(
        [FAILED, CANCELLED], PENDING, "person", "makes a new task, which waits until the old one has let go"
    ),
    "delete": _move([SUCCESS, FAILED, CANCELLED], None, "person, prune", "no claim"),
}

# Sent after commit. `submitted`: count, queue, due (when the first of them may run, or None for now). `cancelled`: task_id.
submitted = Signal()
cancelled = Signal()

QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
PRIORITIES = range(-1000, 1001)


class TransitionRefused(Exception):
    """A move that the task's status, or its worker, does not allow."""

    def __init__(self, move: str, task: Task, why: str = "") -> None:
        self.move, self.task, self.why = move, task, why
        state = "stopping" if task.is_stopping else task.status
        super().__init__(why or f"Cannot {move} a task that is {state}.")


# --- submit


@dataclass
class Submission:
    """What somebody asks for. `parameters` may hold uploads; the rest has the meaning of the task's fields."""

    task_type: str
    parameters: Mapping[str, Any] | None = None
    name: str = ""
    queue: str = "default"
    priority: int = 0
    run_at: datetime | None = None
    max_attempts: int | None = None
    retry_of: Task | None = None
    retry_items: str = ""


def submit(
    task_type: str, parameters: Mapping[str, Any] | None = None, *, by: User | None = None, **options: Any
) -> Task:
    """Store a new PENDING task and tell the workers after commit.

    `options` are the further fields of Submission. `by` is the person who asks and will own it.
    Raises ValidationError with the faults field by field: `{"parameters": {"num_rows": [...]}}`.
    """
    return submit_many([Submission(task_type, parameters, **options)], by=by)[0]


def submit_many(submissions: Iterable[Submission], *, by: User | None = None) -> list[Task]:
    """As `submit`, for many tasks in one transaction: all of them or none.

    With several submissions, the faults are a dictionary by position: `{3: {"task_type": [...]}}`.
    """
    submissions = list(submissions)
    prepared: list[Prepared] = []
    errors: dict[Any, Any] = {}
    try:
        for position, submission in enumerate(submissions):
            try:
                prepared.append(prepare(submission, by))
            except ValidationError as error:
                errors[position] = error.detail
        if errors:
            raise ValidationError(errors[0] if len(submissions) == 1 else errors)
        return store(prepared, by)
    except BaseException:
        for one in prepared:
            one.intake.discard()
        raise


@dataclass
class Prepared:
    """A task that is valid but not stored yet, and the files that came with it."""

    task: Task
    intake: files.Intake


def prepare(submission: Submission, by: User | None) -> Prepared:
    """Check a submission and make its row, unsaved. Raises ValidationError."""
    try:
        kind = registry.get(submission.task_type)
    except registry.UnknownTaskType:
        known = ", ".join(kind.name for kind in registry.all_types())
        raise ValidationError({"task_type": [f"Unknown task type {submission.task_type!r}. Known: {known}."]}) from None
    _check_options(submission)
    now = timezone.now()
    task = Task(id=new_id(), task_type=kind.name, owner_id=by.pk if by else None, created_at=now)
    intake = files.Intake(task.id, by)
    try:
        validated = kind.validate(submission.parameters or {})
        if by is not None and submission.retry_of is None:
            _refuse_masks(validated)
        validated = intake.take(kind.file_parameters, validated)
    except ValidationError as error:
        intake.discard()
        raise ValidationError({"parameters": error.detail}) from None
    task.parameters = kind.to_json(validated)
    task.parameters_digest = kind.digest
    task.timeout = kind.timeout_for(validated)
    task.name = one_line(submission.name or kind.name_for(validated))[:200]
    task.queue, task.priority = submission.queue, submission.priority
    task.max_attempts = kind.max_attempts if submission.max_attempts is None else submission.max_attempts
    task.run_at = submission.run_at or now
    task.waits_for = WaitsFor.TIME if task.run_at > now else WaitsFor.NOTHING
    task.retry_of, task.retry_items = submission.retry_of, submission.retry_items
    return Prepared(task, intake)


def _check_options(submission: Submission) -> None:
    errors = {}
    if not QUEUE_NAME.fullmatch(submission.queue):
        errors["queue"] = ["A queue's name has 1 to 40 letters, digits, dots, hyphens and underscores."]
    if submission.priority not in PRIORITIES:
        errors["priority"] = [f"A priority lies between {PRIORITIES[0]} and {PRIORITIES[-1]}."]
    if submission.max_attempts is not None and not 1 <= submission.max_attempts <= 100:
        errors["max_attempts"] = ["Between 1 and 100 attempts."]
    if errors:
        raise ValidationError(errors)


def _refuse_masks(parameters: Mapping[str, Any]) -> None:
    """What a person has copied from where it is shown lacks its secrets. Raises ValidationError, field by field."""
    if left := [name for name, value in parameters.items() if holds_mask(value)]:
        sentence = _("Enter what is masked anew: it is shown to nobody.")
        raise ValidationError({name: [sentence] for name in left})


def store(prepared: list[Prepared], by: User | None) -> list[Task]:
    """Write them in one transaction and tell the workers after commit. Raises ValidationError for a full quota."""
    tasks = [one.task for one in prepared]
    rows = [row for one in prepared for row in one.intake.rows]
    quotas.check(by, len(tasks), sum(row.size for row in rows))
    # A lone row is a transaction of its own: a BEGIN and a COMMIT would be two more journeys.
    alone = len(tasks) == 1 and not rows and by is None and tasks[0].queue in _open_queues
    with turnstile(), nullcontext() if alone else transaction.atomic():
        for queue in {task.queue for task in tasks}:
            _open_queue(queue)
        insert_tasks(tasks)
        if rows:
            TaskFile.objects.bulk_create(rows, batch_size=500)
        if tasks:
            note(by, tasks[0], ADDITION, _how_submitted(tasks))
        _announce(tasks)
    return tasks


def _how_submitted(tasks: list[Task]) -> str:
    """For the line that names the person: one line an act, also for an act that made ten thousand."""
    if len(tasks) > 1:
        return f"Submitted {len(tasks)} tasks, from {tasks[0].pk} to {tasks[-1].pk}"
    former = tasks[0].retry_of_id
    return f"Retried {former}" if former else "Submitted"


_open_queues: set[str] = set()  # those that this process has seen


def _open_queue(name: str) -> None:
    """See to it that the queue has its row, by which clusters find it."""
    if name not in _open_queues:
        Queue.objects.get_or_create(name=name)
        transaction.on_commit(partial(_open_queues.add, name))


def open_default_queue(**kwargs: Any) -> None:
    """After each migrate and flush: the queue that everything goes to when none is named has its row."""
    _open_queues.clear()
    Queue.objects.get_or_create(name="default")


def _announce(tasks: list[Task]) -> None:
    # After commit: a worker would otherwise look for a row that is not there yet.
    for queue in {task.queue for task in tasks}:
        mine = [task for task in tasks if task.queue == queue]
        ready = sum(task.waits_for == WaitsFor.NOTHING for task in mine)
        due = min((task.run_at for task in mine if task.waits_for == WaitsFor.TIME), default=None)
        send = partial(submitted.send_robust, sender=Task, count=ready, queue=queue, due=due)
        transaction.on_commit(send)


# --- what may be asked of a task that is there


def cancel(task: Task, *, by: User | None = None) -> Task:
    """CANCELLED at once, also while it runs: a running one keeps its claim until its worker has stopped it."""
    with transaction.atomic():
        _change("cancel", task, status=CANCELLED, completed_at=timezone.now(), waits_for="")
        note(by, task, CHANGE, "Cancelled")
        transaction.on_commit(partial(cancelled.send_robust, sender=Task, task_id=task.pk))
    return task


def retry(task: Task, *, by: User | None = None, items: str = "", **options: Any) -> Task:
    """A new task of the same type and parameters, for a FAILED or CANCELLED one.

    It waits until the old one's worker has let go. `items` names the states of the old one's items to do again
    ("failed", "failed,unknown"); with it, a task that succeeded may be retried too. Where it is left out, the task
    type says which.
    """
    with transaction.atomic():
        old = Task.objects.select_for_update().get(pk=task.pk)
        if old.status not in TRANSITIONS["retry"].sources and not (items and old.is_final):
            raise TransitionRefused("retry", old)
        items = items or _states_to_repeat(old)
        _refuse_to_repeat(old, items)
        known = options_of(old) | options
        submission = Submission(old.task_type, old.parameters, **known, retry_of=old, retry_items=items)
        prepared = prepare(submission, by)
        prepared.task.owner_id = by.pk if by else old.owner_id
        if old.claim is not None:
            prepared.task.waits_for = WaitsFor.TASK
        [new] = store([prepared], by)
        if old.claim is None:
            give_items(new)
        return new


def options_of(task: Task) -> dict[str, Any]:
    """What another task with the same parameters takes over: fields of a Submission."""
    return {name: getattr(task, name) for name in ("name", "queue", "priority", "max_attempts")}


def _states_to_repeat(old: Task) -> str:
    """What a plain retry does again: everything, unless the type says that what was done must not happen twice."""
    with contextlib.suppress(registry.UnknownTaskType):
        return registry.get(old.task_type).retry_items
    return ""


def _refuse_to_repeat(old: Task, items: str) -> None:
    """Where what was done must not happen twice, no two retries of a task are given the same items."""
    if not _states_to_repeat(old):
        return
    for given in old.retries.values_list("retry_items", flat=True):
        if not given or {*given.split(",")} & {*items.split(",")}:
            raise TransitionRefused("retry", old, _("It has been retried already: retry that task, if need be."))


def give_items(new: Task) -> None:
    """Give a retry the items it is to do again. Only once the old task has let go: until then more may get done."""
    old = new.retry_of
    if old is None or not new.retry_items:
        return
    if new.retry_items == _states_to_repeat(old) and not old.items.exists():
        # The old task never came to its items: all is still to be done.
        new.retry_items = ""
        new.save(update_fields=["retry_items"])
        return
    chosen = old.items.filter(state__in=new.retry_items.split(",")).values_list("position", "key")
    rows = (TaskItem(task=new, position=position, key=key) for position, key in chosen.iterator())
    TaskItem.objects.bulk_create(rows, batch_size=2000)


def delete(task: Task, *, by: User | None = None) -> None:
    """Remove a task that has ended, with its log, items and files."""
    with transaction.atomic():
        rows = list(task.files.all())
        if not _movable("delete", task).filter(claim=None).exists():
            task.refresh_from_db()
            raise TransitionRefused("delete", task)
        note(by, task, DELETION, "Deleted")
        task.delete()
        files.forget(rows)


def delete_ended(tasks: QuerySet[Task]) -> int:
    """Remove those of these tasks that have ended and let go, in one transaction. Gives how many."""
    with transaction.atomic():
        ended = Task.objects.filter(pk__in=[task.pk for task in tasks.only("pk")]).select_for_update().order_by("pk")
        ids = list(ended.guarded(status__in=TRANSITIONS["delete"].sources, claim=None).values_list("pk", flat=True))
        rows = list(TaskFile.objects.filter(task__in=ids))
        # Only the ids: a delete reads the rows first, and with them results of megabytes.
        Task.objects.filter(pk__in=ids).only("pk").delete()
        files.forget(rows)
    return len(ids)


def pause_queue(name: str, *, by: User | None = None) -> None:
    """Let nothing of this queue start until it is resumed; what runs goes on."""
    with transaction.atomic():
        if Queue.objects.filter(name=name, paused_at=None).update(paused_at=timezone.now()):
            note(by, Queue(name=name), CHANGE, "Paused")


def resume_queue(name: str, *, by: User | None = None) -> None:
    """Let the tasks of a paused queue start again."""
    with transaction.atomic():
        if Queue.objects.filter(name=name, paused_at__isnull=False).update(paused_at=None):
            note(by, Queue(name=name), CHANGE, "Resumed")
            # As if they had just been submitted: idle workers look again at once.
            ready = Task.objects.ready().filter(queue=name)[:1000].count()
            transaction.on_commit(partial(submitted.send_robust, sender=Task, count=ready, queue=name, due=None))


def _movable(move: str, task: Task) -> QuerySet[Task]:
    return Task.objects.select_for_update().filter(pk=task.pk).guarded(status__in=TRANSITIONS[move].sources)


def _change(move: str, task: Task, **values: Any) -> None:
    """One guarded UPDATE; `task` is fresh afterwards. Raises TransitionRefused."""
    sources = TRANSITIONS[move].sources
    changed = Task.objects.filter(pk=task.pk).guarded(status__in=sources).update(version=F("version") + 1, **values)
    task.refresh_from_db()
    if not changed:
        raise TransitionRefused(move, task)


def note(by: User | None, subject: Task | Queue, action: int, message: str) -> None:
    """Who did what: Django's own LogEntry. What no person did leaves no line."""
    if by is None or not by.pk:
        return
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(type(subject)),
        object_id=str(subject.pk),
        object_repr=str(subject)[:200],
        action_flag=action,
        change_message=message,
    )


Row = TypeVar("Row", bound=Model)


def find(row_id: str | uuid.UUID, among: QuerySet[Row]) -> Row:
    """The task or file of this id among these. Raises its DoesNotExist, also for what is no id at all."""
    try:
        key = row_id if isinstance(row_id, uuid.UUID) else uuid.UUID(row_id)
    except (ValueError, AttributeError, TypeError):
        raise cast(Any, among.model).DoesNotExist from None
    return among.get(pk=key)
