"""One task: the page, and the same as a fragment while it is under way."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tasks import registry
from tasks.downloads import file_response
from tasks.models import Status, Task, TaskAttempt, TaskFile
from tasks.web.acts import visible_task
from tasks.web.hub import hub_state
from tasks.web.items import ItemPage
from tasks.web.log import Lines, number
from tasks.web.rows import TaskRow
from tasks.web.timeline import Step, eta, steps
from tasks.web.waiting import Gate, gates

log = logging.getLogger("tasks.web")

JSON_SHOWN = 200_000  # characters of a result shown as JSON; the API has it whole
PLAIN = "tasks/results/_plain.html"


@dataclass
class Parameter:
    """A submitted parameter as people read it."""

    label: str
    text: str
    is_long: bool = False
    files: tuple[TaskFile, ...] = ()


class TaskPage:
    """What the task page shows, each part asked for once and only where it is shown."""

    def __init__(self, request: HttpRequest, task: Task) -> None:
        self.request, self.task = request, task
        self.row = TaskRow(task, hub_state())

    @cached_property
    def kind(self) -> registry.TaskType | None:
        try:
            return registry.get(self.task.task_type)
        except registry.UnknownTaskType:
            return None

    @cached_property
    def version(self) -> str:
        """Differs when anything on the page differs: the row's version, and the log's last line."""
        last_line = self.task.log_lines.aggregate(last=Max("seq"))["last"] or 0
        return f"{self.row.signature}.{last_line}"

    @property
    def shown_version(self) -> str:
        """The version of what is shown: behind `version` while a long log comes in several answers."""
        shown = self.lines.shown
        last_line = shown[-1].seq if shown else number(self.request.GET.get("after"))
        return f"{self.row.signature}.{last_line}"

    @property
    def is_live(self) -> bool:
        """Whether the page is worth asking for again."""
        return not self.task.is_final or self.task.is_stopping

    @cached_property
    def may_act(self) -> bool:
        return Task.objects.manageable_by(self.request.user).filter(pk=self.task.pk).exists()

    @property
    def title(self) -> str:
        """Of the window: it tells how the task is while one looks at something else."""
        running = self.task.status == Status.RUNNING
        state = f"{self.task.progress:.0f} %" if running else f"{self.task.get_status_display()}:"
        return f"{state} {self.row.name} - TaskHub"

    @cached_property
    def attempts(self) -> list[TaskAttempt]:
        return list(self.task.past_attempts.all())

    @property
    def attempts_name_workers(self) -> bool:
        """Only of a try whose worker died is it known which that was."""
        return any(attempt.worker for attempt in self.attempts)

    @cached_property
    def steps(self) -> list[Step]:
        return steps(self.task, self.attempts)

    @cached_property
    def gates(self) -> list[Gate]:
        return gates(self.task)

    @property
    def eta(self) -> str:
        return eta(self.task)

    # --- files, parameters, result

    @cached_property
    def all_files(self) -> list[TaskFile]:
        return list(self.task.files.published())

    @property
    def inputs(self) -> list[TaskFile]:
        return [file for file in self.all_files if file.kind == TaskFile.Kind.INPUT]

    @property
    def outputs(self) -> list[TaskFile]:
        return [file for file in self.all_files if file.kind == TaskFile.Kind.OUTPUT]

    @cached_property
    def parameters(self) -> list[Parameter]:
        return list(self._parameters())

    def _parameters(self) -> Iterator[Parameter]:
        fields = self.kind.serializer.fields if self.kind else {}
        files = {str(file.pk): file for file in self.inputs}
        given = registry.shown_parameters(self.task.task_type, self.task.parameters)
        # In the form's order: PostgreSQL keeps JSON by the length of its names.
        for name in sorted(given, key=list(dict.fromkeys([*fields, *given])).index):
            value = given[name]
            if value in (None, "", [], {}):
                continue
            declared = fields.get(name)
            label = str(declared.label) if declared is not None and declared.label else name.replace("_", " ")
            if self.kind and name in self.kind.file_parameters:
                ids = value if isinstance(value, list) else [value]
                yield Parameter(label, "", files=tuple(files[str(key)] for key in ids if str(key) in files))
            else:
                text = chosen_or_text(declared, value)
                yield Parameter(label, text, is_long=len(text) > 80 or "\n" in text)

    @cached_property
    def result_html(self) -> str:
        """The type's own view of its result; plainly, where it cannot show this one: it may be of an older version."""
        context = {"task": self.task, "result": self.task.result_data, "files": self.outputs}
        if self.kind and self.kind.result_template != PLAIN:
            try:
                return render_to_string(self.kind.result_template, context, self.request)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                log.warning("The result of %s cannot be shown by %s", self.task.pk, self.kind.result_template)
        return render_to_string(PLAIN, context, self.request)

    @property
    def has_result(self) -> bool:
        return self.task.status == Status.SUCCESS and self.task.result_data is not None

    @cached_property
    def result_as_json(self) -> str:
        text = json.dumps(self.task.result_data, indent=2, ensure_ascii=False)
        return text if len(text) <= JSON_SHOWN else f"{text[:JSON_SHOWN]}\n…"

    @property
    def main_output(self) -> TaskFile | None:
        """The file that "Download result" gives: the only one."""
        return self.outputs[0] if len(self.outputs) == 1 else None

    # --- what went wrong

    @cached_property
    def error_title(self) -> str:
        return (self.task.error_message or _("It failed without a word.")).strip().splitlines()[0]

    @property
    def error_rest(self) -> str:
        return "\n".join((self.task.error_message or "").strip().splitlines()[1:])

    @property
    def traceback(self) -> str:
        """Of the last try; for staff alone."""
        if not self.request.user.is_staff or not self.attempts:
            return ""
        return self.attempts[-1].traceback

    # --- items and log

    @cached_property
    def items(self) -> ItemPage:
        return ItemPage(self.task, self.request.GET)

    @cached_property
    def lines(self) -> Lines:
        get = self.request.GET
        return Lines(self.task, after=number(get.get("after")), before=number(get.get("to_line")))

    @cached_property
    def retries(self) -> list[Task]:
        return list(self.task.retries.visible_to(self.request.user).only("id", "name", "task_type")[:20])

    @property
    def breadcrumb(self) -> str:
        """The list as it was left, filters and all."""
        home = reverse("tasks:list")
        came_from = self.request.headers.get("Referer", "")
        ours = f"{self.request.scheme}://{self.request.get_host()}{home}?"
        return f"{home}?{came_from.removeprefix(ours)}" if came_from.startswith(ours) else home

    @property
    def here(self) -> str:
        """The query string of this very page, without what a poll adds."""
        query = self.request.GET.copy()
        for name in ("v", "after"):
            query.pop(name, None)
        return query.urlencode()


def chosen_or_text(declared: Any, value: Any) -> str:
    """A choice by the label that the form gives it."""
    choices = getattr(declared, "choices", {})
    return str(choices[value]) if isinstance(value, str) and value in choices else as_text(value)


def as_text(value: Any) -> str:
    if value is None:
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@require_safe
@never_cache
def task(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    page = TaskPage(request, visible_task(request, task_id))
    return render(request, "tasks/task.html", {"page": page, "task": page.task})


@require_safe
@never_cache
def task_live(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """What a poll asks for: nothing (204) where the page it has is still right, else the page's live part."""
    page = TaskPage(request, visible_task(request, task_id))
    if request.GET.get("v") == page.version:
        return HttpResponse(status=204)
    html = render_to_string("tasks/_task.html", {"page": page, "task": page.task}, request)
    return HttpResponse(html + render_to_string("_hub_state.html", {"oob": True}, request))


@require_safe
def file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """A task's file: an attachment; `?inline` shows an image in place, if it is of a harmless type."""
    found = TaskFile.objects.published().filter(pk=file_id, task__in=Task.objects.visible_to(request.user)).first()
    if found is None:
        raise Http404
    return file_response(request, found, inline="inline" in request.GET)
