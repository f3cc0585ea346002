"""Tasks by API: submit, list, look, cancel, retry, delete."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from rest_framework import exceptions, viewsets
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from tasks import lifecycle
from tasks.api import paging
from tasks.api.parsers import JSONParser
from tasks.api.serializers import RetrySerializer, TaskSerializer
from tasks.api.submitting import submission_of
from tasks.filters import TaskFilter
from tasks.models import Task, TaskQuerySet

PAGE, LARGEST_PAGE = 200, 1000


def person(request: Request) -> User:
    """Who asks: the permissions let nobody else this far."""
    return cast(User, request.user)


def visible(request: Request) -> TaskQuerySet:
    return Task.objects.visible_to(request.user)


def found(request: Request, task_id: str) -> Task:
    """The task, if this person may see it. Raises Task.DoesNotExist, which is 404."""
    return lifecycle.find(task_id, visible(request).select_related("owner"))


def own(request: Request, task_id: str) -> Task:
    """The task, if this person may act on it: 404 for one they may not see, 403 for one they may just see."""
    task = found(request, task_id)
    if not Task.objects.manageable_by(request.user).filter(pk=task.pk).exists():
        raise exceptions.PermissionDenied(_("You may see this task, not act on it."))
    return task


class TaskViewSet(viewsets.GenericViewSet[Task]):
    serializer_class = TaskSerializer
    parser_classes = [MultiPartParser, JSONParser]
    queryset = Task.objects.none()

    def shown(self, task: Task, **kwargs: Any) -> Response:
        return Response(self.get_serializer(task).data, **kwargs)

    def list(self, request: Request) -> Response:
        limit = paging.whole_number(request, "limit", PAGE, least=1, most=LARGEST_PAGE)
        chosen = TaskFilter(request.query_params, after_cursor(request), request=request._request)
        if not chosen.is_valid():
            raise exceptions.ValidationError(chosen.errors)
        tasks = chosen.qs
        if chosen.not_understood:
            raise exceptions.ValidationError(chosen.not_understood)
        rows = list(tasks.select_related("owner").defer("checkpoint")[: limit + 1])
        following = rows[limit - 1].pk if len(rows) > limit else chosen.reached
        page = self.get_serializer(rows[:limit], many=True)
        return Response(page.data, headers=paging.links(request, "cursor", following))

    def create(self, request: Request) -> Response:
        submission = submission_of(request)
        task = lifecycle.submit_many([submission], by=person(request))[0]
        return self.shown(task, status=201)

    def retrieve(self, request: Request, task_id: str) -> Response:
        return self.shown(found(request, task_id))

    def destroy(self, request: Request, task_id: str) -> Response:
        task = lifecycle.cancel(own(request, task_id), by=person(request))
        return Response({"message": "Task cancelled successfully", "task_id": str(task.pk)})

    def retry(self, request: Request, task_id: str) -> Response:
        how = RetrySerializer(data=request.data or {})
        how.is_valid(raise_exception=True)
        old = own(request, task_id)
        new = lifecycle.retry(old, by=person(request), items=how.validated_data.get("items") or "")
        return self.shown(new, status=201)

    def remove(self, request: Request, task_id: str) -> Response:
        lifecycle.delete(own(request, task_id), by=person(request))
        return Response(status=204)


def after_cursor(request: Request) -> TaskQuerySet:
    tasks, cursor = visible(request).newest_first(), paging.task_cursor(request)
    if cursor is None:
        return tasks
    oldest_first = request.query_params.get("order") == "oldest"
    return tasks.filter(id__gt=cursor) if oldest_first else tasks.filter(id__lt=cursor)
