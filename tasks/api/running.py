"""What works on tasks, and how it goes: clusters with their workers, queues, statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle
from tasks.api.documented import QUEUE, RANGE_NAME, TASK_TYPE, documented
from tasks.api.serializers import ClusterSerializer, QueueSerializer, StatisticsSerializer
from tasks.api.tasks import person, visible
from tasks.models import Cluster, Queue, Status, Task
from tasks.stats import RANGES, Answer, answer

# Counting stops here: a deep queue costs no more than a short one.
CAP = 10_000


class ClustersView(APIView):
    """The clusters that work on tasks, each with what it last said of its workers."""

    @documented((200, ClusterSerializer(many=True)), operation_id="listClusters", tags=["hub"])
    def get(self, request: Request) -> Response:
        clusters = Cluster.objects.order_by("-renewed_at")[:200]
        ids = [report["task"] for cluster in clusters for report in cluster.workers if report.get("task")]
        seen = {str(key): str(key) for key in visible(request).filter(pk__in=ids).values_list("pk", flat=True)}
        context = {"now": timezone.now(), "seen": seen}
        return Response(ClusterSerializer(clusters, many=True, context=context).data)


class QueuesView(APIView):
    """The queues, each with what waits and runs in it, counted up to ten thousand."""

    @documented((200, QueueSerializer(many=True)), operation_id="listQueues", tags=["hub"])
    def get(self, request: Request) -> Response:
        return Response(QueueSerializer(map(counted, Queue.objects.order_by("name")), many=True).data)


def counted(queue: Queue) -> dict[str, Any]:
    ready = Task.objects.ready().filter(queue=queue.name).order_by()
    running = Task.objects.filter(queue=queue.name, status=Status.RUNNING).order_by()
    return {
        "name": queue.name,
        "paused_at": queue.paused_at,
        "ready": ready[:CAP].count(),
        "running": running[:CAP].count(),
    }


class PauseView(APIView):
    """Let nothing of a queue start until it is resumed; what runs goes on. For staff."""

    permission_classes = [IsAdminUser]

    @documented(
        (200, QueueSerializer), refused=[404], parameters=[QUEUE], request=None, operation_id="pauseQueue", tags=["hub"]
    )
    def post(self, request: Request, queue: str) -> Response:
        return moved(lifecycle.pause_queue, request, queue)


class ResumeView(APIView):
    """Let the tasks of a paused queue start again. For staff."""

    permission_classes = [IsAdminUser]

    @documented(
        (200, QueueSerializer),
        refused=[404],
        parameters=[QUEUE],
        request=None,
        operation_id="resumeQueue",
        tags=["hub"],
    )
    def post(self, request: Request, queue: str) -> Response:
        return moved(lifecycle.resume_queue, request, queue)


def moved(move: Callable[..., None], request: Request, name: str) -> Response:
    found = Queue.objects.filter(name=name)
    if not found.exists():
        raise NotFound(_("There is no such queue."))
    move(name, by=person(request))
    return Response(QueueSerializer(counted(found.get())).data)


class StatisticsView(APIView):
    """How many tasks ended, how long they took and waited, over the last `1h`, `24h`, `7d` or `30d`."""

    @documented(
        (200, StatisticsSerializer),
        refused=[422],
        parameters=[RANGE_NAME, TASK_TYPE],
        operation_id="getStatistics",
        tags=["hub"],
    )
    def get(self, request: Request) -> Response:
        name, task_type = request.query_params.get("range", "24h"), request.query_params.get("task_type", "")
        if name not in RANGES:
            raise ValidationError({"range": [_("One of: %(known)s.") % {"known": ", ".join(RANGES)}]})
        everybodys = request.user.has_perm("tasks.view_all_tasks")
        found = answer(name, owner=None if everybodys else person(request).pk, task_type=task_type[:64])
        return Response(StatisticsSerializer(in_numbers(found)).data)


def in_numbers(found: Answer) -> dict[str, Any]:
    return {
        "since": found.start,
        "total": found.total,
        "before": found.before,
        "by_type": dict(found.kinds),
        "over_time": found.buckets,
        "errors": [{"error": error, "count": count, "last_at": last} for error, count, last in found.errors],
    }
