"""Tasks by API: submit, list, look, cancel, retry, delete."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, cast

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from rest_framework import exceptions, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tasks import lifecycle
from tasks.api import examples, paging
from tasks.api.documented import (
    CURSOR,
    FIELDS,
    FILTERS,
    IDEMPOTENCY_KEY,
    LIMIT,
    LINK,
    REPLAYED,
    SUBMIT_FORM,
    TASK_ID,
    WAIT,
    documented,
)
from tasks.api.once import submit_once
from tasks.api.serializers import CancelledSerializer, RetrySerializer, SubmitSerializer, TaskSerializer
from tasks.api.submitting import submission_of
from tasks.api.waiting import wait_for_end
from tasks.filters import TaskFilter
from tasks.models import Task
from tasks.patience import PATIENCE_OF_PROGRAMS, patience
from tasks.querysets import TaskQuerySet

PAGE, LARGEST_PAGE = 200, 1000
LONGEST_WAIT = 60  # seconds
# Left in the database unless it is asked for.
LARGE_FIELDS = ("result_data", "parameters", "error_message")


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


def wanted_fields(request: Request) -> list[str] | None:
    """What `?fields=id,status` leaves of a task; None for all of it. Raises ValidationError."""
    names = [name.strip() for name in request.query_params.get("fields", "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in TaskSerializer.Meta.fields]:
        sentence = _("A task has no field %(names)s.") % {"names": ", ".join(unknown)}
        raise exceptions.ValidationError({"fields": [sentence]})
    return names or None


def chosen_tasks(request: Request, query: Mapping[str, Any], among: TaskQuerySet) -> TaskFilter:
    """The filter over these tasks, applied. Raises ValidationError for what it does not understand."""
    chosen = TaskFilter(query, among, request=request._request)
    if not chosen.is_valid():
        raise exceptions.ValidationError(chosen.errors)
    chosen.qs  # noqa: B018 - it is understood as it is applied
    if chosen.not_understood:
        raise exceptions.ValidationError(chosen.not_understood)
    return chosen


def after_cursor(request: Request) -> TaskQuerySet:
    tasks, cursor = visible(request).newest_first(), paging.task_cursor(request)
    if cursor is None:
        return tasks
    oldest_first = request.query_params.get("order") == "oldest"
    return tasks.filter(id__gt=cursor) if oldest_first else tasks.filter(id__lt=cursor)


documented_submit = partial(
    documented,
    (201, TaskSerializer),
    refused=[400, 413, 422],
    parameters=[FIELDS, IDEMPOTENCY_KEY, REPLAYED],
    request={"application/json": SubmitSerializer, "multipart/form-data": SUBMIT_FORM},
    tags=["tasks"],
    examples=[*examples.SUBMIT, examples.TASK],
    refusals=examples.WRONG_SUBMIT,
)


class TaskViewSet(viewsets.GenericViewSet[Task]):
    queryset = Task.objects.none()

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """What the browsable API makes its forms from."""
        return {"create": SubmitSerializer, "submit": SubmitSerializer, "retry": RetrySerializer}.get(
            self.action, TaskSerializer
        )

    def shown(self, task: Task, **kwargs: Any) -> Response:
        return Response(TaskSerializer(task, fields=wanted_fields(self.request)).data, **kwargs)

    @documented(
        (200, TaskSerializer(many=True)),
        refused=[422],
        parameters=[*FILTERS, LIMIT, CURSOR, FIELDS, LINK],
        operation_id="listTasks",
        tags=["tasks"],
    )
    def list(self, request: Request) -> Response:
        """The tasks you may see, newest first."""
        limit = paging.whole_number(request, "limit", PAGE, least=1, most=LARGEST_PAGE)
        fields = wanted_fields(request)
        left_out = [name for name in LARGE_FIELDS if fields and name not in fields]
        is_filtered = request.query_params.keys() & TaskFilter.base_filters.keys()
        with patience(PATIENCE_OF_PROGRAMS) if is_filtered else nullcontext():
            chosen = chosen_tasks(request, request.query_params, after_cursor(request))
            rows = list(chosen.qs.select_related("owner").defer("checkpoint", *left_out)[: limit + 1])
        following = rows[limit - 1].pk if len(rows) > limit else chosen.reached
        page = TaskSerializer(rows[:limit], many=True, fields=fields)
        return Response(page.data, headers=paging.links(request, "cursor", following))

    @documented_submit(operation_id="submitTask")
    def submit(self, request: Request) -> Response:
        """Submit a task, as JSON or as a form with files."""
        submission, by = submission_of(request), person(request)
        if key := request.headers.get("Idempotency-Key", ""):
            task, replayed = submit_once(key, submission, by)
        else:
            task, replayed = lifecycle.submit_many([submission], by=by)[0], False
        return self.shown(task, status=201, headers={"Idempotency-Replayed": "true"} if replayed else None)

    @documented_submit(operation_id="createTask")
    def create(self, request: Request) -> Response:
        """The same as /api/tasks/submit."""
        return self.submit(request)

    @documented(
        (200, TaskSerializer),
        refused=[404, 422],
        parameters=[TASK_ID, WAIT, FIELDS],
        operation_id="getTask",
        tags=["tasks"],
        examples=[examples.TASK],
    )
    def retrieve(self, request: Request, task_id: str) -> Response:
        """One task; with `?wait=30` as soon as it has ended, or after so many seconds."""
        wait = paging.whole_number(request, "wait", 0, most=LONGEST_WAIT)
        wanted_fields(request)  # a wrong one is refused before the wait
        task = found(request, task_id)
        wait_for_end(task, wait)
        return self.shown(task)

    @documented(
        (200, CancelledSerializer),
        refused=[400, 404],
        parameters=[TASK_ID],
        operation_id="cancelTask",
        tags=["tasks"],
        refusals=examples.NOT_TO_CANCEL,
    )
    def destroy(self, request: Request, task_id: str) -> Response:
        """Cancel a task that waits or runs."""
        task = lifecycle.cancel(own(request, task_id), by=person(request))
        answer = {"message": "Task cancelled successfully", "task_id": task.pk}
        return Response(CancelledSerializer(answer).data)

    @documented(
        (201, TaskSerializer),
        refused=[400, 404, 413, 422],
        parameters=[TASK_ID, FIELDS],
        request=RetrySerializer,
        operation_id="retryTask",
        tags=["tasks"],
        examples=[*examples.RETRY, examples.TASK],
        refusals=examples.NOT_TO_RETRY,
    )
    def retry(self, request: Request, task_id: str) -> Response:
        """A new task like one that failed or was cancelled."""
        how = RetrySerializer(data=request.data or {})
        how.is_valid(raise_exception=True)
        old = own(request, task_id)
        new = lifecycle.retry(old, by=person(request), items=how.validated_data.get("items") or "")
        return self.shown(new, status=201)

    @documented(
        (204, None),
        refused=[400, 404],
        parameters=[TASK_ID],
        request=None,
        operation_id="deleteTask",
        tags=["tasks"],
        refusals=examples.NOT_TO_DELETE,
    )
    def remove(self, request: Request, task_id: str) -> Response:
        """Delete a task that has ended, with its log, items and files."""
        lifecycle.delete(own(request, task_id), by=person(request))
        return Response(status=204)
