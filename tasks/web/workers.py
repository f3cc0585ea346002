"""Who works: workers and clusters from their own heartbeats, and the queues they serve."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from tasks import lifecycle
from tasks.models import Cluster, Queue, Status, Task
from tasks.web import words
from tasks.web.acts import answer, person
from tasks.web.hub import CAP

# A cluster's row is renewed several times within its lease; a clock this far off makes that unreliable.
CLOCK_TOLERANCE = timedelta(seconds=10)
QUEUES_MOST = 50  # listed: each costs three queries


@dataclass
class WorkerRow:
    cluster: Cluster
    report: dict[str, Any]
    number: int
    task: Task | None
    now: datetime

    @property
    def is_stale(self) -> bool:
        return self.cluster.lease_expires_at < self.now

    @property
    def is_busy(self) -> bool:
        return bool(self.report.get("task")) and not self.is_stale

    @property
    def state(self) -> tuple[str, str, Any]:
        """Tone, icon and word of its badge."""
        if self.is_stale:
            return "warn", "warning", _("Stale")
        return ("live", "running", _("Busy")) if self.is_busy else ("good", "success", _("Idle"))

    @property
    def since(self) -> datetime | None:
        return parse_datetime(self.report.get("since") or "")

    @property
    def memory(self) -> str:
        megabytes = self.report.get("rss_mb")
        return "" if megabytes is None else f"{words.thousands(round(megabytes))} MB"


@dataclass
class QueueRow:
    queue: Queue
    waiting: int
    running: int
    oldest: datetime | None

    @property
    def is_paused(self) -> bool:
        return self.queue.paused_at is not None

    @property
    def waiting_words(self) -> str:
        return words.capped(self.waiting, CAP)


class WorkersPage:
    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.now = timezone.now()

    @cached_property
    def clusters(self) -> list[Cluster]:
        return list(Cluster.objects.order_by("hostname", "started_at"))

    @cached_property
    def workers(self) -> list[WorkerRow]:
        return list(self._workers())

    def _workers(self) -> Iterator[WorkerRow]:
        reports = [
            (cluster, number, report) for cluster in self.clusters for number, report in enumerate(cluster.workers, 1)
        ]
        ids = [report["task"] for _cluster, _number, report in reports if report.get("task")]
        # Whom one may not see stays a number: a busy worker, without its task's name.
        visible = Task.objects.visible_to(self.request.user).only("id", "name", "task_type", "status").in_bulk(ids)
        by_id = {str(key): task for key, task in visible.items()}
        for cluster, number, report in reports:
            yield WorkerRow(cluster, report, number, by_id.get(str(report.get("task"))), self.now)

    @property
    def alive(self) -> int:
        return sum(not worker.is_stale for worker in self.workers)

    @property
    def stale(self) -> int:
        return len(self.workers) - self.alive

    @property
    def busy(self) -> int:
        return sum(worker.is_busy for worker in self.workers)

    @property
    def idle(self) -> int:
        return self.alive - self.busy

    @cached_property
    def queues(self) -> list[QueueRow]:
        """All, or of many those that have something waiting, then the paused ones, then by name."""
        busy = Queue.objects.annotate(has_ready=Exists(Task.objects.ready().filter(queue=OuterRef("name"))))
        order = ("-has_ready", F("paused_at").desc(nulls_last=True), "name")
        return sorted(map(self._queue, busy.order_by(*order)[:QUEUES_MOST]), key=lambda row: row.queue.name)

    @cached_property
    def further_queues(self) -> str:
        """The number of those that are not listed, in words."""
        further = Queue.objects.count() - len(self.queues)
        return _("%(count)s more") % {"count": words.thousands(further)} if further > 0 else ""

    @staticmethod
    def _queue(queue: Queue) -> QueueRow:
        """Bounded counts over the claim's own index: a deep queue costs no more than a short one."""
        ready = Task.objects.ready().filter(queue=queue.name).order_by()
        running = Task.objects.filter(status=Status.RUNNING, queue=queue.name).order_by()
        oldest = ready.order_by("-priority", "run_at", "id").values_list("run_at", flat=True)
        return QueueRow(queue, ready[: CAP + 1].count(), running[: CAP + 1].count(), oldest.first())

    @property
    def waiting(self) -> str:
        return words.capped(sum(queue.waiting for queue in self.queues), CAP)

    @property
    def queues_waiting(self) -> int:
        return sum(queue.waiting > 0 for queue in self.queues)

    @property
    def oldest(self) -> QueueRow | None:
        waiting = [queue for queue in self.queues if queue.oldest]
        return min(waiting, key=lambda queue: queue.oldest or self.now) if waiting else None

    @property
    def clock_faults(self) -> list[Cluster]:
        """Clusters whose clock is ahead of ours. (One that is behind looks stale.)"""
        return [cluster for cluster in self.clusters if cluster.renewed_at > self.now + CLOCK_TOLERANCE]

    @property
    def may_pause(self) -> bool:
        return self.request.user.is_staff

    @cached_property
    def version(self) -> str:
        state = [
            [(w.cluster.pk, w.report, w.state[0]) for w in self.workers],
            [(q.queue.pk, q.is_paused, q.waiting, q.running) for q in self.queues],
            self.further_queues,
        ]
        return hashlib.blake2s(repr(state).encode(), digest_size=8).hexdigest()


@require_safe
@never_cache
def workers(request: HttpRequest) -> HttpResponse:
    return render(request, "tasks/workers.html", {"page": WorkersPage(request)})


@require_safe
@never_cache
def workers_live(request: HttpRequest) -> HttpResponse:
    page = WorkersPage(request)
    if request.GET.get("v") == page.version:
        return HttpResponse(status=204)
    html = render_to_string("tasks/_workers.html", {"page": page}, request)
    return HttpResponse(html + render_to_string("_hub_state.html", {"oob": True}, request))


@require_POST
def queue(request: HttpRequest, queue: str) -> HttpResponse:
    """Pause or resume a queue: staff only."""
    if not request.user.is_staff:
        raise PermissionDenied(_("Only staff may pause a queue."))
    if not Queue.objects.filter(name=queue).exists():
        raise Http404
    if request.POST.get("action") == "resume":
        lifecycle.resume_queue(queue, by=person(request))
        sentence = _("Queue %(queue)s is open again.") % {"queue": queue}
    else:
        lifecycle.pause_queue(queue, by=person(request))
        sentence = _("Queue %(queue)s is paused: what runs goes on, nothing new starts.") % {"queue": queue}
    return answer(request, sentence, level=messages.SUCCESS, to=reverse("tasks:workers"))
