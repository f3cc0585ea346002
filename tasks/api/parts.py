"""What belongs to a task: its log, files, items and past attempts."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.api import paging
from tasks.api.documented import (
    AFTER_ITEM,
    AFTER_LINE,
    FILE_ID,
    LINK,
    LONG_LIMIT,
    RANGE,
    STATE,
    TASK_ID,
    documented,
)
from tasks.api.renderers import BrowsableAPIRenderer
from tasks.api.serializers import AttemptSerializer, FileSerializer, ItemSerializer, LogLineSerializer
from tasks.api.tasks import found, visible
from tasks.downloads import file_response
from tasks.exports import csv_response
from tasks.lifecycle import find
from tasks.masking import masked
from tasks.models import TaskFile, TaskItem

PAGE, LARGEST_PAGE = 1000, 10_000
# Of a file: "a binary string" would be wrong of one that is JSON.
CONTENT = {"description": "Any bytes, as the file has them."}


class LogView(APIView):
    """The lines of a task's log, oldest first; `?after=` gives those after a line one has."""

    @documented(
        (200, LogLineSerializer(many=True)),
        refused=[404, 422],
        parameters=[TASK_ID, AFTER_LINE, LONG_LIMIT, LINK],
        operation_id="getLog",
        tags=["parts of a task"],
    )
    def get(self, request: Request, task_id: str) -> Response:
        limit = paging.whole_number(request, "limit", PAGE, least=1, most=LARGEST_PAGE)
        after = paging.whole_number(request, "after", 0, most=2**31 - 1)
        lines = list(found(request, task_id).log_lines.filter(seq__gt=after)[: limit + 1])
        following = lines[limit - 1].seq if len(lines) > limit else None
        page = LogLineSerializer(lines[:limit], many=True)
        return Response(page.data, headers=paging.links(request, "after", following))


class FilesView(APIView):
    """The files of a task: what was submitted with it, and what it has made."""

    @documented(
        (200, FileSerializer(many=True)),
        refused=[404],
        parameters=[TASK_ID],
        operation_id="listFiles",
        tags=["parts of a task"],
    )
    def get(self, request: Request, task_id: str) -> Response:
        files = found(request, task_id).files.published()
        return Response(FileSerializer(files, many=True).data)


class AttemptsView(APIView):
    """The tries that did not finish a task, oldest first."""

    @documented(
        (200, AttemptSerializer(many=True)),
        refused=[404],
        parameters=[TASK_ID],
        operation_id="listAttempts",
        tags=["parts of a task"],
    )
    def get(self, request: Request, task_id: str) -> Response:
        attempts = found(request, task_id).past_attempts.all()
        return Response(AttemptSerializer(attempts, many=True, context={"request": request}).data)


class CSVRenderer(BaseRenderer):
    """Lets a client ask for CSV by `?format=csv` or `Accept`; the view streams it itself."""

    media_type = "text/csv"
    format = "csv"


class ItemsView(APIView):
    """The items of a task in their order: `?state=` filters, `?after=` pages by position, `?format=csv` exports."""

    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CSVRenderer]
    metadata_class = None  # what OPTIONS would tell has no CSV

    @documented(
        ((200, "application/json"), ItemSerializer(many=True)),
        ((200, "text/csv"), str),
        refused=[404, 422],
        parameters=[TASK_ID, STATE, AFTER_ITEM, LONG_LIMIT, LINK],
        operation_id="listItems",
        tags=["parts of a task"],
    )
    def get(self, request: Request, task_id: str) -> HttpResponseBase:
        task, state = found(request, task_id), request.query_params.get("state", "")
        if state and state not in TaskItem.State.values:
            raise ValidationError({"state": [_("One of: %(known)s.") % {"known": ", ".join(TaskItem.State.values)}]})
        items = task.items.filter(state=state) if state else task.items.all()
        if request.accepted_renderer.format == "csv":
            columns = ["position", "key", "state", "error", "detail"]
            every = items.values_list(*columns).iterator(2000)
            return csv_response(f"items-{task.short_id}.csv", columns, (masked(list(row)) for row in every))
        limit = paging.whole_number(request, "limit", PAGE, least=1, most=LARGEST_PAGE)
        after = paging.whole_number(request, "after", -1, least=-1, most=2**31 - 1)
        rows = list(items.filter(position__gt=after)[: limit + 1])
        following = rows[limit - 1].position if len(rows) > limit else None
        return Response(ItemSerializer(rows[:limit], many=True).data, headers=paging.links(request, "after", following))


class FileView(APIView):
    """A file's content, as a download; `Range` asks for a part."""

    @documented(
        ((200, "*/*"), CONTENT),
        ((206, "*/*"), CONTENT),
        refused=[404],
        empty=[416],
        parameters=[FILE_ID, RANGE],
        operation_id="downloadFile",
        tags=["parts of a task"],
    )
    def get(self, request: Request, file_id: str) -> HttpResponseBase:
        files = TaskFile.objects.published().filter(task__in=visible(request))
        return file_response(request._request, find(file_id, files))
