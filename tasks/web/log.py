"""A task's log: its lines as a page shows them, as a fragment from a line on, and as a file."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tasks.models import Task, TaskLogLine
from tasks.visible import ESCAPES, SGR, for_terminal, visible
from tasks.web.acts import visible_task

WINDOW = 1000  # lines in one answer

COLOURS = frozenset(map(str, (*range(30, 38), *range(90, 98))))
WEIGHTS = frozenset({"1", "3", "4"})
# What ends them: a colour, a weight, or all.
ENDS = {"0": COLOURS | WEIGHTS, "39": COLOURS, "22": {"1"}, "23": {"3"}, "24": {"4"}}
# Colours by number or by red, green and blue: not ours, and their parts are no codes.
FURTHER_COLOURS = re.compile(r"(?<![0-9])([34])8;(?:5;[0-9]*|2;[0-9]*;[0-9]*;[0-9]*)")


def readable(text: str) -> SafeString:
    """A log line as HTML: colours as classes, everything else as text."""
    pieces = SGR.split(text)
    html, classes = [], ""
    for position, piece in enumerate(pieces):
        if position % 2:
            classes = _classes(piece, classes)
        elif plain := visible(ESCAPES.sub("", piece)):
            html.append(f'<span class="{classes}">{escape(plain)}</span>' if classes else escape(plain))
    return mark_safe("".join(html))  # noqa: S308 - every piece is escaped, the classes are our own


def _classes(codes: str, before: str) -> str:
    kept = [name.removeprefix("ansi-") for name in before.split()]
    for code in FURTHER_COLOURS.sub(r"\g<1>9", codes).split(";"):
        code = code.lstrip("0") or "0"
        ended = COLOURS if code in COLOURS else ENDS.get(code, frozenset({code}))
        kept = [other for other in kept if other not in ended]
        if code in COLOURS | WEIGHTS:
            kept.append(code)
    return " ".join(f"ansi-{code}" for code in kept)


class Lines:
    """A window of a log: the last lines, those `after` one, or those `before` one."""

    def __init__(self, task: Task, *, after: int = 0, before: int = 0) -> None:
        self.task = task
        lines = task.log_lines.all()
        if after:
            self.shown = list(lines.filter(seq__gt=after).order_by("seq")[:WINDOW])
        else:
            older = lines.filter(seq__lt=before) if before else lines
            self.shown = list(older.order_by("-seq")[:WINDOW])[::-1]

    def __iter__(self) -> Iterator[TaskLogLine]:
        return iter(self.shown)

    @property
    def first(self) -> int:
        return self.shown[0].seq if self.shown else 0

    @property
    def earlier(self) -> int:
        """How many lines come before the window: lines are numbered from 1."""
        return max(0, self.first - 1)


def number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


@require_safe
@never_cache
def log_lines(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Lines before or after one, as list elements."""
    task = visible_task(request, task_id)
    lines = Lines(task, after=number(request.GET.get("after")), before=number(request.GET.get("before")))
    return render(request, "tasks/_log_lines.html", {"task": task, "lines": lines})


@require_safe
@never_cache
def log(request: HttpRequest, task_id: uuid.UUID) -> StreamingHttpResponse:
    """The whole log as a text file, which a terminal may show."""
    task = visible_task(request, task_id)
    response = StreamingHttpResponse(_as_text(task), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{task.short_id}.log"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _as_text(task: Task) -> Iterator[str]:
    for line in task.log_lines.order_by("seq").iterator(chunk_size=2000):
        yield f"{line.at.isoformat(timespec='milliseconds')} {line.level:7} {for_terminal(line.message)}\n"
