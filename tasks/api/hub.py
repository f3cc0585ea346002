"""What the API tells of TaskHub itself: its health, its task types."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import registry
from tasks.api.documented import documented
from tasks.api.schemas import parameters_schema, result_schema
from tasks.api.serializers import HealthSerializer, TaskTypeSerializer
from tasks.models import Cluster, Task
from tasks.querysets import TaskQuerySet

EXACT_COUNT = 10_000


class HealthView(APIView):
    """How TaskHub is; open to strangers, who are told no more than whether it works."""

    permission_classes = [AllowAny]

    @documented((200, HealthSerializer), operation_id="getHealth", tags=["hub"])
    def get(self, request: Request) -> Response:
        health: dict[str, Any] = {"status": "healthy", "queue_running": queue_running()}
        if request.user.is_authenticated:
            total = count(Task.objects.visible_to(request.user), str(request.user.pk))
            health |= {"total_tasks": total, "version": settings.VERSION, "time": timezone.now()}
        return Response(HealthSerializer(health).data)


def queue_running() -> bool:
    """Whether a cluster is believed alive."""
    return Cluster.objects.filter(lease_expires_at__gt=timezone.now()).exists()


def count(tasks: TaskQuerySet, whose: str) -> int:
    """How many; a large number may be ten seconds old, since counting reads every row."""
    few = tasks.order_by()[: EXACT_COUNT + 1].count()
    if few <= EXACT_COUNT:
        return few
    return cache.get_or_set(f"tasks-of-{whose}", tasks.count, 10) or few


class TaskTypesView(APIView):
    """Every task type with the JSON Schemas of its parameters and its result."""

    @documented((200, TaskTypeSerializer(many=True)), operation_id="listTaskTypes", tags=["hub"])
    def get(self, request: Request) -> Response:
        return Response([described(kind) for kind in registry.all_types()])


def described(kind: registry.TaskType) -> dict[str, Any]:
    about = {
        "name": kind.name,
        "label": str(kind.label),
        "description": str(kind.description),
        "hidden": kind.hidden,
        "max_attempts": kind.max_attempts,
        "parameters": parameters_schema(kind),
        "result": result_schema(kind),
    }
    return dict(TaskTypeSerializer(about).data)


def livez(request: HttpRequest) -> HttpResponse:
    """The web server answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers too."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM tasks_task LIMIT 1")
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")


for probe in (livez, readyz):
    probe.login_required = False  # type: ignore[attr-defined]
