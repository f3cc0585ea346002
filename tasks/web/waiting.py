"""Why a task is not running: each gate it may stand before, computed from the data, with what to do."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks import registry
from tasks.models import Cluster, Queue, Status, Task, WaitsFor
from tasks.web import words
from tasks.web.hub import CAP


@dataclass(frozen=True)
class Gate:
    """What holds a task: a sentence, what to do about it, and where."""

    sentence: str
    help: str = ""
    command: str = ""
    link: str = ""
    tone: str = "calm"
    echo: bool = False  # the banner of every page says it too


def gates(task: Task) -> list[Gate]:
    """The gates a PENDING task stands before, the one that counts most first."""
    if task.status != Status.PENDING:
        return []
    if task.claim is not None:
        return [Gate(_("A worker has taken it and starts it in a moment."))]
    found = [_time(task), _other_task(task), _handler(task), _paused(task), _no_worker(task)]
    held = [gate for gate in found if gate]
    return held or [_ahead(task)]


def _time(task: Task) -> Gate | None:
    if task.waits_for != WaitsFor.TIME:
        return None
    tries = task.attempts + task.losses
    when = {"time": words.exactly(task.run_at), "in": words.ago(task.run_at)}
    if tries:
        return Gate(
            _("Attempt %(number)s starts %(in)s, at %(time)s.") % (when | {"number": tries + 1}),
            _("The pause grows with each attempt. To try at once, cancel it and retry."),
        )
    return Gate(_("It is scheduled: it starts %(in)s, at %(time)s.") % when)


def _other_task(task: Task) -> Gate | None:
    if task.waits_for != WaitsFor.TASK:
        return None
    sentence = _("It waits until another task has ended.")
    if task.retry_of_id is None:
        return Gate(sentence)
    sentence = _("It waits until the task it repeats has let go of its worker.")
    return Gate(sentence, link=reverse("tasks:task", args=[task.retry_of_id]), help=_("See that task"))


def _handler(task: Task) -> Gate | None:
    try:
        registry.get(task.task_type)
    except registry.UnknownTaskType:
        return Gate(
            _("No handler for %(type)s is installed.") % {"type": task.task_type},
            _("Install the app that brings it and name it in TASKHUB_APPS."),
            tone="bad",
        )
    return None


def _paused(task: Task) -> Gate | None:
    if not Queue.objects.filter(name=task.queue, paused_at__isnull=False).exists():
        return None
    return Gate(
        _("Its queue, %(queue)s, is paused.") % {"queue": task.queue},
        _("Staff can resume it on the Workers page."),
        link=reverse("tasks:workers"),
        tone="warn",
    )


def serving(queue: str) -> list[Cluster]:
    """The live clusters that take tasks from this queue; one that names no queue takes from all."""
    alive = Cluster.objects.filter(lease_expires_at__gt=timezone.now())
    return [cluster for cluster in alive if not cluster.queues or queue in cluster.queues]


def _no_worker(task: Task) -> Gate | None:
    if serving(task.queue):
        return None
    if Cluster.objects.filter(lease_expires_at__gt=timezone.now()).exists():
        return Gate(
            _("Workers are running, but none of them serves the queue %(queue)s.") % {"queue": task.queue},
            _("Start one that does:"),
            command=f"TASKHUB_QUEUES={task.queue} python manage.py qcluster",
            tone="bad",
        )
    return Gate(_("No worker is running."), _("Start one:"), command="python manage.py qcluster", tone="bad", echo=True)


def count_ahead(task: Task) -> int:
    """Tasks that a worker would take before this one, up to CAP + 1; the claim's own index and order."""
    before = (
        Q(priority__gt=task.priority)
        | Q(priority=task.priority, run_at__lt=task.run_at)
        | Q(priority=task.priority, run_at=task.run_at, id__lt=task.id)
    )
    ready = Task.objects.ready().filter(before, queue=task.queue)
    return ready.order_by()[: CAP + 1].count()


def _ahead(task: Task) -> Gate:
    ahead = count_ahead(task)
    if not ahead:
        return Gate(_("It is next: the first free worker takes it."))
    sentence = ngettext(
        "It waits for a worker, %(count)s task is ahead of it.",
        "It waits for a worker, %(count)s tasks are ahead of it.",
        ahead,
    ) % {"count": words.capped(ahead, CAP)}
    busy, workers = _load(task.queue)
    if workers and busy == workers:
        return Gate(sentence, _("All %(count)s workers are busy.") % {"count": workers})
    return Gate(sentence)


def _load(queue: str) -> tuple[int, int]:
    workers = [worker for cluster in serving(queue) for worker in cluster.workers]
    return sum(1 for worker in workers if worker.get("task")), len(workers)
